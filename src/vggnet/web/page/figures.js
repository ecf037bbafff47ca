/** Small helpers of whatever draws: elements, numbers as text, matrices as pictures. */

import { table } from "./shared/colours.js";

const SVG = "http://www.w3.org/2000/svg";
/** @type {[number, string][]} */
const UNITS = [[1e9, "G"], [1e6, "M"], [1e3, "K"]];
const NARROW = "\u202f"; // the space between groups of digits, in which no line breaks

/** Let a blob go, once all that were given its address have had time to read it. @param {string} url */
export function forget(url) {
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

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

/** 138 357 544, in groups that no line break tears apart. @param {number} count */
export function grouped(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, NARROW);
}

/** Three digits and G, M or K: 15.5 G, 138 M, 4.10 K. @param {number} count */
export function si(count) {
  for (const [unit, letter] of UNITS) {
    if (count >= unit) {
      const scaled = count / unit;
      return `${scaled.toFixed(scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0)}${NARROW}${letter}`;
    }
  }
  return String(count);
}

/** 12.3% of a share of 1. @param {number} share */
export function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

/** A bar of a share of its track, and never so short that it is not seen. @param {number} share @param {string} [kind] */
export function bar(share, kind = "") {
  return element("span", { class: `bar ${kind}`.trim(), style: { width: `${Math.max(0.4, 100 * share)}%` } });
}

/**
 * A matrix as the server sends it: bytes from `low` (0) to `high` (255), row after row.
 *
 * @typedef {{height: number, width: number, low: number, high: number, data: string}} Matrix
 */

/** @param {Matrix} matrix @returns {Uint8Array} */
export function bytesOf(matrix) {
  return Uint8Array.from(atob(matrix.data), (letter) => letter.charCodeAt(0));
}

/**
 * Paint a matrix, one pixel of the canvas each; the style sheet enlarges it without smoothing.
 *
 * @param {HTMLCanvasElement} canvas @param {Matrix} matrix
 * @param {import("./shared/colours.js").Scale} [scale] by default signed where there are negative values
 */
export function paintMatrix(canvas, matrix, scale = matrix.low < 0 ? "signed" : "viridis") {
  const { height, width } = matrix;
  const bytes = bytesOf(matrix);
  const colours = table(scale);
  const picture = new ImageData(width, height);
  for (let at = 0; at < bytes.length; at++) {
    picture.data.set(colours.subarray(3 * bytes[at], 3 * bytes[at] + 3), 4 * at);
    picture.data[4 * at + 3] = 255;
  }
  Object.assign(canvas, { height, width });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** A colour scale with its ends, for the caption of a map. @param {Matrix} matrix @param {import("./shared/colours.js").Scale} [scale] */
export function colourBar(matrix, scale = matrix.low < 0 ? "signed" : "viridis") {
  const canvas = /** @type {HTMLCanvasElement} */ (element("canvas", { "aria-hidden": "true" }));
  const data = btoa(String.fromCharCode(...Array(256).keys()));
  paintMatrix(canvas, { height: 1, width: 256, low: matrix.low, high: matrix.high, data }, scale);
  const middle = scale === "signed" ? element("span", {}, "0") : null;
  return element(
    "div",
    { class: "colour-bar" },
    canvas,
    element("span", {}, short(matrix.low)),
    middle,
    element("span", {}, short(matrix.high)),
  );
}

/** Three digits of a value. @param {number} value */
export function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", "\u2212");
}
