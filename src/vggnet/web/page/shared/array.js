/** A small array as coloured squares, with its numbers where there is room. */

import { colour, inkOn } from "../colours.js";
import { svgElement } from "../figures.js";

const CELL = 36;

/**
 * @param {number[][]} values @param {string} label for those who do not see it
 * @param {{reach: number, scale?: "signed" | "viridis", numbers?: boolean}} options `reach` is the
 *   size at the end of the scale
 */
export function arrayPicture(values, label, { reach, scale = "signed", numbers = true }) {
  const [height, width] = [values.length, values[0].length];
  const share = (value) => {
    const of = reach ? value / reach : 0;
    return scale === "signed" ? (of + 1) / 2 : of;
  };
  const cells = values.flatMap((row, y) =>
    row.flatMap((value, x) => {
      const square = svgElement("rect", {
        x: x * CELL, y: y * CELL, width: CELL, height: CELL, fill: colour(share(value), scale),
      });
      if (!numbers) return [square];
      const text = svgElement(
        "text",
        { x: (x + 0.5) * CELL, y: (y + 0.5) * CELL + 4, fill: inkOn(share(value), scale) },
        digits(value),
      );
      return [square, text];
    }),
  );
  return svgElement(
    "svg",
    {
      class: "array", viewBox: `0 0 ${width * CELL} ${height * CELL}`,
      width: width * CELL, height: height * CELL, role: "img", "aria-label": label,
    },
    ...cells,
  );
}

/** A value in at most five characters. @param {number} value */
export function digits(value) {
  const size = Math.abs(value);
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
  return text.replace(/^-(?=.*[1-9])/, "−").replace("-", "");
}

/** The largest size of any value. @param {number[][][]} arrays */
export function largest(...arrays) {
  return Math.max(...arrays.flat(2).map(Math.abs));
}
