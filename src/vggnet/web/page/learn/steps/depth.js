/** Step 6: from A to E, what is added where, and what it gained. */

import { element } from "../../elements.js";
import { grouped, si } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { words } from "../../words.js";
import { measured } from "../evidence.js";
import { near, youSaid } from "../judge.js";

/** Top-1 error with S = Q = 256: Table 3 of the paper. */
const ERRORS = { A: 29.6, "A-LRN": 29.7, B: 28.7, C: 28.1, D: 27.0, E: 27.3 };
const NAMES = Object.keys(ERRORS);
const SPLIT = ["conv2", "conv4", "conv5"]; // of AlexNet: each half saw one GPU's half of the channels

/** @type {import("../step.js").Step} */
export const deeper = {
  title: () => words("Is deeper better?", "越深越好吗？"),
  question: () => [
    words(
      "From A to E the paper only adds convolutions: 8 become 16. " +
        `A errs on ${ERRORS.A}% of ImageNet's pictures. On how many does E?`,
      `从 A 到 E，论文只是增加卷积层：8 个变成 16 个。A 在 ImageNet 上的错误率是 ${ERRORS.A}%，E 是多少？`,
    ),
  ],
  guess: { kind: "number", unit: () => "%", least: 0, most: 100 },
  async figure({ guess }) {
    const networks = await askOnce("describe", { config: NAMES });
    const head = ["", "1", "2", "3", "4", "5", words("error", "错误率")];
    return [
      element(
        "table",
        { class: "stages" },
        element("caption", {}, words("The convolutions of each stage; top-1 error in the paper", "各级的卷积层；论文中的 top-1 错误率")),
        element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))),
        element("tbody", {}, ...networks.map((each, at) => row(NAMES[at], each, guess !== null))),
      ),
      element(
        "p",
        { class: "legend" },
        element("span", {}, square("3"), "3×3"),
        element("span", {}, square("1"), "1×1"),
        element("span", {}, square("n"), words("normalisation", "归一化")),
      ),
    ];
  },
  async answer({ guess }) {
    const [a, d, e, alexnet] = await askOnce("describe", { config: ["A", "D", "E", "AlexNet"] });
    const split = inGroups(alexnet);
    return {
      right: near(guess, ERRORS.E, 0.7),
      verdict: youSaid(guess && `${guess}%`, `${ERRORS.E}%`),
      body: [
        words(
          `Depth gains 2.6 points from A to D, and costs few parameters: E has only ` +
            `${grouped(e.parameters - a.parameters)} more than A, ` +
            `${(100 * (e.parameters / a.parameters - 1)).toFixed(0)}%. It does cost MACs: ${si(a.macs)} in A, ` +
            `${si(d.macs)} in D, ${si(e.macs)} in E. At E the gain ends; trained on pictures of many sizes, E ` +
            "is level with D.",
          `从 A 到 D，深度带来 2.6 个百分点，几乎不花参数：E 只比 A 多 ${grouped(e.parameters - a.parameters)} 个，` +
            `即 ${(100 * (e.parameters / a.parameters - 1)).toFixed(0)}%。但要花乘加：A 是 ${si(a.macs)}，D 是 ` +
            `${si(d.macs)}，E 是 ${si(e.macs)}。到 E 收益就停了；用多种尺寸训练时，E 与 D 持平。`,
        ),
        words(
          "A-LRN has the normalisation of AlexNet, which gives nothing. C adds 1×1 convolutions, D " +
            "makes them 3×3 and is better: it helps to look around, not only to be deeper.",
          "A-LRN 加了 AlexNet 的归一化，毫无用处。C 加的是 1×1 卷积，D 把它们换成 3×3，更好：不仅要深，还要看到周围。",
        ),
        words(
          `AlexNet itself, where Network shows it, is counted without groups: ${si(alexnet.parameters)} parameters, ` +
            `${si(alexnet.macs)} MACs. The original split ${SPLIT.join(", ")} into two groups, one for each of its two ` +
            `GPUs, which halves their weights: ${si(split.parameters)} and ${si(split.macs)}.`,
          `“网络”页中的 AlexNet 按不分组计算：参数 ${si(alexnet.parameters)}，乘加 ${si(alexnet.macs)}。原始的 AlexNet 把 ` +
            `${SPLIT.join("、")} 分成两组，放在两块 GPU 上，这些层的权重减半：分别是 ${si(split.parameters)} 和 ${si(split.macs)}。`,
        ),
        await measured("depth", [
          ["B", "A", words("B against A", "B 比 A")],
          ["D", "B", words("D against B", "D 比 B")],
          ["E", "D", words("E against D", "E 比 D")],
          ["D, 64 epochs", "B, 64 epochs", words("after 64 epochs, D against B", "训练 64 轮后，D 比 B")],
          ["E, 64 epochs", "D, 64 epochs", words("E against D", "E 比 D")],
        ]),
      ],
    };
  },
  more: {
    tab: "network",
    state: { "network.config": "A", "network.beside": "E" },
    label: () => words("Put A and E side by side", "把 A 和 E 并排比较"),
  },
};

/** The parameters and MACs of AlexNet with its groups; described are those without. */
function inGroups({ parameters, macs, layers }) {
  for (const each of layers.filter(({ name }) => SPLIT.includes(name))) {
    parameters -= each.weights / 2;
    macs -= each.macs / 2;
  }
  return { parameters, macs };
}

/** A network as squares, one a convolution, in the columns of its stages. */
function row(name, { layers }, told) {
  const stages = [[], [], [], [], []];
  for (const each of layers) {
    const stage = Number(/^(?:conv|norm|lrn)(\d)/.exec(each.name)?.[1]);
    if (stage) stages[stage - 1].push(each.type === "conv" ? String(each.kernel) : "n");
  }
  const spoken = (kinds) =>
    kinds.map((kind) => (kind === "n" ? words("normalisation", "归一化") : `${kind}×${kind}`)).join(", ");
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, name),
    ...stages.map((kinds) =>
      element("td", {}, element("span", { class: "squares", role: "img", "aria-label": spoken(kinds) }, ...kinds.map(square))),
    ),
    element("td", { class: "error" }, told || name === "A" ? `${ERRORS[name].toFixed(1)}%` : "?"),
  );
}

function square(kind) {
  return element("span", { class: `square square-${kind}` });
}
