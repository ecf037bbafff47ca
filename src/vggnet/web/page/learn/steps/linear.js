/** Step 4: what a stack of kernels is without the ReLUs between them. */

import { element } from "../../elements.js";
import { digits } from "../../numbers.js";
import { arrayPicture } from "../../shared/array.js";
import { askOnce } from "../../shared/asked.js";
import * as state from "../../state.js";
import { words } from "../../words.js";
import { measured } from "../evidence.js";
import { same } from "../judge.js";

const SEED = "learn.seed";

/** @type {import("../step.js").Step} */
export const withoutRelu = {
  controls: [SEED],
  title: () => words("What does the ReLU between do?", "中间的 ReLU 起什么作用？"),
  question: () => [
    words(
      "After each 3×3 comes a ReLU: what is below 0 becomes 0. Take it out between two 3×3. What is left?",
      "每个 3×3 之后有一个 ReLU：小于 0 的变成 0。去掉两个 3×3 之间的 ReLU，还剩下什么？",
    ),
  ],
  guess: {
    kind: "choice",
    choices: () => [
      ["more", words("More than one 5×5 can do", "比一个 5×5 能做的更多")],
      ["one", words("Exactly one 5×5", "恰好是一个 5×5")],
      ["other", words("Something no kernel can do", "任何卷积核都做不到的事")],
    ],
  },
  async figure({ guess, again }) {
    const seed = state.whole(SEED, { most: 2 ** 31 - 1 });
    const { kernels, composed } = await askOnce("compose", { kernels: "3,3", seed });
    const row = element("div", { class: "arrays" });
    row.append(
      arrayPicture(kernels[0], words("The first kernel, 3×3", "第一个卷积核，3×3")),
      element("span", {}, "∗"),
      arrayPicture(kernels[1], words("The second kernel, 3×3", "第二个卷积核，3×3")),
    );
    if (guess === null) return [row];
    const both = arrayPicture(composed, words("The kernel that both equal, 5×5", "与两者等价的卷积核，5×5"));
    row.append(element("span", { class: "together" }, element("span", {}, "="), both));
    const another = element(
      "button",
      {
        type: "button",
        onclick: () => (state.set(SEED, seed + 1), again()),
      },
      words("Two other kernels", "换两个卷积核"),
    );
    return [row, table(kernels, composed), element("p", {}, another)];
  },
  async answer({ guess }) {
    return {
      right: same(guess, "one"),
      verdict: words("It is exactly one 5×5 kernel.", "恰好是一个 5×5 卷积核。"),
      body: [
        words(
          "Sums of sums are sums: the two kernels compose to the 5×5 that is drawn here, number by " +
            "number. Such a kernel answers the negative of a patch with the negative of its answer. " +
            "With the ReLU between, the answer to the negative is no longer the negative of the answer, " +
            "so no single kernel does the same.",
          "和的和还是和：两个卷积核合成了这里逐个数字画出的 5×5。这样的卷积核，对图块取负，答案也取负。" +
            "中间有 ReLU 时，取负后的答案不再是原答案的相反数，所以没有哪个单独的卷积核能做到。",
        ),
        await measured("nonlinearity", [
          ["B", "B without inner ReLUs", words("B against B without them", "B 比去掉中间 ReLU 的 B")],
          ["D", "D without inner ReLUs", words("D against D without them", "D 比去掉中间 ReLU 的 D")],
        ]),
      ],
    };
  },
  more: {
    tab: "principle",
    state: { "principle.kernels": "3,3" },
    label: () => words("Compose kernels of your own", "合成你自己的卷积核"),
  },
};

/** What both ways answer to a patch and to its negative, computed here. */
function table([first, second], composed) {
  const patch = composed.map((row, y) => row.map((_, x) => Math.sin(1 + 2 * y + 3 * x * (y + 1))));
  const line = (sign, name) => {
    const given = patch.map((row) => row.map((value) => sign * value));
    const between = correlate(given, first);
    const clipped = between.map((row) => row.map((value) => Math.max(0, value)));
    return element(
      "tr",
      {},
      element("th", { scope: "row" }, name),
      ...[correlate(between, second), correlate(given, composed), correlate(clipped, second)].map(
        ([[value]]) => element("td", {}, digits(value)),
      ),
    );
  };
  return element(
    "table",
    { class: "answers-table" },
    element("caption", {}, words("What they answer to one patch of 5×5 numbers", "对同一个 5×5 图块的答案")),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("td"),
        element("th", { scope: "col" }, words("two 3×3", "两个 3×3")),
        element("th", { scope: "col" }, words("the 5×5", "合成的 5×5")),
        element("th", { scope: "col" }, words("two 3×3, ReLU between", "两个 3×3，中间有 ReLU")),
      ),
    ),
    element("tbody", {}, line(1, words("patch", "图块")), line(-1, words("−patch", "−图块"))),
  );
}

/** The kernel laid over each place of the values where it fits, times and summed. */
function correlate(values, kernel) {
  const side = values.length - kernel.length + 1;
  return Array.from({ length: side }, (_, y) =>
    Array.from({ length: side }, (_, x) =>
      kernel.reduce(
        (sum, row, i) => sum + row.reduce((part, weight, j) => part + weight * values[y + i][x + j], 0),
        0,
      ),
    ),
  );
}
