/** Step 9: which part of a photograph a unit can see. */

import { element } from "../../elements.js";
import { square } from "../../numbers.js";
import { askOnce } from "../../shared/asked.js";
import { ownOr } from "../../shared/photographs.js";
import { stage } from "../../shared/stage.js";
import { SIDE, view } from "../../shared/views.js";
import * as state from "../../state.js";
import { words } from "../../words.js";
import { same } from "../judge.js";
import { formula } from "../math.js";

const ASKED = "conv5_3";
const FRAMES = { 1: "conv3_3", 2: "pool4", 3: ASKED, 4: "fc6" }; // no letters: those are networks
const SHOWN = ["conv1_2", "conv3_3", "pool4", "conv5_3", "pool5", "fc6"];
const KEY = "learn.field";

/** @type {import("../step.js").Step} */
export const onThePhotograph = {
  withPhotograph: "redraw",
  controls: [KEY],
  title: () => words("What can this unit see?", "这个单元能看到哪里？"),
  question: () => [
    words(
      `On this photograph of ${SIDE}×${SIDE} pixels are four frames. Which is what the unit in the ` +
        `middle of ${ASKED}, the last convolution of D (VGG16), can see?`,
      `这张 ${SIDE}×${SIDE} 像素的照片上有四个框。D（VGG16）的最后一个卷积 ${ASKED} 正中的单元能看到哪一个？`,
    ),
  ],
  guess: { kind: "choice", choices: () => Object.keys(FRAMES).map((name) => [name, name]) },
  async figure({ guess }) {
    const { layers } = await askOnce("describe", { config: "D", input_size: SIDE });
    const { url } = await view(ownOr("cat"), SIDE);
    const fieldOf = (name) => fieldInTheMiddle(layers.find((each) => each.name === name));
    if (guess === null) {
      const frames = Object.entries(FRAMES).map(([name, layer]) => ({ ...fieldOf(layer), name }));
      const label = words("A photograph with four frames, 1 the smallest, 4 all of it", "有四个框的照片，1 最小，4 是全部");
      return [stage(url, label, { frames, side: SIDE })];
    }
    const picture = element("div");
    const caption = element("p", { class: "figure-label", "aria-live": "polite" });
    const chosen = () => (SHOWN.includes(state.get(KEY)) ? state.get(KEY) : ASKED);
    const show = () => {
      const name = chosen();
      const frame = fieldOf(name);
      const side = square(frame.width);
      picture.replaceChildren(stage(url, words(`What ${name} can see`, `${name} 能看到的部分`), { frames: [frame], side: SIDE }));
      caption.textContent =
        frame.width > SIDE
          ? words(
              `${name}: the field would be ${side} pixels; the part outside the photograph is cut off`,
              `${name}：感受野本来是 ${side} 像素，超出照片的部分被截去`,
            )
          : words(`${name}: ${side} pixels`, `${name}：${side} 像素`);
    };
    const choices = SHOWN.map((name) =>
      element(
        "label",
        {},
        element("input", {
          type: "radio", name: KEY, value: name, checked: name === chosen(),
          onchange: () => (state.set(KEY, name), show()),
        }),
        name,
      ),
    );
    show();
    return [
      picture, caption,
      element("div", { class: "choices", role: "radiogroup", "aria-label": words("layer", "层") }, ...choices),
    ];
  },
  async answer({ guess }) {
    const { layers } = await askOnce("describe", { config: "D", input_size: SIDE });
    const field = (name) => layers.find((each) => each.name === name).receptive_field;
    const right = "3";
    return {
      right: same(guess, right),
      verdict: words(
        `It is frame ${right}: ${square(field(ASKED))} pixels, most of the photograph.`,
        `是框 ${right}：${square(field(ASKED))} 像素，照片的大部分。`,
      ),
      body: [
        words(
          "A 3×3 after a pool steps over two pixels for each position, after four pools over sixteen. " +
            "So fields grow fast, though every kernel is small.",
          "池化之后，3×3 每移动一个位置就跨过两个像素，四次池化之后是十六个。所以尽管每个卷积核都小，感受野增长很快。",
        ),
        formula(
          `pool4: ${field("pool4")};  conv5_1: ${field("pool4")} + 2·16 = ${field("conv5_1")}`,
          `conv5_3: ${field("conv5_1")} + 2·16 + 2·16 = [${field("conv5_3")}]`,
          `pool5: [${field("pool5")}];  fc6: ${field("pool5")} + 6·32 = [${field("fc6")}]`,
        ),
        words(
          "What it can see is not what moves it: pixels in the middle count far more. Principle measures that.",
          "能看到的不等于真正起作用的：中间的像素作用大得多。“原理”页会实测。",
        ),
      ],
    };
  },
  more: {
    tab: "look",
    state: { "look.layer": "conv3_3" },
    label: () => words("Click on units over your own photograph", "在你自己的照片上点选单元"),
  },
};

/** What the unit in the middle of a layer's map can see, in pixels. */
function fieldInTheMiddle({ output, receptive_field: side, field_offset: offset, jump }) {
  const middle = output.length > 1 ? Math.floor(output[1] / 2) : 0;
  const first = Math.round(offset + middle * jump - (side - 1) / 2);
  return { left: first, top: first, width: side, height: side };
}
