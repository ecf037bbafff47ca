/** Steps 7 and 8: where the parameters are, and where the time goes. */

import * as api from "../../api.js";
import { grouped, percent, si } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { words } from "../../words.js";
import { same } from "../judge.js";
import { layerList } from "../layer_list.js";
import { formula } from "../math.js";

const HEAVY = ["conv1_2", "conv2_2", "conv3_2", "conv3_3", "conv4_2", "conv4_3"];

/** @type {import("../step.js").Step} */
export const mostParameters = {
  newWords: ["fc"],
  title: () => words("Where are the 138 million?", "1.38 亿参数在哪里？"),
  question: () => [
    words(
      "D, also called VGG16, has sixteen layers with weights. Point at the one that holds most of its " +
        "138 million parameters.",
      "D（也叫 VGG16）有十六层带权重。请指出哪一层占了 1.38 亿参数的大部分。",
    ),
  ],
  guess: {
    kind: "spot",
    hint: () => words("Choose a layer in the list.", "在列表中选一层。"),
  },
  async figure({ guess, propose }) {
    const { layers } = await askOnce("describe", { config: "D" });
    const rows = rowsOf(layers, "parameters", (each) => `${si(each.parameters)} · ${percent(each.parameter_share)}`);
    const measure = words("parameters, and their share", "参数量及其占比");
    return layerList(rows, [measure], { guess, propose, right: ["fc6"] });
  },
  async answer({ guess }) {
    const { layers, parameters, totals } = await askOnce("describe", { config: "D" });
    const fc6 = layers.find((each) => each.name === "fc6");
    const share = percent(fc6.parameter_share);
    return {
      right: same(guess, "fc6"),
      verdict: words(`It is fc6, with ${share} of all.`, `是 fc6，占全部的 ${share}。`),
      body: [
        formula(
          `7·7·512·4096 + 4096 = [${grouped(fc6.parameters)}]`,
          `${grouped(fc6.parameters)} / ${grouped(parameters)} = [${share}]`,
        ),
        words(
          `It ties each of 7·7·512 numbers of the last map to each of 4096 units. All thirteen ` +
            `convolutions together have ${percent(totals.conv.parameters / parameters)}.`,
          `它把最后特征图的 7·7·512 个数逐一连到 4096 个单元。十三个卷积层合起来只占 ` +
            `${percent(totals.conv.parameters / parameters)}。`,
        ),
      ],
    };
  },
  more: {
    tab: "network",
    state: { "network.config": "D" },
    label: () => words("See every layer's parameters", "查看每一层的参数"),
  },
};

/** @type {import("../step.js").Step} */
export const mostTime = {
  title: () => words("Where does the time go?", "时间花在哪里？"),
  question: () => [
    words(
      "Now point at a layer that takes most of the multiplications, and so most of the time.",
      "再指出一个乘法最多、因而耗时最多的层。",
    ),
  ],
  guess: {
    kind: "spot",
    hint: () => words("Choose a layer in the list.", "在列表中选一层。"),
  },
  async figure({ guess, propose }, signal) {
    const { layers } = await askOnce("describe", { config: "D" });
    const rows = rowsOf(layers, "macs", (each) => si(each.macs));
    const measure = words("MACs of D at 224×224, counted", "D 在 224×224 时的乘加次数（计数）");
    return [
      ...layerList(rows, [measure], { guess, propose, right: HEAVY }),
      ...(guess === null ? [] : served(await api.get("times", {}, { signal }))),
    ];
  },
  async answer({ guess }) {
    const { layers, macs, totals } = await askOnce("describe", { config: "D" });
    const one = layers.find((each) => each.name === "conv4_2");
    const fc = percent(totals.fc.macs / macs);
    return {
      right: guess === "" ? null : HEAVY.includes(guess),
      verdict: words(
        `Six convolutions from conv1_2 to conv4_3 share the first place, with ${si(one.macs)} MACs each.`,
        `从 conv1_2 到 conv4_3 有六个卷积并列第一，各 ${si(one.macs)} 次乘加。`,
      ),
      body: [
        formula(
          `conv1_2: 224·224·64·3·3·64 = [${grouped(one.macs)}]`,
          `conv4_2: 28·28·512·3·3·512 = [${grouped(one.macs)}]`,
        ),
        words(
          `A convolution uses each weight at every position of its map, an FC layer uses each once. ` +
            `So the three FC layers, with 89% of the weights, do ${fc} of the work. The times of the model ` +
            `served here follow its own count, but not exactly: small maps and few channels use the processor less well.`,
          `卷积在特征图的每个位置都用一次它的权重，全连接层每个权重只用一次。所以占 89% 权重的三个全连接层，` +
            `只做 ${fc} 的计算。本页载入的模型，实测时间大致跟着它自己的计数走，但不完全：特征图小或通道少时，处理器利用得较差。`,
        ),
      ],
    };
  },
  more: {
    tab: "network",
    state: { "network.config": "D" },
    label: () => words("See every layer's MACs", "查看每一层的乘加次数"),
  },
};

/** The layers that have weights, by a measure of theirs. @param {(layer: any) => string} text */
function rowsOf(layers, measure, text) {
  return layers
    .filter((each) => each.parameters)
    .map((each) => ({
      name: each.name, type: each.type, shape: shape(each), counts: [each[measure]], values: [text(each)],
    }));
}

/** The MACs of the loaded model, at its own size, beside the time that each of its layers takes. */
function served({ config, input_size: side, layers }) {
  return layerList(
    layers.filter((each) => each.macs).map((each) => ({
      name: each.computed_together.filter((name, at) => at === 0 || name.includes("pool")).join(" + "),
      type: /^fc/.test(each.name) ? "fc" : "conv",
      counts: [each.macs, each.seconds],
      values: [si(each.macs), `${(1000 * each.seconds).toFixed(2)} ms`],
    })),
    [
      words(`MACs of ${config}, the model served here, at ${side}×${side}`, `本页载入的模型 ${config} 在 ${side}×${side} 时的乘加次数`),
      words("its time, measured just now", "它的耗时（刚刚实测）"),
    ],
  );
}

/** What a layer is given and gives: 512×28×28 → 512. */
function shape({ input, output }) {
  return `${input.filter((side) => side > 1).join("×")} → ${output.filter((side) => side > 1).join("×")}`;
}
