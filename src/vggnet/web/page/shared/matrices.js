/** Matrices as pictures, with their scale of colours. */

import { element } from "../elements.js";
import { short } from "../numbers.js";
import { table } from "./colours.js";

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
 * @param {import("./colours.js").Scale} [scale] by default signed where there are negative values
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

/** A colour scale with its ends, for the caption of a map. @param {Matrix} matrix @param {import("./colours.js").Scale} [scale] */
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
