/** The picture and the maps above it, seen from the side: which pixels a unit reaches. */

import { svgElement } from "../elements.js";
import { reach, sides, ways } from "./stack.js";

const [SLANT, DEPTH] = [0.5, 0.42]; // how far a row nearer to the reader lies to the left and below
const [GAP, LEAST_GAP, GAPS] = [56, 36, 168]; // between a map and the one above it; in all, if many
const LABEL = 104; // width of what is written on the right
const LARGEST_CELL = 48;
const HIGHEST = 560; // as the style sheet has it: a higher one would be shown with smaller letters
const DIGIT = 8; // width of one, in the letters of the numbers

/**
 * @param {number[]} kernels @param {(level: number) => string[]} label the lines beside a level
 * @returns {{node: SVGElement, numbered: boolean,
 *   show: (unit: import("./stack.js").Unit) => void}}
 */
export function pyramid(kernels, label) {
  // In its own units, which are about pixels of the page.
  const width = matchMedia("(max-width: 600px)").matches ? 380 : 640;
  const all = sides(kernels);
  const [field] = all;
  const gap = Math.max(LEAST_GAP, Math.min(GAP, GAPS / (all.length - 1)));
  const rows = all.reduce((sum, side) => sum + side);
  const cell = Math.min(
    LARGEST_CELL,
    (width - LABEL) / (field * (1 + SLANT)),
    (HIGHEST - 32 - gap * (all.length - 1)) / (rows * DEPTH),
  );
  const centre = (width - LABEL) / 2;
  // From the top down: each level needs half of its own depth above and below its middle.
  const middles = [];
  let y = Math.max(8, 24 - (cell * DEPTH) / 2); // room for what is written beside the top
  for (let level = all.length - 1; level >= 0; level--) {
    const half = (all[level] * cell * DEPTH) / 2;
    y += half;
    middles[level] = y;
    y += half + gap;
  }
  const height = y - gap + 8;

  /** The place of a corner of the cells of a level. */
  function point(level, row, column) {
    const [down, right] = [row - all[level] / 2, column - all[level] / 2];
    return [centre + cell * (right - SLANT * down), middles[level] + cell * DEPTH * down];
  }
  function corners(level, { row, column, side }) {
    return [
      [row, column],
      [row, column + side],
      [row + side, column + side],
      [row + side, column],
    ].map(([r, c]) => point(level, r, c));
  }
  const polygon = (level, square, attributes) =>
    svgElement("polygon", { points: corners(level, square).map((each) => each.join()).join(" "), ...attributes });

  const counts = ways(kernels);
  const node = svgElement("svg", { class: "pyramid", viewBox: `0 0 ${width} ${height}`, role: "img" });
  const cells = [];
  const above = []; // what lies over the cells of each level, and moves
  all.forEach((side, level) => {
    const squares = Array.from({ length: side * side }, (_, at) =>
      polygon(level, { row: Math.floor(at / side), column: at % side, side: 1 }, { class: "cell" }),
    );
    cells.push(squares);
    above.push(svgElement("g"));
    node.append(svgElement("g", {}, ...squares), above[level]);
    const [x, at] = [centre + cell * (field / 2) * (1 + SLANT) + 8, middles[level]];
    label(level).forEach((text, line) =>
      node.append(svgElement("text", { x: Math.min(x, width - LABEL + 8), y: at + 5 + 18 * (line - 0.5), class: line ? "faint" : "" }, text)),
    );
  });

  /** How often a pixel is used, written into the cells where there is room. */
  const numbers = svgElement("g", { class: "ways" });
  const numbered = cell * DEPTH >= 13 && cell >= DIGIT * (String(Math.max(...counts)).length + 0.5);
  if (numbered) {
    counts.forEach((count, at) => {
      const [x, y0] = point(0, Math.floor(at / field) + 0.5, (at % field) + 0.5);
      numbers.append(svgElement("text", { x, y: y0 + 5 }, String(count)));
    });
  }
  node.append(numbers);

  function show(unit) {
    const squares = reach(kernels, unit);
    all.forEach((side, level) => {
      const square = squares[level];
      cells[level].forEach((each, at) => {
        const [row, column] = [Math.floor(at / side), at % side];
        each.setAttribute("class", `cell ${kindOf(level, row, column, square, unit)}`);
      });
      above[level].replaceChildren();
      if (!square) return;
      above[level].append(polygon(level, square, { class: "frame" }));
      if (level === 0) return;
      // From the corners of what is reached here to those of what that reaches below.
      const below = corners(level - 1, squares[level - 1]);
      corners(level, square).forEach(([x1, y1], at) => {
        const [x2, y2] = below[at];
        above[level - 1].append(svgElement("line", { x1, y1, x2, y2 }));
      });
    });
    const last = unit.level === all.length - 1;
    numbers.setAttribute("visibility", last ? "visible" : "hidden");
    const most = Math.max(...counts);
    cells[0].forEach((each, at) => {
      each.classList.toggle("weighted", last && all.length > 2);
      each.style.fillOpacity = last && all.length > 2 ? String(0.05 + (0.5 * counts[at]) / most) : "";
    });
  }
  return { node, show, numbered };
}

function kindOf(level, row, column, square, unit) {
  const within =
    square &&
    row >= square.row && row < square.row + square.side &&
    column >= square.column && column < square.column + square.side;
  if (within) return level === unit.level ? "unit" : level === unit.level - 1 ? "patch" : "reached";
  const computed =
    level < unit.level ||
    (level === unit.level && (row < unit.row || (row === unit.row && column < unit.column)));
  return level && computed ? "computed" : "";
}
