/** The classes that the network names, with bars. */

import { element, percent } from "../figures.js";

/**
 * @typedef {{index: number, label: string, label_zh?: string, probability: number}} Prediction
 * @param {Prediction[]} predictions @param {import("../main.js").Context} context
 */
export function answerBars(predictions, context) {
  return element(
    "ol",
    { class: "answer-bars" },
    ...predictions.map((each) => {
      const bar = element("span", { class: "bar" });
      bar.style.width = `${Math.max(0.4, 100 * each.probability)}%`;
      return element(
        "li",
        {},
        element("span", { class: "answer-name" }, nameOf(each, context)),
        element("span", { class: "answer-share" }, percent(each.probability)),
        element("span", { class: "bar-track" }, bar),
      );
    }),
  );
}

/** The class in the page's language, where it has a name in it. @param {Prediction} prediction */
export function nameOf(prediction, { language }) {
  return (language() === "zh" && prediction.label_zh) || prediction.label;
}
