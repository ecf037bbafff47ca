/** What it means that an explanation's map is 0 everywhere, or next to it. */

import { short } from "../numbers.js";
import { words } from "../words.js";
import { bytesOf } from "./matrices.js";

const LITTLE_SCORE = 0.05; // which makes a class 5% more likely against another
const LITTLE_PROBABILITY = 0.001;

/**
 * A sentence where the map says next to nothing; else null.
 *
 * @param {{method: string, empty: string | null, values: import("./matrices.js").Matrix}} explanation
 */
export function emptiness({ method, empty, values }) {
  if (method === "grad-cam") {
    if (empty) return words("The map is empty: nowhere does the layer speak for this class.", "图是空的：这一层没有任何位置支持这个类别。");
    const all = sum(values);
    return all >= LITTLE_SCORE ? null : words(
      `The map is nearly empty: all its places together add ${short(all)} to the class's score, so next to nothing speaks for this class.`,
      `图几乎是空的：所有位置加起来只给该类的分数增加 ${short(all)}，几乎没有什么支持这个类别。`,
    );
  }
  if (empty) return words("The map is empty: the answer does not change anywhere.", "图是空的：无论在哪里答案都不变。");
  if (method !== "occlusion" || Math.max(values.high, -values.low) >= LITTLE_PROBABILITY) return null;
  return words(
    "The map is nearly empty: whatever is hidden, the probability changes by less than 0.1%.",
    "图几乎是空的：无论遮住哪里，概率的变化都不到 0.1%。",
  );
}

/** @param {import("./matrices.js").Matrix} matrix */
function sum({ low, high, data }) {
  return bytesOf(data).reduce((all, byte) => all + low + ((high - low) * byte) / 255, 0);
}
