/** A small array as coloured squares, with its numbers where there is room. */

import { svgElement } from "../elements.js";
import { digits } from "../numbers.js";
import { colour, inkOn } from "./colours.js";

const CELL = 36;

/**
 * @param {number[][]} values @param {string} label for those who do not see it
 * @param {{reach?: number, numbers?: boolean, most?: number}} [options] `reach` is the size at the end
 *   of the scale; an array of more than `most` cells a side is as large as one of `most`
 */
export function arrayPicture(values, label, { reach = largest(values), numbers = true, most = Infinity } = {}) {
  const [height, width] = [values.length, values[0].length];
  const share = (value) => 0.5 + (reach ? value / reach / 2 : 0);
  const cells = values.flatMap((row, y) =>
    row.flatMap((value, x) => {
      const square = svgElement("rect", {
        x: x * CELL, y: y * CELL, width: CELL, height: CELL, fill: colour(share(value), "signed"),
      });
      if (!numbers) return [square];
      const text = svgElement(
        "text",
        { x: (x + 0.5) * CELL, y: (y + 0.5) * CELL + 4, fill: inkOn(share(value), "signed") },
        digits(value),
      );
      return [square, text];
    }),
  );
  return svgElement(
    "svg",
    {
      class: "array", viewBox: `0 0 ${width * CELL} ${height * CELL}`,
      width: CELL * Math.min(width, most), role: "img", "aria-label": label,
    },
    ...cells,
  );
}

/** The largest size of any value. @param {number[][][]} arrays */
export function largest(...arrays) {
  return Math.max(...arrays.flat(2).map(Math.abs));
}
