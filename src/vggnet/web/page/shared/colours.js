/**
 * Colours of numbers: viridis from low to high, and a scale for signed numbers whose middle is 0.
 * The steps are those of vggnet's drawing/scales.py; a test holds them together.
 */

/** @typedef {"viridis" | "signed"} Scale */

const STEPS = {
  viridis:
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c " +
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  signed: "004c78 0072b2 7fb4d6 f2f2f2 eaa577 d55e00 8f3f00",
};

/** @type {Record<Scale, Uint8Array>} 256 colours, red green blue one after the other */
const TABLES = { viridis: tableOf(STEPS.viridis), signed: tableOf(STEPS.signed) };

/** The 256 colours of a scale, 3 bytes each. @param {Scale} scale */
export function table(scale) {
  return TABLES[scale];
}

/** "rgb(…)" of a share from 0 to 1 of the scale. @param {number} share @param {Scale} scale */
export function colour(share, scale = "viridis") {
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
  return `rgb(${TABLES[scale].slice(at, at + 3).join(" ")})`;
}

/** Black or white, whichever is read better on that colour. @param {number} share @param {Scale} scale */
export function inkOn(share, scale = "viridis") {
  const at = 3 * Math.round(255 * Math.min(1, Math.max(0, share)));
  const [red, green, blue] = TABLES[scale].slice(at, at + 3);
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#000" : "#fff";
}

function tableOf(steps) {
  const known = steps.split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const found = new Uint8Array(3 * 256);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * (known.length - 1);
    const below = Math.min(Math.floor(place), known.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const [low, high] = [known[below][channel], known[below + 1][channel]];
      found[3 * value + channel] = Math.round(low + (place - below) * (high - low));
    }
  }
  return found;
}
