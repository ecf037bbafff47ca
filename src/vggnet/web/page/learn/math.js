/** Formulas as HTML: variables slanted, powers raised, the result strong. */

import { element } from "../elements.js";

/**
 * A line of a formula from text in which *C* is a variable, ^2 a power and [5] the result.
 *
 * @param {...string} lines @returns {HTMLElement}
 */
export function formula(...lines) {
  return element("p", { class: "formula" }, ...lines.map((line) => element("span", {}, ...inline(line))));
}

/** @param {string} text @returns {(Node | string)[]} */
function inline(text) {
  return text.split(/(\*[^*]+\*|\^\w+|\[[^\]]+\])/).map((part) => {
    if (/^\*.+\*$/.test(part)) return element("var", {}, part.slice(1, -1));
    if (part.startsWith("^")) return element("sup", {}, part.slice(1));
    if (/^\[.+\]$/.test(part)) return element("b", {}, part.slice(1, -1));
    return part;
  });
}
