/** Steps 2 and 3: the weights of small kernels on top of each other, and of a large one. */

import { sentenceFor } from "../../api.js";
import { bar, element } from "../../elements.js";
import { grouped } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { recomputed } from "../../shared/recompute.js";
import { slider } from "../../shared/slider.js";
import { words } from "../../words.js";
import { measured } from "../evidence.js";
import { near, youSaid } from "../judge.js";
import { formula } from "../math.js";

const CHANNELS = [64, 128, 256, 512];

/** @type {import("../step.js").Step} */
export const fewerWeights = {
  newWords: ["channel", "parameter"],
  controls: ["learn.channels"],
  title: () => words("What do two 3×3 cost?", "两个 3×3 要多少权重？"),
  question: () => [
    words(
      `With 256 channels in and out, one 5×5 has ${grouped(25 * 256 * 256)} weights. ` +
        "How many percent of that do two 3×3 need?",
      `输入输出都是 256 个通道时，一个 5×5 有 ${grouped(25 * 256 * 256)} 个权重。两个 3×3 需要其中的百分之几？`,
    ),
  ],
  guess: { kind: "number", unit: () => "%", least: 1, most: 999 },
  figure: (scene) => comparison(scene, "3,3", "learn.channels"),
  async answer({ guess }) {
    const found = await askOnce("stack", { kernels: "3,3", channels: 256 });
    const share = Math.round(100 * found.ratio);
    return {
      right: near(guess, share, 3),
      verdict: youSaid(guess && `${guess}%`, `${share}%`),
      body: [
        words(
          "Weights grow with the kernel's area. The number of channels does not matter: it cancels.",
          "权重随卷积核的面积增长。通道数无关紧要：它被约掉了。",
        ),
        formula(
          words("two 3×3", "两个 3×3") + ": 2·3^2·*C*^2 = 18 *C*^2",
          words("one 5×5", "一个 5×5") + ": 5^2·*C*^2 = 25 *C*^2",
          `18 / 25 = ${grouped(found.weights)} / ${grouped(found.single.weights)} = [${share}%]`,
        ),
      ],
    };
  },
  more: {
    tab: "principle",
    state: { "principle.kernels": "3,3", "principle.channels": "256" },
    label: () => words("Move kernels and channels yourself", "自己调整卷积核和通道数"),
  },
};

/** @type {import("../step.js").Step} */
export const threeAgainstOne = {
  newWords: ["relu", "top"],
  controls: ["learn.channels7"],
  title: () => words("Three 3×3 against one 7×7", "三个 3×3 对一个 7×7"),
  question: () => [
    words(
      "Both see 7×7 pixels. By how many percent has the single 7×7 more weights?",
      "两者都看到 7×7 个像素。单个 7×7 的权重多百分之几？",
    ),
  ],
  guess: { kind: "number", unit: () => words("% more", "%（多出）"), least: 0, most: 999 },
  figure: (scene) => comparison(scene, "3,3,3", "learn.channels7"),
  async answer({ guess }) {
    const found = await askOnce("stack", { kernels: "3,3,3", channels: 512 });
    const more = Math.round(100 * found.single_excess);
    return {
      right: near(guess, more, 5),
      verdict: youSaid(guess && `${guess}%`, `${more}%`),
      body: [
        formula(`27 *C*^2 < 49 *C*^2`, `49 / 27 − 1 = [${more}%]`),
        words(
          "And the stack has three ReLUs where the single kernel has one. Fewer weights, more " +
            "non-linearities: that is the paper's whole case for 3×3.",
          "而且堆叠有三个 ReLU，单个卷积核只有一个。权重更少，非线性更多：这就是论文主张 3×3 的全部理由。",
        ),
        words(
          "In the paper, B with one 5×5 for each pair of 3×3 errs 7 points more.",
          "论文中，把 B 的每对 3×3 换成一个 5×5，错误率高 7 个百分点。",
        ),
        await measured("kernels", [
          ["B", "B 5x5", words("B against 5×5 kernels", "B 比 5×5 卷积核")],
          ["D", "D 7x7", words("D against 7×7 kernels", "D 比 7×7 卷积核")],
        ]),
      ],
    };
  },
  more: {
    tab: "principle",
    state: {}, // three kernels, as it is at first
    label: () => words("See three slide over a 7×7", "看三个卷积核滑过 7×7"),
  },
};

/** Bars of both ways' weights; after the guess with numbers, and channels to choose. */
async function comparison({ guess }, kernels, key) {
  const bars = element("div", { class: "bars" });
  const channels = slider({ key, values: CHANNELS, initial: 256, label: words("channels", "通道数") });

  const find = () => askOnce("stack", { kernels, channels: channels.value() });
  const again = recomputed(find, show, (problem) =>
    bars.replaceChildren(element("p", { class: "problem", role: "alert" }, sentenceFor(problem))),
  );
  channels.node.addEventListener("input", () => again());

  function show(found) {
    const [pieces, single] = [kernels.split(",").length, found.single.kernel];
    bars.replaceChildren(
      line(`${pieces} × (3×3)`, pieces, found.weights / found.single.weights, found.weights),
      line(`1 × (${single}×${single})`, 1, 1, found.single.weights),
    );
  }

  function line(name, pieces, share, weights) {
    const row = element("div", { class: "bar-row" }, element("span", { class: "bar-name" }, name));
    const track = element("span", { class: "bar-track" });
    const hidden = guess === null;
    for (let each = 0; each < pieces; each++) {
      track.append(bar((hidden ? 1 : share) / pieces, hidden ? "bar-unknown" : ""));
    }
    row.append(track, element("span", { class: "bar-value" }, hidden ? "?" : grouped(weights)));
    return row;
  }

  show(await find());
  return [bars, ...(guess === null ? [] : [channels.node])];
}
