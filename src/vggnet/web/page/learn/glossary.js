/** The words that a beginner may not know, explained at the end of Learn; each step leads to its own. */

import { element } from "../elements.js";
import { words } from "../words.js";

/** @type {Record<string, () => [name: string, meaning: string]>} in the order in which Learn needs them */
const WORDS = {
  convolution: () => [
    words("convolution, kernel", "卷积、卷积核"),
    words(
      "A layer that lays a small square of weights, the kernel, over each place of its input, multiplies number by number and sums.",
      "把一小块权重（卷积核）放在输入的每个位置上，逐个相乘再求和的层。",
    ),
  ],
  unit: () => [
    words("unit", "单元"),
    words("One number of a layer's result: one place of one channel.", "层的结果中的一个数：某个通道的某个位置。"),
  ],
  "receptive-field": () => [
    words("receptive field", "感受野"),
    words("The pixels of the picture that a unit depends on.", "一个单元所依赖的图片像素。"),
  ],
  channel: () => [
    words("channel, feature map", "通道、特征图"),
    words(
      "A picture has three channels: red, green, blue. A layer has many; each is a map of where something of one kind was found.",
      "图片有红、绿、蓝三个通道；一层有很多个，每个都是一张图，表示某种东西在哪里出现。",
    ),
  ],
  parameter: () => [
    words("parameter, weight", "参数、权重"),
    words("A number that training finds. Weights multiply; a bias is added.", "由训练得到的数。权重用来相乘，偏置用来相加。"),
  ],
  relu: () => ["ReLU", words("What is below 0 becomes 0; the rest stays.", "小于 0 的变成 0，其余不变。")],
  top: () => [
    "top-1, top-5",
    words(
      "Top-1 accuracy: how often the first answer is right. Top-5: how often the right one is among the first five. The error is what is missing to 100%.",
      "top-1 正确率：第一个答案正确的比例。top-5：正确答案在前五个之中的比例。错误率是它与 100% 的差。",
    ),
  ],
  pool: () => [
    words("pool", "池化"),
    words("A layer that keeps the largest of each 2×2 numbers, so that the map halves.", "每 2×2 个数只保留最大的，特征图因此减半的层。"),
  ],
  stride: () => [
    words("stride", "步长"),
    words("How far the kernel moves from one place to the next: 1 in VGG's convolutions, 2 in its pools.", "卷积核从一个位置到下一个移动多远：VGG 的卷积是 1，池化是 2。"),
  ],
  padding: () => [
    words("padding", "填充"),
    words("Zeros around the map, so that a 3×3 convolution gives a map as large as its input.", "在特征图四周补零，使 3×3 卷积的结果和输入一样大。"),
  ],
  mac: () => [
    "MAC",
    words("One multiplication with its addition: what work is counted in.", "一次乘法加一次加法（乘加），计算量以此为单位。"),
  ],
  fc: () => [
    words("FC layer", "全连接层"),
    words("Fully connected: each of its units has a weight for every number of its input.", "它的每个单元对输入的每一个数都有一个权重。"),
  ],
  logit: () => [
    words("class score, logit", "类别分数、logit"),
    words(
      "What the last layer says of a class, any number. The soft-max makes of all scores probabilities that sum to 1.",
      "最后一层对某个类别给出的数，可以是任意值。soft-max 把所有分数变成和为 1 的概率。",
    ),
  ],
};

/** @param {boolean} open whether it is unfolded */
export function glossary(open) {
  const entries = Object.entries(WORDS).map(([key, word]) => {
    const [name, meaning] = word();
    return element("div", { id: idOf(key) }, element("dt", {}, name), element("dd", {}, meaning));
  });
  return element(
    "details",
    { class: "glossary", open },
    element("summary", {}, words("Words used here", "名词解释")),
    element("dl", {}, ...entries),
  );
}

/** Links to the words that a step is the first to use; the browser's "back" leads back. @param {string[]} keys */
export function linksTo(keys) {
  const link = (key) =>
    element("a", { href: `#${idOf(key)}`, onclick: () => unfold(idOf(key)) }, WORDS[key]()[0]);
  const links = keys.flatMap((key) => [" · ", link(key)]).slice(1);
  return element("p", { class: "note new-words" }, words("What is: ", "什么是："), ...links);
}

/** Not every browser unfolds what a link leads to. @param {string} id */
function unfold(id) {
  document.getElementById(id).closest("details").open = true;
}

function idOf(key) {
  return `word-${key}`;
}
