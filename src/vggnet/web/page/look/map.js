/** One map, large, beside the photograph: a click or the arrow keys choose a unit. */

import { element, svgElement } from "../elements.js";
import { colourBar, paintedMatrix } from "../shared/matrices.js";
import { stage } from "../shared/stage.js";
import { view } from "../shared/views.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { chosen, chosenUnit } from "./chosen.js";
import { mapOf } from "./features.js";
import { fillOf } from "./of_photograph.js";

const UNIT = "look.unit";
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @typedef {{left: number, top: number, width: number, height: number, cut: boolean, receptive_field: number}} Field */

/**
 * @param {import("./look.js").Look} look
 * @returns {import("./look.js").Part & {frame: (field: any) => void}} `frame` shows what a unit sees
 */
export function mapView(look) {
  const picture = element("figure", {});
  const large = element("figure", {});
  const node = element("div", { class: "map-beside" }, picture, large);
  let shown = "";
  /** @type {import("../shared/matrices.js").Matrix | null} */
  let opened = null;

  function update() {
    const { shown: layer, channel } = chosen(look);
    const now = `${look.current().id} ${layer} ${channel}`;
    if (now === shown) return moveCursor();
    shown = now;
    const working = words(`Computing channel ${channel} of ${layer}…`, `正在计算 ${layer} 的通道 ${channel}…`);
    fillOf(look, large, working, async (signal) => {
      const map = await mapOf(look, layer, channel, signal);
      return [boardOf(map, layer, channel), colourBar(map), element("figcaption", {}, about(map, layer, channel))];
    }).then(moveCursor);
  }

  function about({ height, width }, layer, channel) {
    return words(
      `Channel ${channel} of ${layer}: ${height}×${width} units. Click one, or move with the arrow keys.`,
      `${layer} 的通道 ${channel}：${height}×${width} 个单元。点选一个，或用方向键移动。`,
    );
  }

  function boardOf(map, layer, channel) {
    const ring = (kind) => svgElement("rect", { class: kind, x: -0.25, y: -0.25, width: 1.5, height: 1.5 });
    const cursor = svgElement("g", { class: "cursor" }, ring("frame-dark"), ring("frame-light"));
    const over = svgElement("svg", { class: "over", viewBox: `0 0 ${map.width} ${map.height}`, preserveAspectRatio: "none" }, cursor);
    const board = element(
      "div",
      {
        class: "stage board", tabindex: 0, role: "application",
        "aria-label": words(`Map of ${layer}, channel ${channel}: arrow keys choose a unit`, `${layer} 通道 ${channel} 的特征图：用方向键选择单元`),
        onclick(event) {
          const box = board.getBoundingClientRect();
          const at = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
          const [row, column] = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
          state.go({ [UNIT]: `${at(row, map.height)}.${at(column, map.width)}` });
        },
        onkeydown(event) {
          const move = MOVES[event.key];
          if (!move) return;
          event.preventDefault();
          const { row, column } = chosenUnit(map);
          const to = (from, step, count) => Math.min(count - 1, Math.max(0, from + step));
          state.type(UNIT, `${to(row, move[0], map.height)}.${to(column, move[1], map.width)}`);
        },
        onblur: state.settle,
      },
      paintedMatrix(map),
      over,
    );
    board.style.aspectRatio = `${map.width} / ${map.height}`;
    opened = map;
    return board;
  }

  function moveCursor() {
    const cursor = large.querySelector(".cursor");
    if (!cursor || !opened) return;
    const { row, column } = chosenUnit(opened);
    cursor.setAttribute("transform", `translate(${column} ${row})`);
  }

  /** @param {Field} field */
  function frame(field) {
    const { layer } = chosen(look);
    fillOf(look, picture, null, async () => {
      const { url } = await view(look.current(), look.side);
      const side = look.side ?? look.model.input_size;
      const label = words("The photograph, with what the unit can see in a frame", "照片，框内是该单元能看到的部分");
      return [
        stage(url, label, { frames: [field], side }),
        element("figcaption", { class: "field" }, seen(layer.name, field, side)),
      ];
    });
  }

  return { node, update, frame };
}

/** How much of the view a unit can see, and how much it would if there were more. @param {string} layer @param {Field} field @param {number} side of the view */
function seen(layer, { left, top, width, height, cut, receptive_field: whole }, side) {
  const across = Math.min(side, left + width) - Math.max(0, left);
  const down = Math.min(side, top + height) - Math.max(0, top);
  const text = words(
    `This unit of ${layer} can see ${across}×${down} of ${side}×${side} pixels.`,
    `${layer} 的这个单元能看到 ${side}×${side} 像素中的 ${across}×${down}。`,
  );
  if (!cut) return text;
  return text + words(
    ` Its field would be ${whole}×${whole}; the part outside the photograph is cut off.`,
    `它的感受野本来是 ${whole}×${whole}，超出照片的部分被截去。`,
  );
}
