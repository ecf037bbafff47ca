/** Places that show something of the photograph: once another is chosen, it is no longer seen there. */

import { fill } from "../shared/fill.js";

/** @typedef {import("./look.js").Look} Look */

/**
 * As `fill`, with something of the photograph that is chosen now.
 *
 * @param {Look} look @param {Parameters<typeof fill>} filling
 */
export async function fillOf(look, ...filling) {
  const { id } = look.current();
  const [place] = filling;
  if (!(await fill(...filling))) return;
  place.dataset.of = `${id}`;
  markOutdated(look, place);
}

/** Hide what is of another photograph, and leave its room, so that nothing moves. @param {Look} look @param {Element} root */
export function markAllOutdated(look, root) {
  for (const place of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-of]"))) markOutdated(look, place);
}

/** @param {Look} look @param {HTMLElement} place */
function markOutdated(look, place) {
  place.toggleAttribute("data-outdated", place.dataset.of !== `${look.current().id}`);
}
