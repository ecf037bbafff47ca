/** The view of a photograph with a map over it or a frame on it. */

import { element, svgElement } from "../elements.js";
import { paintedMatrix } from "./matrices.js";

/**
 * @param {string} url of the view @param {string} label
 * @param {{matrix?: import("./matrices.js").Matrix | null, strength?: number, frames?: Frame[], side?: number}} shown
 *   `side` are the view's pixels, in which frames are counted
 */
export function stage(url, label, { matrix = null, strength = 0.6, frames = [], side = 224 } = {}) {
  const node = element("div", { class: "stage" });
  const picture = element("img", { src: url, alt: label });
  node.append(picture);
  if (matrix) {
    picture.classList.add("in-grey");
    const attributes = { class: "over", "aria-hidden": "true", style: { opacity: strength } };
    node.append(paintedMatrix(matrix, undefined, attributes));
  }
  if (frames.length) {
    const drawing = svgElement("svg", { class: "over frames", viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true" });
    frames.forEach((frame) => drawing.append(...framed(frame, side)));
    node.append(drawing);
  }
  return node;
}

/**
 * @typedef {{left: number, top: number, width: number, height: number, name?: string}} Frame
 */

/** A frame, black and white so that it always shows, cut at the border. @param {Frame} frame @param {number} side */
function framed({ left, top, width, height, name }, side) {
  const [x, y] = [Math.max(0, left), Math.max(0, top)];
  const [right, bottom] = [Math.min(side, left + width), Math.min(side, top + height)];
  const thin = side / 224;
  const box = (inset, kind) =>
    svgElement("rect", {
      x: x + inset, y: y + inset, width: Math.max(0, right - x - 2 * inset),
      height: Math.max(0, bottom - y - 2 * inset), class: kind, "stroke-width": 1.4 * thin,
    });
  const parts = [box(0.7 * thin, "frame-dark"), box(2.1 * thin, "frame-light")];
  if (name) {
    const [width, height] = [13 * thin, 14 * thin];
    parts.push(
      svgElement("rect", { x, y, width, height, class: "frame-label" }),
      svgElement("text", { x: x + width / 2, y: y + 11 * thin, "font-size": 11 * thin }, name),
    );
  }
  return parts;
}
