/** Numbers as text, short enough to read beside each other. */

/** @type {[number, string][]} */
const UNITS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "K"]];
/** @type {[number, string][]} */
const BYTES = [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];
const NARROW = "\u202f"; // the space between groups of digits, in which no line breaks

/** 138 357 544, in groups that no line break tears apart. @param {number} count */
export function grouped(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, NARROW);
}

/** Three digits and T, G, M or K: 15.5 G, 138 M, 4.10 K. @param {number} count */
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

/** Three digits of a value. @param {number} value */
export function short(value) {
  return String(Number(value.toPrecision(3))).replace("-", "\u2212");
}

/** A value in at most five characters. @param {number} value */
export function digits(value) {
  const size = Math.abs(value);
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
  return text.replace(/^-(?=.*[1-9])/, "−").replace("-", "");
}

/** 401 KiB, 528 MiB, 1.3 GiB. @param {number} count */
export function bytes(count) {
  const [unit, letter] = BYTES.find(([each]) => count >= each) ?? BYTES.at(-1);
  const scaled = count / unit;
  return `${scaled.toFixed(scaled < 99.95 ? 1 : 0)}${NARROW}${letter}`;
}

/** 3×3. @param {number} side */
export function square(side) {
  return `${side}×${side}`;
}
