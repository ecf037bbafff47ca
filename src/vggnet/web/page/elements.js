/** Elements of the page, and of its drawings. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element. Attributes that are functions listen ("onclick"), true is an attribute without a
 * value, false and null are none; `style` is an object. Children are nodes or texts.
 *
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name @param {Record<string, any>} [attributes] @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same of SVG. @returns {SVGElement} */
export function svgElement(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.replace(/^on/, ""), value);
    else if (name === "style") Object.assign(node.style, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A bar of a share of its track, and never so short that it is not seen. @param {number} share @param {string} [kind] */
export function bar(share, kind = "") {
  return element("span", { class: `bar ${kind}`.trim(), style: { width: `${Math.max(0.4, 100 * share)}%` } });
}
