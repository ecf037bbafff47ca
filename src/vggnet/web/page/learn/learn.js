/**
 * Learn: the argument of the paper in twelve steps. Each asks for a guess, then shows the answer as
 * the server or the page computes it, and where to play on.
 *
 * A step that was answered has a key in the address, "learn.7" with the guess, or "-" where it was
 * skipped.
 */

import { element } from "../elements.js";
import { onPhotographs } from "../shared/photographs.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { glossary } from "./glossary.js";
import { buildStep } from "./step.js";
import { whatIsIt } from "./steps/answer.js";
import { doubling } from "./steps/channels.js";
import { mostParameters, mostTime } from "./steps/costs.js";
import { deeper } from "./steps/depth.js";
import { drawbacks } from "./steps/drawbacks.js";
import { sameField } from "./steps/fields.js";
import { onThePhotograph } from "./steps/frames.js";
import { withoutRelu } from "./steps/linear.js";
import { rates } from "./steps/rates.js";
import { fewerWeights, threeAgainstOne } from "./steps/weights.js";

const STEPS = [
  sameField, fewerWeights, threeAgainstOne, withoutRelu, doubling, deeper,
  mostParameters, mostTime, onThePhotograph, whatIsIt, drawbacks, rates,
];

/** @param {Element} root @param {import("../main.js").Context} context */
export async function mount(root, context) {
  /** @type {ReturnType<typeof buildStep>[]} */
  let steps = [];

  function build() {
    const unfolded = root.querySelector("details")?.open ?? false;
    steps = STEPS.map((step, at) => buildStep(step, at + 1, context));
    root.replaceChildren(
      element("h2", { class: "learn-title" }, words("Why VGG is built of 3×3", "VGG 为什么由 3×3 搭成")),
      element(
        "p",
        { class: "learn-lead" },
        words(
          "Twelve questions. Guess first: a wrong guess is the quickest way to remember the answer. The paper's " +
            "networks are called A to E, from 11 layers with weights to 19; D, with 16, is also called VGG16.",
          "十二个问题。先猜再看：猜错一次，记得最牢。论文的网络叫 A 到 E，带权重的层从 11 层到 19 层；D 有 16 层，也叫 VGG16。",
        ),
      ),
      ...steps.map((step) => step.node),
      glossary(unfolded),
    );
  }

  build();
  context.onChange(build);
  onPhotographs(() => steps.forEach((step) => step.otherPhotograph()));
  state.onChange((key) => steps.forEach((step) => step.update(key)));
}
