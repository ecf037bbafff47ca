/** Step 10: what is on a photograph, and why the network thinks so. */

import { element } from "../../elements.js";
import { percent } from "../../numbers.js";
import { answerBars, nameOfClass } from "../../shared/answers.js";
import { ask, askOnce } from "../../shared/asked.js";
import { emptiness } from "../../shared/emptiness.js";
import { colourBar } from "../../shared/matrices.js";
import { ownOr } from "../../shared/photographs.js";
import { predicted } from "../../shared/predicted.js";
import { stage } from "../../shared/stage.js";
import { SIDE, view } from "../../shared/views.js";
import { words } from "../../words.js";

const WRONG_EXAMPLE = "uniform"; // the network names another thing than what a person would
const UNIFORM = "n03763968"; // what is on it

/** @type {import("../step.js").Step} */
export const whatIsIt = {
  newWords: ["logit"],
  withPhotograph: "ask",
  title: () => words("What is it, and why?", "这是什么？为什么？"),
  question: () => [
    words(
      "The network served here looks at this photograph. Which class does it name first?",
      "本页载入的网络看这张照片。它首先说的是哪一类？",
    ),
  ],
  guess: {
    kind: "spot",
    hint: () => words("Choose a class below the photograph.", "在照片下面选一个类别。"),
  },
  async figure({ guess, propose }) {
    const photograph = ownOr(WRONG_EXAMPLE);
    const { predictions } = await predicted(photograph);
    const { any_size: anySize } = await askOnce("model");
    const { url } = await view(photograph, anySize ? SIDE : null);
    if (guess === null) {
      const choices = predictions
        .slice(0, 4)
        .toSorted((one, other) => one.index - other.index)
        .map((each) =>
          element(
            "button",
            { type: "button", onclick: () => propose(String(each.index)) },
            nameOfClass(each),
          ),
        );
      const label = words("The photograph in question", "要看的照片");
      return [stage(url, label), element("div", { class: "guess" }, ...choices)];
    }
    const found = await ask(photograph, "explain", { method: "grad-cam" });
    const label = words("Where Grad-CAM finds what speaks for the first class", "Grad-CAM 找到的、支持第一类的位置");
    const nothing = emptiness(found);
    return [
      stage(url, label, { matrix: found.empty ? null : found.values }),
      ...(found.empty ? [] : [colourBar(found.values)]),
      ...(nothing ? [element("p", { class: "empty" }, nothing)] : []),
      answerBars(predictions),
    ];
  },
  async answer({ guess }) {
    const photograph = ownOr(WRONG_EXAMPLE);
    const { predictions } = await predicted(photograph);
    const { empty } = await ask(photograph, "explain", { method: "grad-cam" });
    const first = predictions[0];
    const said = predictions.find((each) => String(each.index) === guess);
    const name = nameOfClass(first);
    const uniform = photograph.example ? predictions.findIndex((each) => each.wnid === UNIFORM) : 0;
    return {
      right: guess === "" ? null : said === first,
      verdict: words(
        `It says ${name}, with ${percent(first.probability)}.`,
        `它说是${name}，概率 ${percent(first.probability)}。`,
      ),
      body: [
        ...(empty
          ? []
          : [
              words(
                "The bright places of the overlay speak for this class: there the last convolution's maps " +
                  "are large, and the class score grows with them (Grad-CAM).",
                "叠加图中明亮的地方支持这个类别：那里最后一个卷积的特征图数值大，而且类别分数随之增长（Grad-CAM）。",
              ),
            ]),
        ...(uniform > 0
          ? [
              words(
                `A person would say: military uniform, which is answer ${uniform + 1} here. Where it is ` +
                  "wrong, the overlay often shows a sound reason: it looked at a part that the named " +
                  "thing also has.",
                `人会说：军装，它在这里排第 ${uniform + 1}。网络答错时，叠加图往往给出合理的原因：它看的部分，被说出的那样东西也有。`,
              ),
            ]
          : []),
        words(
          "It may also be wrong since the thing is none of its classes, is small in the picture, or " +
            "looks unlike what it was trained on.",
          "它也可能因为这些原因出错：东西不在它的类别里，在图中太小，或者和训练图片不像。",
        ),
      ],
    };
  },
  more: {
    tab: "look",
    state: null,
    label: () => words("Try a photograph of your own", "换一张自己的照片"),
  },
};
