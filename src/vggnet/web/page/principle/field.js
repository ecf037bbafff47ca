/** The stack over its pixels, step by step: a kernel slides, a field grows. */

import { element } from "../elements.js";
import { square } from "../numbers.js";
import { player } from "../shared/player.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { kernelsAsked } from "./kernels.js";
import { pyramid } from "./pyramid.js";
import { fieldOf, reach, sides, units } from "./stack.js";

const KEY = "principle.step";

export function field() {
  const node = element("figure", { class: "field" });
  let kernels = [];
  let playing = null;

  function build() {
    playing?.stop();
    kernels = kernelsAsked();
    const maps = sides(kernels);
    const all = units(kernels);
    const drawing = pyramid(kernels, (level) => [
      level ? words(`${square(kernels[level - 1])} kernel ${level}`, `第 ${level} 个核 ${square(kernels[level - 1])}`) : words("picture", "图片"),
      words(`${square(maps[level])} ${level ? "units" : "pixels"}`, `${square(maps[level])} ${level ? "个单元" : "像素"}`),
    ]);
    const caption = element("figcaption", {});
    playing = player({
      count: all.length,
      at: state.whole(KEY, { least: 1, most: all.length, initial: all.length }) - 1,
      show(at) {
        const text = sentence(kernels, all[at], at + 1 === all.length, drawing.numbered);
        drawing.show(all[at]);
        drawing.node.setAttribute("aria-label", text);
        caption.textContent = text;
        state.set(KEY, at + 1 === all.length ? null : at + 1);
      },
    });
    node.replaceChildren(drawing.node, playing.node, caption);
  }

  build();
  return {
    node,
    show(key) {
      if (key === null || kernelsAsked().join() !== kernels.join()) build();
    },
    stop: () => playing.stop(),
  };
}

function sentence(kernels, unit, last, numbered) {
  const seen = square(reach(kernels, unit)[0].side);
  if (last && kernels.length > 1) {
    const field = square(fieldOf(kernels));
    return words(
      `The one unit at the top sees all ${field} pixels, as one ${field} kernel does. The stronger the colour of a pixel, the more ways lead from there to the unit${numbered ? "; the numbers count them" : ""}.`,
      `顶层的一个单元看到全部 ${field} 像素，与一个 ${field} 核相同。颜色越浓的像素，到达它的路径越多${numbered ? "，数字就是路径数" : ""}。`,
    );
  }
  const place = words(`row ${unit.row + 1}, column ${unit.column + 1}`, `第 ${unit.row + 1} 行第 ${unit.column + 1} 列`);
  return words(
    `Kernel ${unit.level} computes the unit at ${place}: it reaches ${seen} pixels.`,
    `第 ${unit.level} 个核计算${place}的单元：它够到 ${seen} 像素。`,
  );
}
