/** What the colours of the drawing mean, beside it: lines that break where the page is narrow. */

import { element, svgElement } from "../elements.js";
import { words } from "../words.js";

const MEANINGS = {
  input: () => words("input, output", "输入、输出"),
  conv: () => words("convolution", "卷积"),
  norm: () => words("normalisation", "归一化"),
  pool: () => words("pool", "池化"),
  fc: () => words("fully connected", "全连接"),
};

/** @param {Element} drawing whose colours are explained */
export function legend(drawing) {
  const entries = Object.entries(MEANINGS)
    .filter(([role]) => drawing.querySelector(`rect.${role}`))
    .map(([role, meaning]) => entry(svgElement("rect", { class: role, width: 10, height: 10 }), meaning()));
  if (drawing.querySelector(".mark")) {
    const mark = svgElement("polygon", { class: "mark", points: "5,1 9,5 5,9 1,5" });
    entries.push(entry(mark, words("not the same in all", "各网络不同")));
  }
  const scales = words(
    "Height: side of the map. Width: channels. Both on a log scale. ReLU and dropout are not drawn.",
    "高：特征图边长。宽：通道数。均为对数刻度。不画 ReLU 与 dropout。",
  );
  return element("div", { class: "legend" }, element("ul", {}, ...entries), element("p", { class: "note" }, scales));
}

function entry(shape, meaning) {
  return element("li", {}, svgElement("svg", { width: 10, height: 10, "aria-hidden": "true" }, shape), meaning);
}
