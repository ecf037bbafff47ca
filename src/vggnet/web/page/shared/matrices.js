/** Matrices as pictures, with their scale of colours. */

import { element } from "../elements.js";
import { short } from "../numbers.js";
import { table } from "./colours.js";

/** @typedef {import("./colours.js").Scale} Scale */
/**
 * Bytes from `low` (0) to `high` (255), row after row: as the server sends them, or as they are.
 *
 * @typedef {{height: number, width: number, low: number, high: number, data: string | Uint8Array}} Matrix
 */

/** @param {string | Uint8Array} data base64, or the bytes themselves @returns {Uint8Array} */
export function bytesOf(data) {
  return typeof data === "string" ? Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)) : data;
}

/**
 * A picture of one pixel each; the style sheet enlarges it without smoothing.
 *
 * @param {{height: number, width: number}} size @param {(at: number) => Uint8Array} colourAt red, green
 *   and blue of each pixel, row after row
 */
export function painted({ height, width }, colourAt, attributes = {}) {
  const canvas = element("canvas", { height, width, ...attributes });
  const picture = new ImageData(width, height);
  for (let at = 0; at < height * width; at++) {
    picture.data.set(colourAt(at), 4 * at);
    picture.data[4 * at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

/** @param {Matrix} matrix @param {Scale} [scale] */
export function paintedMatrix(matrix, scale = scaleOf(matrix), attributes = {}) {
  const bytes = bytesOf(matrix.data);
  const colours = table(scale);
  return painted(matrix, (at) => colours.subarray(3 * bytes[at], 3 * bytes[at] + 3), attributes);
}

/** A colour scale with its ends, for the caption of a map. @param {Matrix} matrix @param {Scale} [scale] */
export function colourBar(matrix, scale = scaleOf(matrix)) {
  const { low, high } = matrix;
  const all = { height: 1, width: 256, low, high, data: Uint8Array.from(Array(256).keys()) };
  return element(
    "div",
    { class: "colour-bar" },
    paintedMatrix(all, scale, { "aria-hidden": "true" }),
    element("span", {}, short(low)),
    scale === "signed" ? element("span", {}, "0") : null,
    element("span", {}, short(high)),
  );
}

/** @param {Matrix} matrix @returns {Scale} */
function scaleOf({ low }) {
  return low < 0 ? "signed" : "viridis";
}
