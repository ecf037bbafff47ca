/** Controls with a label, whose values are kept in the address. */

import { element } from "../elements.js";
import * as state from "../state.js";

/** @typedef {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} Control */

/** A control beneath its label, or beside it where it is a box to tick. @param {string} text @param {Control} control */
export function labelled(text, control) {
  const check = control.type === "checkbox";
  const label = element("span", {}, text);
  return element(
    "label",
    { class: check ? "control check" : "control" },
    ...(check ? [control, label] : [label, control]),
  );
}

/** @param {[value: string, text: string][]} options @returns {HTMLSelectElement} */
export function select(options, attributes = {}) {
  const made = options.map(([value, text]) => element("option", { value }, text));
  return element("select", attributes, ...made);
}

/** @param {string} type @returns {HTMLInputElement} */
export function input(type, attributes = {}) {
  return element("input", { type, ...attributes });
}

/**
 * Keep what a control says under `key`; what it says at first has no key, nor has an empty line: it is
 * filled again when it is left. Lines of text may stay empty. Each choice is a step that "back" undoes,
 * and so is what is typed before the control is left.
 *
 * @param {Control} control @param {string} key @param {string} initial "true" or "" of a box to tick
 * @returns {(changed?: string | null) => void} which shows again what the address says after a change of
 *   that key; what is being typed stays as it is unless anything may have changed
 */
export function keepInAddress(control, key, initial) {
  const check = control instanceof HTMLInputElement && control.type === "checkbox";
  const typing = !check && !(control instanceof HTMLSelectElement);
  const maybeEmpty = control instanceof HTMLTextAreaElement;
  control.addEventListener("input", () => {
    // NFKC: as keyboards for Chinese write digits, letters and the space, too.
    const value = check ? String(control.checked) : control.value.normalize("NFKC");
    const none = value === initial || (check && !initial && value === "false") || (!value && !maybeEmpty);
    const kept = none ? null : value;
    if (typing) state.type(key, kept);
    else state.go({ [key]: kept });
  });
  function leave() {
    state.settle();
    show();
  }
  if (typing) control.addEventListener("blur", leave);
  /** @param {string | null} changed */
  function show(changed = null) {
    if (typing && changed !== null && control === document.activeElement) return;
    const value = state.get(key) ?? initial;
    if (check) control.checked = value === "true";
    else if (control.value !== value) control.value = value;
  }
  show();
  return show;
}
