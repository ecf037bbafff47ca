/** The accuracies of an experiment's nets: each run a small point, the mean a large one, its interval a line. */

import { svgElement } from "../elements.js";
import { words } from "../words.js";

const [WIDTH, ASIDE, ROW, BELOW] = [328, 16, 40, 40]; // as wide as a phone, so that text has its own size there
const TICKS = [0.5, 1, 2, 5, 10, 20];

/**
 * @param {{name: string, chinese?: string, top1: {mean: number, half_width: number | null, runs: number[]} | null}[]} arms
 *   in percent; null of a net that diverged
 */
export function intervalPlot(arms) {
  const shown = arms
    .filter((each) => each.top1)
    .map(({ name, chinese, top1 }) => ({ name: words(name, chinese ?? name), top1 }));
  const ends = shown.flatMap(({ top1: { mean, half_width: half, runs } }) => [
    ...runs, mean - (half ?? 0), mean + (half ?? 0),
  ]);
  const tick = TICKS.find((each) => (Math.max(...ends) - Math.min(...ends)) / each <= 5) ?? 20;
  const [least, most] = [
    tick * Math.floor(Math.min(...ends) / tick), tick * Math.ceil(Math.max(...ends) / tick + 0.01),
  ];
  const x = (value) => ASIDE + ((WIDTH - 2 * ASIDE) * (value - least)) / (most - least);
  const bottom = shown.length * ROW;
  const drawing = svgElement("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${bottom + BELOW}`, role: "img",
    "aria-label": words("Top-1 accuracy of each net", "各网络的 top-1 正确率") + ": " +
      shown.map(({ name, top1 }) => `${name} ${top1.mean.toFixed(1)}%`).join(", "),
  });
  for (let at = least; at <= most + 1e-9; at += tick) {
    drawing.append(
      svgElement("line", { x1: x(at), x2: x(at), y1: 0, y2: bottom, class: "grid" }),
      svgElement("text", { x: x(at), y: bottom + 16, class: "in-the-middle" }, `${Number(at.toFixed(1))}`),
    );
  }
  drawing.append(svgElement("text", { x: x((least + most) / 2), y: bottom + 34, class: "in-the-middle" }, "top-1, %"));
  shown.forEach(({ name, top1 }, at) => drawing.append(...row(name, top1, at * ROW, x)));
  return drawing;
}

/** The name stands above its line, so that it may be as long as it is. */
function row(name, { mean, half_width: half, runs }, top, x) {
  const y = top + 28;
  const parts = [svgElement("text", { x: 0, y: top + 14, class: "net-name" }, name)];
  if (half !== null) {
    parts.push(svgElement("line", { x1: x(mean - half), x2: x(mean + half), y1: y, y2: y, class: "interval" }));
  }
  parts.push(...runs.map((each) => svgElement("circle", { cx: x(each), cy: y, r: 2.5, class: "run" })));
  parts.push(svgElement("circle", { cx: x(mean), cy: y, r: 5, class: "mean" }));
  return parts;
}
