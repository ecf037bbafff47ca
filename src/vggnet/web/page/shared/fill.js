/** Filling a place of the page with what is computed: what is going on is said, and so is a failure. */

import { mayPass, sentenceFor } from "../api.js";
import { element } from "../elements.js";
import { words } from "../words.js";

/** @type {WeakMap<Element, AbortController>} what stops the newest filling of each place */
const newest = new WeakMap();

/**
 * Show in `place` what `compute` gives. Until then a line says what is being computed, above what
 * stood there; a failure is a sentence, with a button where another try may do better. A filling that a newer one overtook shows nothing, and its
 * signal is aborted.
 *
 * @param {HTMLElement} place @param {string | null} working the line; null says nothing
 * @param {(signal: AbortSignal) => Promise<(Node | string)[] | void> | (Node | string)[] | void} compute the children, or
 *   none where it fills itself
 * @returns {Promise<boolean>} whether the place shows it, or its failure: no newer filling overtook it
 */
export async function fill(place, working, compute) {
  const mine = new AbortController();
  const before = newest.get(place);
  newest.set(place, mine);
  const line = working && element("p", { class: "working", role: "status" }, working);
  place.querySelector(":scope > .working")?.remove();
  if (line) place.prepend(line);
  place.setAttribute("aria-busy", "true");
  try {
    // The new one asks first, so that what both want goes on.
    const computing = (async () => compute(mine.signal))();
    before?.abort();
    const found = await computing;
    if (newest.get(place) === mine && found) place.replaceChildren(...found);
  } catch (problem) {
    if (newest.get(place) !== mine) return false;
    const again = () => fill(place, working, compute);
    const retry = element("button", { type: "button", onclick: again }, words("Try again", "重试"));
    const told = element("p", { class: "problem", role: "alert" }, sentenceFor(problem));
    if (mayPass(problem)) told.append(" ", retry);
    place.replaceChildren(told);
  } finally {
    if (newest.get(place) === mine) {
      line?.remove();
      place.removeAttribute("aria-busy");
    }
  }
  return newest.get(place) === mine;
}
