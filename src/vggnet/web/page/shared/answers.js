/** The classes that the network names, with bars. */

import { bar, element } from "../elements.js";
import { percent } from "../numbers.js";
import { language } from "../words.js";

/**
 * @typedef {{index: number, label: string, label_zh?: string, wnid?: string, probability: number}} Prediction
 * @param {Prediction[]} predictions
 */
export function answerBars(predictions) {
  return element(
    "ol",
    { class: "answer-bars" },
    ...predictions.map((each) =>
      element(
        "li",
        {},
        element("span", { class: "answer-name" }, nameOfClass(each)),
        element("span", { class: "answer-share" }, percent(each.probability)),
        element("span", { class: "bar-track" }, bar(each.probability)),
      ),
    ),
  );
}

/** The class in the page's language, where it has a name in it. @param {Prediction} prediction */
export function nameOfClass(prediction) {
  return (language() === "zh" && prediction.label_zh) || prediction.label;
}
