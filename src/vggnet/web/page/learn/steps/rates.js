/** Step 12: the learning rate, by the losses of three real runs. */

import { element, svgElement } from "../../figures.js";
import { evidence } from "../evidence.js";
import { same } from "../judge.js";

const NAMES = ["A", "B", "C"]; // of the curves, the highest rate first
const LEAST = 1.5;
const MOST = 3.5; // of the loss
const [WIDTH, HEIGHT, LEFT, ABOVE, BELOW] = [480, 296, 40, 24, 40];

/** @type {import("../step.js").Step} */
export const rates = {
  title: (words) => words("Which learning rate?", "学习率取多少？"),
  question: (words) => [
    words(
      "Three runs of training, equal but for the learning rate: 0.001, 0.03 and 1. The curves are " +
        "their losses. Which is that of the highest rate?",
      "三次训练，除学习率外完全相同：0.001、0.03 和 1。曲线是它们的损失。哪一条是学习率最高的？",
    ),
  ],
  guess: { kind: "choice", choices: () => ["A", "B", "C"].map((name) => [name, name]) },
  async figure({ words, place, guess }) {
    const curves = shuffled((await evidence()).loss_curves);
    place.replaceChildren(
      chart(curves, guess !== null, words),
      element(
        "p",
        { class: "note" },
        words(
          `${curves.net}; ${curves.classes} classes of Tiny-ImageNet, ${curves.steps} steps, the mean of ` +
            `15 steps. The dotted line is the loss of guessing.`,
          `${curves.net}；Tiny-ImageNet 的 ${curves.classes} 类，${curves.steps} 步，15 步的均值。虚线是随机猜的损失。`,
        ),
      ),
    );
  },
  async answer({ words, guess }) {
    const curves = shuffled((await evidence()).loss_curves);
    const highest = Math.max(...curves.runs.map((each) => each.rate));
    const right = curves.runs.find((each) => each.rate === highest).name;
    const said = (run) => words(`${run.rate}: ${top1(run)}`, `${run.rate}：${top1(run)}`);
    return {
      right: same(guess, right),
      verdict: words(`It is ${right}: it jumps up first.`, `是 ${right}：它先往上跳。`),
      body: [
        words(
          "Too high a rate steps over the valley and begins by unlearning. Too low a one falls, but the " +
            "run is over before it is anywhere. The right one falls at once and goes on falling.",
          "太高的学习率会越过谷底，一开始反而变差；太低的在下降，但训练结束时还没走多远；合适的立刻下降并一直下降。",
        ),
        element(
          "p",
          {},
          words("Right answers on held-back pictures: ", "在留出图片上的正确率："),
          curves.runs.toSorted((one, other) => one.rate - other.rate).map(said).join(words("; ", "；")) + words(".", "。"),
        ),
        element(
          "p",
          {},
          words("The paper begins with 0.01 and divides by ten when it stalls. For data of your own ask ", "论文从 0.01 开始，停滞时除以十。对你自己的数据，可用 "),
          element("code", {}, "vggnet find-lr DATA"),
          words(".", "。"),
        ),
      ],
    };
  },
};

/** The runs under letters that do not tell the rate. */
function shuffled(curves) {
  const [low, middle, high] = curves.runs.toSorted((one, other) => one.rate - other.rate);
  return { ...curves, runs: [middle, high, low].map((run, at) => ({ ...run, name: NAMES[at] })) };
}

function top1({ top1 }) {
  return top1 === null ? "–" : `${(100 * top1).toFixed(0)}%`;
}

/** The losses over the steps; each curve has its own dashes. */
function chart({ runs, first, every, steps, classes }, told, words) {
  const x = (step) => LEFT + ((WIDTH - LEFT - 64) * step) / steps;
  const y = (loss) => ABOVE + ((HEIGHT - BELOW - ABOVE) * (MOST - loss)) / (MOST - LEAST);
  const drawing = svgElement("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": words("Three curves of the loss over the steps", "三条损失随步数变化的曲线"),
  });
  for (const loss of [1.5, 2, 2.5, 3, 3.5]) {
    drawing.append(
      svgElement("line", { x1: LEFT, x2: x(steps), y1: y(loss), y2: y(loss), class: "grid" }),
      svgElement("text", { x: LEFT - 8, y: y(loss) + 4, class: "to-the-left" }, loss.toFixed(1)),
    );
  }
  for (const step of [0, 100, 200]) {
    drawing.append(svgElement("text", { x: x(step), y: HEIGHT - BELOW + 20, class: "in-the-middle" }, `${step}`));
  }
  const chance = y(Math.log(classes));
  drawing.append(
    svgElement("line", { x1: LEFT, x2: x(steps), y1: chance, y2: chance, class: "chance" }),
    svgElement("text", { x: x(steps / 2), y: HEIGHT - 2, class: "in-the-middle" }, words("step", "步")),
    svgElement("text", { x: LEFT - 8, y: 12, class: "to-the-left" }, words("loss", "损失")),
  );
  runs.forEach(({ losses, name, rate }, at) => {
    const points = losses.map((loss, each) => `${x(first + each * every).toFixed(1)},${y(Math.min(loss, MOST)).toFixed(1)}`);
    drawing.append(
      svgElement("polyline", { points: points.join(" "), class: `curve curve-${at}` }),
      svgElement(
        "text",
        { x: x(steps) + 4, y: y(losses.at(-1)) + (rate === 0.001 ? 10 : 0) + 2, class: "curve-name" },
        told ? `${name}: ${rate}` : name,
      ),
    );
  });
  return drawing;
}
