/**
 * A stack of kernels, unit by unit: which pixels each one reaches.
 *
 * The picture is just as large as the field of the one unit at the top, and no kernel is padded, so
 * that the maps shrink from K x K pixels to 1 x 1. Level 0 is the picture, level n what kernel n
 * gives. Rows and columns count from 0.
 *
 * @typedef {{level: number, row: number, column: number}} Unit
 * @typedef {{row: number, column: number, side: number}} Square top left corner and side
 */

/** The side of the square that a stack sees. @param {number[]} kernels */
export function fieldOf(kernels) {
  return kernels.reduce((sum, kernel) => sum + kernel - 1, 1);
}

/** Sides of the maps from the picture up. @param {number[]} kernels */
export function sides(kernels) {
  return kernels.reduce((found, kernel) => [...found, found.at(-1) - kernel + 1], [fieldOf(kernels)]);
}

/** The units in the order in which the kernels compute them. @param {number[]} kernels @returns {Unit[]} */
export function units(kernels) {
  return sides(kernels).flatMap((side, level) =>
    level === 0
      ? []
      : Array.from({ length: side * side }, (_, at) => ({
          level,
          row: Math.floor(at / side),
          column: at % side,
        })),
  );
}

/**
 * What a unit reaches on each level from the picture up to its own.
 *
 * @param {number[]} kernels @param {Unit} unit @returns {Square[]}
 */
export function reach(kernels, { level, row, column }) {
  const found = [{ row, column, side: 1 }];
  for (let below = level - 1; below >= 0; below--) {
    found.unshift({ row, column, side: found[0].side + kernels[below] - 1 });
  }
  return found;
}

/**
 * In how many ways each pixel reaches the unit at the top: K x K counts, row after row.
 *
 * @param {number[]} kernels
 */
export function ways(kernels) {
  const row = kernels.reduce(
    (counts, kernel) => {
      const wider = Array(counts.length + kernel - 1).fill(0);
      counts.forEach((count, at) => {
        for (let tap = 0; tap < kernel; tap++) wider[at + tap] += count;
      });
      return wider;
    },
    [1],
  );
  return row.flatMap((vertical) => row.map((horizontal) => vertical * horizontal));
}
