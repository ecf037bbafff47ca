/** All maps of a layer as a grid, a page at a time; each opens large. */

import { element } from "../elements.js";
import { colourBar, paintedMatrix } from "../shared/matrices.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { chosen, PER_PAGE } from "./chosen.js";
import { mapsOf } from "./features.js";
import { fillOf } from "./of_photograph.js";

/** @param {import("./look.js").Look} look @returns {import("./look.js").Part} */
export function mapsGrid(look) {
  const pager = element("div", { class: "pager" });
  const place = element("div");
  const node = element("div", {}, pager, place);
  let shown = "";

  function update() {
    const choice = chosen(look);
    const now = `${look.current().id} ${choice.shown} ${choice.page}`;
    if (now === shown) return mark(choice.channel);
    shown = now;
    turnPages(choice);
    const working = words(`Computing the maps of ${choice.shown}…`, `正在计算 ${choice.shown} 的特征图…`);
    fillOf(look, place, working, async (signal) => {
      const { maps, first } = await mapsOf(look, choice.shown, choice.page, signal);
      const tiles = maps.map((map, at) => tile(map, first + at, chosen(look).channel));
      return [element("div", { class: "map-grid" }, ...tiles), colourBar(maps[0])];
    });
  }

  function tile(map, channel, opened) {
    return element(
      "button",
      {
        type: "button", class: "map-tile", value: channel, "aria-pressed": String(channel === opened),
        "aria-label": words(`channel ${channel}`, `通道 ${channel}`),
        onclick: () => state.go({ "look.channel": channel, "look.unit": null }),
      },
      paintedMatrix(map),
      element("span", { "aria-hidden": "true" }, `${channel}`),
    );
  }

  function mark(channel) {
    for (const each of place.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(Number(each.value) === channel));
    }
  }

  function turnPages({ layer, page, pages }) {
    const last = Math.min((page + 1) * PER_PAGE, layer.channels) - 1;
    const turn = (to, text) =>
      element("button", { type: "button", disabled: to < 0 || to >= pages, onclick: () => state.go({ "look.page": to }) }, text);
    const which = words(
      `channels ${page * PER_PAGE} to ${last} of ${layer.channels}`,
      `通道 ${page * PER_PAGE} 到 ${last}，共 ${layer.channels} 个`,
    );
    const focused = [...pager.querySelectorAll("button")].findIndex((each) => each === document.activeElement);
    pager.replaceChildren(
      turn(page - 1, words("Previous", "上一页")),
      turn(page + 1, words("Next", "下一页")),
      element("span", { class: "note" }, which),
    );
    const buttons = pager.querySelectorAll("button");
    if (focused >= 0) (buttons[focused].disabled ? buttons[1 - focused] : buttons[focused]).focus();
  }

  return { node, update };
}
