/** Formulas as HTML: variables slanted, powers raised, the result strong. */

import { element } from "../figures.js";

/**
 * A line of a formula from text in which *C* is a variable, ^2 a power and [5] the result.
 *
 * @param {...string} lines @returns {HTMLElement}
 */
export function formula(...lines) {
  return element("p", { class: "formula" }, ...lines.map((line) => element("span", {}, ...inline(line))));
}

/** The same within a sentence. @param {string} text @returns {(Node | string)[]} */
export function inline(text) {
  return text.split(/(\*[^*]+\*|\^\w+|\[[^\]]+\])/).map((part) => {
    if (/^\*.+\*$/.test(part)) return element("var", {}, part.slice(1, -1));
    if (part.startsWith("^")) return element("sup", {}, part.slice(1));
    if (/^\[.+\]$/.test(part)) return element("b", {}, part.slice(1, -1));
    return part;
  });
}

/** A paragraph with formulas in it. @param {string} text */
export function paragraph(text) {
  return element("p", {}, ...inline(text));
}
