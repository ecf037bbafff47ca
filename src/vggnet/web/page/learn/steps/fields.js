/** Step 1: how much a unit sees after two and after three 3x3. */

import { element, svgElement } from "../../elements.js";
import { square } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { player } from "../../shared/player.js";
import { words } from "../../words.js";
import { near, youSaid } from "../judge.js";
import { formula } from "../math.js";

/** @type {import("../step.js").Step} */
export const sameField = {
  newWords: ["convolution", "unit", "receptive-field"],
  title: () => words("How much does one unit see?", "一个单元能看到多少？"),
  question: () => [
    words(
      "A 3×3 convolution looks at 3×3 pixels. A second one looks at 3×3 results of the first. " +
        "How wide is the square of pixels that a unit of the second depends on?",
      "一个 3×3 卷积看 3×3 个像素；第二个 3×3 卷积看的是第一个的 3×3 个结果。第二个卷积的一个单元，取决于边长多少像素的方块？",
    ),
  ],
  guess: { kind: "number", unit: () => words("pixels a side", "像素（边长）"), least: 1, most: 99 },
  figure({ guess }) {
    const label = element("p", { class: "figure-label", "aria-live": "polite" });
    const frame = element("div");
    const most = guess === null ? 1 : 3; // the third is what the answer goes on to
    const show = (layers) => {
      const side = 1 + 2 * layers;
      frame.replaceChildren(rows(layers, most));
      label.textContent = layers
        ? words(
            `${layers} × (3×3): ${side} of the pixels in a row`,
            `${layers} 个 3×3：一行中的 ${side} 个像素`,
          )
        : words("the unit itself", "单元本身");
    };
    if (guess === null) {
      show(1);
      return [frame, label];
    }
    const controls = player({
      count: most + 1, at: 2, show, text: String,
      label: words("Number of 3×3 convolutions", "3×3 卷积的个数"),
    });
    return [frame, label, controls.node];
  },
  async answer({ guess }) {
    const two = await askOnce("stack", { kernels: "3,3" });
    const three = await askOnce("stack", { kernels: "3,3,3" });
    return {
      right: near(guess, two.receptive_field),
      verdict: youSaid(guess, `${two.receptive_field}`),
      body: [
        words(
          `The second looks at 3×3 results of the first, and neighbouring results see pixels that lie one further. ` +
            `So two 3×3 see as much as one ${square(two.receptive_field)}.`,
          `第二个看第一个的 3×3 个结果，相邻的结果看到的像素也错开一个。所以两个 3×3 看到的和一个 ` +
            `${square(two.receptive_field)} 一样多。`,
        ),
        words(
          `Now put a third on top (in the figure: one step on). It looks at 3×3 results of the second, each of ` +
            `which sees ${square(two.receptive_field)}: again one pixel more on every side, as much as one ` +
            `${square(three.receptive_field)}.`,
          `现在再叠上第三个（在图中进一步）。它看第二个的 3×3 个结果，每个结果看到 ` +
            `${square(two.receptive_field)}：四周又各多一个像素，和一个 ${square(three.receptive_field)} 一样多。`,
        ),
        formula(
          words("two", "两个") + `: 1 + 2·(3 − 1) = [${two.receptive_field}]`,
          words("three", "三个") + `: 1 + 3·(3 − 1) = [${three.receptive_field}]`,
        ),
      ],
    };
  },
  more: {
    tab: "principle",
    state: { "principle.kernels": "3,3" },
    label: () => words("Slide the kernels pixel by pixel", "逐像素滑动卷积核"),
  },
};

const SHOWN = 9; // pixels of the row
const CELL = 36;
const GAP = 30; // between rows

/** The stack from the side: pixels below, a row for each kernel above, with room for `most`. */
function rows(layers, most) {
  const width = SHOWN * CELL;
  const height = (layers + 1) * CELL + layers * GAP;
  const middle = (SHOWN - 1) / 2;
  const drawing = svgElement("svg", {
    viewBox: `-1 -1 ${width + 2} ${most * GAP + (most + 1) * CELL + 2}`,
    class: "side-view",
    role: "img",
    "aria-label": words(
      `A row of ${SHOWN} pixels; ${1 + 2 * layers} of them reach the unit above ${layers} convolutions`,
      `一行 ${SHOWN} 个像素，其中 ${1 + 2 * layers} 个能影响 ${layers} 层卷积之上的单元`,
    ),
  });
  const raised = most * GAP + (most + 1) * CELL - height; // the pixels keep their place as rows are added
  const top = (row) => raised + (layers - row) * (CELL + GAP);
  const reach = (row) => layers - row; // cells to each side that the unit depends on
  for (let row = 0; row <= layers; row++) {
    for (let at = 0; at < SHOWN; at++) {
      const inside = Math.abs(at - middle) <= reach(row);
      const kind = row ? "cell-unit" : "cell-pixel";
      if (row && inside) {
        for (const below of [at - 1, at, at + 1]) {
          drawing.append(
            svgElement("line", {
              x1: (at + 0.5) * CELL, y1: top(row) + CELL, x2: (below + 0.5) * CELL, y2: top(row - 1),
              class: "reach",
            }),
          );
        }
      }
      drawing.append(
        svgElement("rect", {
          x: at * CELL + 1, y: top(row) + 1, width: CELL - 2, height: CELL - 2,
          class: inside ? `cell ${kind} seen` : "cell",
        }),
      );
    }
  }
  return drawing;
}
