/** What the layers make of the photograph: a strip of layers, the maps of one, a map, a unit. */

import { element } from "../elements.js";
import { labelled } from "../shared/controls.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { chosen, layersOf } from "./chosen.js";
import { mapView } from "./map.js";
import { mapsGrid } from "./maps.js";
import { section } from "./section.js";
import { unitPanel } from "./unit.js";

/** @param {import("./look.js").Look} look @returns {import("./look.js").Part} */
export function layersPart(look) {
  const { model, side } = look;
  const strip = element("ol", { class: "strip", "aria-label": words("Layers", "层") });
  const relu = element("input", {
    type: "checkbox",
    onchange: () => state.go({ "look.relu": relu.checked ? null : "before" }),
  });
  const relus = labelled(words("after the ReLU", "ReLU 之后"), relu);
  const map = mapView(look);
  const grid = mapsGrid(look);
  const unit = unitPanel(look, map.frame);
  const node = section(
    words("What a layer makes of it", "每一层看到了什么"),
    element("p", {}, side === null ? whole() : atTwoSizes(side, model.input_size)),
    strip,
    element("div", { class: "controls" }, relus),
    element("div", { class: "beside" }, map.node, unit.node),
    element("h3", {}, words("All its maps", "它的全部特征图")),
    grid.node,
  );
  node.dataset.needs = "photograph";
  strip.append(...layersOf(model).map((each) => element("li", {}, button(each))));

  function button({ name, type, channels }) {
    return element(
      "button",
      {
        type: "button", value: name, class: `layer kind-${type}`,
        onclick: () => state.go({ "look.layer": name, "look.page": null, "look.channel": null, "look.unit": null }),
      },
      element("span", {}, name),
      element("span", { class: "layer-channels" }, `${channels}`),
    );
  }

  function update() {
    const { layer, relu: after } = chosen(look);
    for (const each of strip.querySelectorAll("button")) {
      each.setAttribute("aria-pressed", String(each.value === layer.name));
    }
    relus.hidden = after === null;
    relu.checked = state.get("look.relu") !== "before";
    [grid, map, unit].forEach((part) => part.update());
  }

  return { node, update };
}

function atTwoSizes(side, own) {
  return words(
    `The network ends in an average and takes any size. Its answer above was given at ${own}×${own} ` +
      `pixels; maps and fields are shown at ${side}×${side}, where there is more to see. Choose a layer, a ` +
      "map, a place.",
    `这个网络以全局平均结尾，可接受任意尺寸。上面的答案是 ${own}×${own} 像素时的；特征图和感受野按 ${side}×${side} 显示，` +
      "可以看得更多。请选一层、一张图、一个位置。",
  );
}

function whole() {
  return words("Choose a layer, a map, a place.", "请选一层、一张图、一个位置。");
}
