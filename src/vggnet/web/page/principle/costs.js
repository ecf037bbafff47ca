/** Weights, non-linearities and MACs of the stack against the single kernel that sees as much. */

import * as api from "../api.js";
import { bar, element } from "../elements.js";
import { grouped, si, square } from "../numbers.js";
import { recomputed } from "../shared/recompute.js";
import { slider } from "../shared/slider.js";
import { words } from "../words.js";
import { kernelsAsked } from "./kernels.js";

const CHANNELS = [1, 2, 4, 8, 16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024];
const SIDES = [1, 7, 14, 28, 56, 112, 224];

export function costs() {
  const channels = slider({
    key: "principle.channels", values: CHANNELS, initial: 512, label: words("channels C, in and out", "通道数 C（进出相同）"),
  });
  const side = slider({
    key: "principle.size", values: SIDES, initial: 14, label: words("side of the map", "特征图边长"),
  });
  const headline = element("p", { class: "headline", role: "status" });
  const table = element("div", { class: "counts" });
  const note = element("p", { class: "note" });
  const node = element("div", { class: "costs-of-stack" }, headline, channels.node, side.node, table, note);

  const again = recomputed(
    (signal) =>
      api.get("stack", { kernels: kernelsAsked().join(), channels: channels.value(), size: side.value() }, { signal }),
    (found) => {
      headline.textContent = verdict(found);
      table.replaceChildren(...rows(found));
      note.textContent = words(
        "Weights without biases. Each kernel is followed by a ReLU, the single one too.",
        "权重不计偏置。每个核之后都有 ReLU，单独的大核也有。",
      );
    },
    (problem) => (headline.textContent = api.sentenceFor(problem)),
  );
  const show = (key) => {
    if (key === "principle.step") return;
    channels.show();
    side.show();
    again();
  };
  again(true);
  return { node, show };
}

function verdict({ single, single_excess: excess, nonlinearities, kernels }) {
  const large = square(single.kernel);
  if (kernels.length === 1) {
    return words("One kernel is its own comparison: add another.", "只有一个核，没有可比的：再加一个。");
  }
  const difference = `${(100 * (excess > 0 ? excess : 1 / (1 + excess) - 1)).toFixed(0)}%`;
  const more = excess > 0
    ? words(`One ${large} kernel has ${difference} more weights than the stack`, `一个 ${large} 核的权重比这几个多 ${difference}`)
    : words(`The stack has ${difference} more weights than one ${large} kernel`, `这几个核的权重比一个 ${large} 核多 ${difference}`);
  return words(`${more}, and 1 non-linearity instead of ${nonlinearities}.`, `${more}；非线性 1 个对 ${nonlinearities} 个。`);
}

function rows(found) {
  const { single, size } = found;
  const pair = (name, key, shown, formula = (_) => "") =>
    measure(name, [
      [stackName(found.kernels), found[key], shown(found[key]), formula(found)],
      [square(single.kernel), single[key], shown(single[key]), formula(single)],
    ]);
  return [
    pair(words("weights", "权重"), "weights", grouped, ({ formula }) => formula.replaceAll("^2", "²")),
    pair(words("non-linearities", "非线性"), "nonlinearities", String),
    pair(words(`MACs at ${square(size[0])}`, `${square(size[0])} 上的 MACs`), "macs", si),
  ];
}

/** Two bars on one scale, with their numbers. */
function measure(name, lines) {
  const most = Math.max(...lines.map(([, count]) => count));
  return element(
    "section",
    {},
    element("h3", {}, name),
    ...lines.map(([who, count, shown, formula], at) =>
      element(
        "div",
        { class: "line" },
        element("span", {}, who),
        element("span", { class: "formula" }, formula),
        element("span", { class: "number", title: grouped(count) }, shown),
        element("span", { class: "track", "aria-hidden": "true" }, bar(count / most, at ? "single" : "")),
      ),
    ),
  );
}

function stackName(kernels) {
  const [first] = kernels;
  if (kernels.length === 1) return square(first);
  if (kernels.some((kernel) => kernel !== first)) return words("the stack", "这几个核");
  const count = kernels.length - 2;
  const number = words(["two", "three", "four", "five"][count], ["两个", "三个", "四个", "五个"][count]);
  return `${number} ${square(first)}`;
}
