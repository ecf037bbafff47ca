/** Step 5: why channels double where the map halves. */

import { grouped, si } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { words } from "../../words.js";
import { same } from "../judge.js";
import { layerList } from "../layer_list.js";
import { formula } from "../math.js";

/** @type {import("../step.js").Step} */
export const doubling = {
  newWords: ["pool", "stride", "padding", "mac"],
  title: () => words("Why do channels double?", "为什么通道数要翻倍？"),
  question: () => [
    words(
      "A pool halves the map's height and width. D then doubles the channels. A 3×3 convolution with " +
        "twice as many channels in and out, on the halved map, costs how many multiplications?",
      "池化把特征图的高和宽减半，D 随后把通道数翻倍。在减半的特征图上，输入输出通道都翻倍的 3×3 卷积要多少次乘法？",
    ),
  ],
  guess: {
    kind: "choice",
    choices: () => [
      ["quarter", words("a quarter", "四分之一")],
      ["half", words("half", "一半")],
      ["same", words("the same", "一样多")],
      ["double", words("twice as many", "两倍")],
    ],
  },
  async figure({ guess }) {
    const { layers } = await askOnce("describe", { config: "D" });
    const told = guess !== null;
    const rows = layers
      .filter((each) => each.type === "conv")
      .map(({ name, type, macs, output }) => ({
        name, type,
        counts: told ? [macs] : [],
        values: [told ? `${output.join("×")} · ${si(macs)}` : output.join("×")],
      }));
    const measure = words("MACs of D's convolutions, beside their maps", "D 各卷积层的特征图与乘加次数");
    return layerList(rows, told ? [measure] : []);
  },
  async answer({ guess }) {
    const { layers } = await askOnce("describe", { config: "D" });
    const macs = (name) => grouped(layers.find((each) => each.name === name).macs);
    return {
      right: same(guess, "same"),
      verdict: words("It is the same.", "一样多。"),
      body: [
        words(
          "A quarter of the positions, four times the weights. So the work of a layer stays in step " +
            "from stage to stage, and no stage holds the others up. The first layer of stages 2 to 4 " +
            "costs half, since its input still has the fewer channels.",
          "位置是四分之一，权重是四倍。所以各级每层的计算量保持一致，没有哪一级拖后腿。第 2 到第 4 级的第一层减半，因为它的输入通道还少。",
        ),
        formula(
          `conv2_2: 112·112 · 9·128·128 = [${macs("conv2_2")}]`,
          `conv3_2: 56·56 · 9·256·256 = [${macs("conv3_2")}]`,
        ),
        words(
          "After the fourth pool D keeps 512 channels, so stage 5 costs a quarter.",
          "第四次池化之后 D 保持 512 个通道，所以第 5 级只要四分之一。",
        ),
      ],
    };
  },
  more: {
    tab: "network",
    state: { "network.config": "D" },
    label: () => words("See the columns of D", "看 D 的各列"),
  },
};
