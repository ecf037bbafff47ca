/** A slider over a list of numbers, its value beside it and in the address. */

import { element } from "../elements.js";
import * as state from "../state.js";

/** @param {{key: string, values: number[], initial: number, label: string}} what */
export function slider({ key, values, initial, label }) {
  const value = () => {
    const asked = Number(state.get(key));
    return values.includes(asked) ? asked : initial;
  };
  const output = element("output", {});
  const range = /** @type {HTMLInputElement} */ (
    element("input", {
      type: "range", min: 0, max: values.length - 1, step: 1,
      oninput: () => {
        const chosen = values[Number(range.value)];
        state.set(key, chosen === initial ? null : chosen);
        show();
      },
    })
  );
  function show() {
    range.value = String(values.indexOf(value()));
    range.setAttribute("aria-valuetext", String(value()));
    output.textContent = String(value());
  }
  show();
  const node = element("label", { class: "slider" }, element("span", {}, label), range, output);
  return { node, value, show };
}
