/** What our experiments and benchmarks gave, as the repository has it, in sentences. */

import * as api from "../api.js";
import { element } from "../elements.js";
import { keep } from "../shared/asked.js";
import { words } from "../words.js";
import { intervalPlot } from "./interval_plot.js";

/** The figures of experiments/ and benchmarks/; a claim of which no seed has run yet is null. */
export function evidence() {
  return keep("evidence.json", async () => (await api.file("evidence.json")).json());
}

/**
 * Differences that were measured, with the accuracies as a figure; or that they were not yet.
 *
 * @param {string} claim such as "kernels"
 * @param {[string, string, string][]} pairs two nets, and what the difference is of, in words
 */
export async function measured(claim, pairs) {
  const { claims, setting } = await evidence();
  const found = claims[claim];
  const title = element("strong", {}, words("Our experiment. ", "我们的实验。"));
  if (!found) {
    return element(
      "p",
      { class: "evidence" },
      title,
      words(
        "Not measured yet: the runs are still under way, so we claim nothing here.",
        "尚未测得：实验还在运行，这里不下结论。",
      ),
    );
  }
  const said = pairs.flatMap(([one, other, text]) => {
    const difference = found.differences.find((each) => each.one === one && each.other === other);
    return difference ? [`${text} ${points(difference.points)}`] : [];
  });
  const told = element(
    "p",
    {},
    title,
    words(
      `Nets at ${setting.width} of the width, ${setting.side}×${setting.side} pixels, ` +
        `${setting.classes} classes, ${setting.epochs} epochs: `,
      `${setting.width} 倍宽度的网络，${setting.side}×${setting.side} 像素，${setting.classes} 类，${setting.epochs} 轮：`,
    ),
    said.join(words("; ", "；")) + words(".", "。"),
  );
  return element("div", { class: "evidence" }, told, intervalPlot(found.arms));
}

/** "+2.1 ± 0.8 points": without an interval of one seed; whether it is clear is said. */
function points({ mean, half_width: half, seeds }) {
  const sign = mean < 0 ? "−" : "+";
  const size = Math.abs(mean).toFixed(1);
  if (half === null) {
    return words(
      `${sign}${size} points of top-1 (one seed, so no interval)`,
      `top-1 ${sign}${size} 个百分点（仅一个种子，没有区间）`,
    );
  }
  const clear = Math.abs(mean) > half;
  return words(
    `${sign}${size} ± ${half.toFixed(1)} points of top-1 (${seeds} seeds${clear ? "" : "; not told apart"})`,
    `top-1 ${sign}${size} ± ${half.toFixed(1)} 个百分点（${seeds} 个种子${clear ? "" : "，分辨不出"}）`,
  );
}
