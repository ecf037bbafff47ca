/** Step 12: the learning rate, by the losses of three real runs. */

import { element, svgElement } from "../../elements.js";
import { words } from "../../words.js";
import { evidence } from "../evidence.js";
import { same } from "../judge.js";

const NAMES = ["X", "Y", "Z"]; // of the curves; A to E are networks
const TICK = 0.5; // of the loss
const APART = 14; // the names at the curves' ends, at least
const [WIDTH, HEIGHT, LEFT, ABOVE, BELOW] = [400, 288, 36, 24, 40];

/** @type {import("../step.js").Step} */
export const rates = {
  title: () => words("Which learning rate?", "学习率取多少？"),
  question: () => [
    words(
      "Three runs of training, equal but for the learning rate. The curves are their losses. Which is " +
        "that of the highest rate?",
      "三次训练，除学习率外完全相同。曲线是它们的损失。哪一条是学习率最高的？",
    ),
  ],
  guess: { kind: "choice", choices: () => NAMES.map((name) => [name, name]) },
  async figure({ guess }) {
    const curves = shuffled((await evidence()).loss_curves);
    const listed = sorted(curves.runs).map(({ rate }) => rate).join(words(", ", "、"));
    const smoothed = 2 * curves.first - 1; // steps, of which the first point is the middle
    return [
      chart(curves, guess !== null),
      element(
        "p",
        { class: "note" },
        words(
          `The rates are ${listed}. ${curves.net}; ${curves.classes} classes of Tiny-ImageNet, ` +
            `${curves.steps} steps, the mean of ${smoothed} steps. The dotted line is the loss of guessing.`,
          `学习率是 ${listed}。${inChinese(curves.net)}；Tiny-ImageNet 的 ${curves.classes} 类，${curves.steps} 步，` +
            `${smoothed} 步的均值。虚线是随机猜的损失。`,
        ),
      ),
    ];
  },
  async answer({ guess }) {
    const curves = shuffled((await evidence()).loss_curves);
    const right = sorted(curves.runs).at(-1).name;
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
          sorted(curves.runs).map(said).join(words("; ", "；")) + words(".", "。"),
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

/** From the lowest rate to the highest. */
function sorted(runs) {
  return runs.toSorted((one, other) => one.rate - other.rate);
}

/** The runs under letters that do not tell the rate. */
function shuffled(curves) {
  const [low, middle, high] = sorted(curves.runs);
  return { ...curves, runs: [middle, high, low].map((run, at) => ({ ...run, name: NAMES[at] })) };
}

/** What is said of the net, which is said in English. @param {string} net */
function inChinese(net) {
  return net
    .replace(" with batch norm", "（有批归一化）")
    .replace(", a quarter of the width", "，四分之一宽度")
    .replace(/, (\d+) x (\d+) pixels/, "，$1×$2 像素");
}

function top1({ top1 }) {
  return top1 === null ? "–" : `${(100 * top1).toFixed(0)}%`;
}

/** The losses over the steps; each curve has its own dashes. */
function chart({ runs, first, every, steps, classes }, told) {
  const x = (step) => LEFT + ((WIDTH - LEFT - 64) * step) / steps;
  const all = runs.flatMap((run) => run.losses);
  const least = TICK * Math.floor(Math.min(...all) / TICK);
  const most = TICK * Math.ceil(Math.max(...all) / TICK);
  const y = (loss) => ABOVE + ((HEIGHT - BELOW - ABOVE) * (most - loss)) / (most - least);
  const drawing = svgElement("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img",
    "aria-label": words("Three curves of the loss over the steps", "三条损失随步数变化的曲线"),
  });
  for (let loss = least; loss <= most; loss += TICK) {
    drawing.append(
      svgElement("line", { x1: LEFT, x2: x(steps), y1: y(loss), y2: y(loss), class: "grid" }),
      svgElement("text", { x: LEFT - 8, y: y(loss) + 4, class: "to-the-left" }, loss.toFixed(1)),
    );
  }
  for (let step = 0; step <= steps; step += 100) {
    drawing.append(svgElement("text", { x: x(step), y: HEIGHT - BELOW + 20, class: "in-the-middle" }, `${step}`));
  }
  const chance = y(Math.log(classes));
  drawing.append(
    svgElement("line", { x1: LEFT, x2: x(steps), y1: chance, y2: chance, class: "chance" }),
    svgElement("text", { x: x(steps / 2), y: HEIGHT - 2, class: "in-the-middle" }, words("step", "步")),
    svgElement("text", { x: LEFT - 8, y: 12, class: "to-the-left" }, words("loss", "损失")),
  );
  const ends = spread(runs.map(({ losses }) => y(losses.at(-1))));
  runs.forEach(({ losses, name, rate }, at) => {
    const points = losses.map((loss, each) => `${x(first + each * every).toFixed(1)},${y(loss).toFixed(1)}`);
    drawing.append(
      svgElement("polyline", { points: points.join(" "), class: `curve curve-${at}` }),
      svgElement(
        "text",
        { x: x(steps) + 4, y: ends[at] + 4, class: "curve-name" },
        told ? `${name}: ${rate}` : name,
      ),
    );
  });
  return drawing;
}

/** Heights of names, each at least APART below the one above it. */
function spread(heights) {
  let above = -Infinity;
  const moved = new Map(
    heights.toSorted((one, other) => one - other).map((height) => [height, (above = Math.max(height, above + APART))]),
  );
  return heights.map((height) => moved.get(height));
}
