/** Step 11: the two drawbacks of D, and what removes them. */

import { grouped, percent, si } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { language, words } from "../../words.js";
import { evidence, measured } from "../evidence.js";
import { near, youSaid } from "../judge.js";
import { layerList } from "../layer_list.js";
import { formula } from "../math.js";

const TEN_THOUSANDS = 100; // in a million, which Chinese does not count by

/** @type {import("../step.js").Step} */
export const drawbacks = {
  title: () => words("15.5 G and 138 M: must it be?", "15.5 G 和 138 M：非如此不可吗？"),
  question: () => [
    words(
      "D has two drawbacks: 15.5 G multiplications a picture and 138 million parameters. Put the mean " +
        "over the last map in place of its first two FC layers. How many million parameters are left?",
      "D 有两个缺点：每张图 155 亿次乘法，1.38 亿参数。用最后特征图的全局平均代替前两个全连接层，还剩多少万参数？",
    ),
  ],
  guess: {
    kind: "number", unit: () => words("million", "万"), least: 0, most: 138,
    per: () => (language() === "zh" ? TEN_THOUSANDS : 1),
  },
  async figure({ guess }) {
    const [whole, average] = await both();
    const told = guess !== null;
    const parts = layerList(
      [
        { name: "D", type: "fc", counts: [whole.parameters], values: [si(whole.parameters)] },
        {
          name: words("D, average", "D（全局平均）"), type: "conv",
          counts: told ? [average.parameters] : [], values: [told ? si(average.parameters) : "?"],
        },
      ],
      [words("parameters", "参数量")],
    );
    if (!told) return parts;
    const { inference } = await evidence();
    const { cores, machine, date, milliseconds } = inference;
    const times = Object.entries(milliseconds)
      .toSorted(([, one], [, other]) => other - one)
      .map(([name, time]) => ({ name, type: "io", counts: [time], values: [`${time.toFixed(1)} ms`] }));
    const measure = words(
      `VGG16, one picture, ${cores} cores of an ${machine}, ${date}`,
      `VGG16，一张图，${machine} 的 ${cores} 个核，${date}`,
    );
    return [...parts, ...layerList(times, [measure])];
  },
  async answer({ guess }) {
    const [whole, average] = await both();
    const { milliseconds } = (await evidence()).inference;
    const faster = (milliseconds["vggnet fp32"] / milliseconds["vggnet bf16"]).toFixed(1);
    const left = Math.round(average.parameters / 1e5) / 10;
    const said = (millions) => words(`${millions}`, `${Math.round(TEN_THOUSANDS * millions)} 万`);
    return {
      right: near(guess, left, 3),
      verdict: youSaid(guess && said(guess), said(left)),
      body: [
        formula(
          `${grouped(whole.totals.conv.parameters)} + 512·1000 + 1000 = [${grouped(average.parameters)}]`,
          `${grouped(average.parameters)} / ${grouped(whole.parameters)} = [${percent(average.parameters / whole.parameters)}]`,
        ),
        await measured("head", [
          ["global average", "FC-4096 FC-4096", words("a global average against two FC layers", "全局平均比两个全连接层")],
        ]),
        words(
          "The multiplications can be saved, too, without another network. Winograd's algorithm " +
            "computes 4×4 results of a 3×3 together, with 36 multiplications in place of 144; and bf16, " +
            `numbers of half the bits, is ${faster} times as fast where the processor can. This package's ` +
            "engine does both. The bars are measured; Winograd's part in them is not measured by itself.",
          "乘法也能省，而且不用换网络。Winograd 算法一次算出 3×3 卷积的 4×4 个结果，用 36 次乘法代替 144 次；" +
            `bf16 的位数减半，处理器支持时速度是 ${faster} 倍。本软件包的引擎两者都用；图中的条是实测值，其中 Winograd 的贡献没有单独测量。`,
        ),
        formula("4·4·3·3 = 144,  (4 + 3 − 1)^2 = 36,  144 / 36 = [4]"),
      ],
    };
  },
  more: {
    tab: "network",
    state: { "network.config": "D", "network.head": "average" },
    label: () => words("See D with a global average", "看用全局平均的 D"),
  },
};

async function both() {
  return Promise.all([
    askOnce("describe", { config: "D" }),
    askOnce("describe", { config: "D", head: "average" }),
  ]);
}
