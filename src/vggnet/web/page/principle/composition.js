/** The kernel that the stack is when no ReLU stands between: numbers of the server's `compose`. */

import * as api from "../api.js";
import { element } from "../elements.js";
import { short, square } from "../numbers.js";
import { arrayPicture, largest } from "../shared/array.js";
import { recomputed } from "../shared/recompute.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { kernelsAsked } from "./kernels.js";

const KEY = "principle.seed";
const MOST_NUMBERS = 9; // a side; of larger kernels the colours alone are shown

export function composition() {
  const seed = () => state.whole(KEY, { most: 2 ** 31 - 1 });
  const figure = element("figure", { class: "composition" });
  const text = element("p", {});
  const other = element(
    "button",
    { type: "button", onclick: () => state.go({ [KEY]: seed() + 1 }) },
    words("Other numbers", "换一组数"),
  );
  const node = element("div", { class: "composed" }, element("div", {}, text, other), figure);

  const again = recomputed(
    (signal) => api.get("compose", { kernels: kernelsAsked().join(), seed: seed() }, { signal }),
    ({ kernels, composed }) => {
      figure.replaceChildren(
        ...kernels.map((kernel, at) => term(at ? "∗" : "", kernel)),
        term("=", composed),
      );
      text.textContent = explanation(kernels, composed);
    },
    (problem) => (text.textContent = api.sentenceFor(problem)),
  );
  again(true);
  return {
    node,
    show: (key) => [null, KEY, "principle.kernels"].includes(key) && again(),
  };
}

function explanation(kernels, composed) {
  const own = kernels.reduce((sum, kernel) => sum + kernel.length ** 2, 0);
  const [side, all] = [composed.length, composed.length ** 2];
  if (kernels.length === 1) {
    return words("A single kernel is itself.", "只有一个核时，合成的就是它自己。");
  }
  const enough = own < all
    ? words(`${own} numbers make ${all}, so not every ${square(side)} kernel can be had this way.`, `${own} 个数生成 ${all} 个，所以并非每个 ${square(side)} 核都能这样得到。`)
    : "";
  return words(
    `Kernels that follow each other with nothing between are one ${square(side)} kernel: the same answer on every picture, and no gain from depth. ${enough} A ReLU between them makes the stack what no single kernel is.`,
    `相继的核之间若什么都没有，就等于一个 ${square(side)} 核：对任何图片结果相同，深度毫无所得。${enough}中间加上 ReLU，才是单个核做不到的。`,
  );
}

/** A kernel with the sign before it, which no line break parts. */
function term(sign, values) {
  const before = sign ? element("span", { class: "sign", "aria-hidden": "true" }, sign) : null;
  return element("div", { class: "term" }, before, matrix(values));
}

/** The numbers in their squares, coloured from blue (below 0) to red (above). */
function matrix(values) {
  const side = values.length;
  const most = short(largest(values));
  const label = words(`A ${square(side)} kernel, its largest value ${most}`, `${square(side)} 核，最大绝对值 ${most}`);
  const picture = arrayPicture(values, label, { numbers: side <= MOST_NUMBERS, most: MOST_NUMBERS });
  return element("div", {}, picture, element("div", { class: "note" }, square(side)));
}
