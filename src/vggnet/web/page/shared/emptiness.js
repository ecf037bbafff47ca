/** What it means that an explanation's map is 0 everywhere. */

import { words } from "../words.js";

/** @param {string} method such as "grad-cam" */
export function emptiness(method) {
  return method === "grad-cam"
    ? words("The map is empty: nowhere does the layer speak for this class.", "图是空的：这一层没有任何位置支持这个类别。")
    : words("The map is empty: the answer does not change anywhere.", "图是空的：无论在哪里答案都不变。");
}
