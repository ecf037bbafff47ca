/** How a unit comes to its value: patch x kernel, summed over its channels, and what it can see. */

import { element } from "../elements.js";
import { arrayPicture, largest } from "../shared/array.js";
import { askOfView } from "../shared/views.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { chosen, chosenUnit } from "./chosen.js";
import { mapOf } from "./features.js";
import { fillOf } from "./of_photograph.js";

const SHOWN = 3; // channels, those that add or take away most
const PAUSE = 100; // milliseconds; arrow keys pass over many units

/** A value with its sign as it is written in a sum. @param {number} value */
const decimals = (value) => value.toFixed(Math.abs(value) < 10 ? 3 : 1).replace("-", "−");

/** A sum: its signs stand between the terms. @param {[number, string][]} terms values and what they are */
function written(terms) {
  const signed = terms.map(([value, what]) => `${value < 0 ? "− " : "+ "}${decimals(Math.abs(value))}${what}`);
  return signed.join(" ").replace(/^\+ /, "").replace(/^− /, "−");
}

/**
 * @param {import("./look.js").Look} look @param {(field: any) => void} showField
 * @returns {import("./look.js").Part}
 */
export function unitPanel(look, showField) {
  const node = element("div", { class: "unit", "aria-live": "polite" });
  let shown = "";

  function update() {
    const choice = chosen(look);
    const now = [look.current().id, choice.shown, choice.channel, state.get("look.unit")].join(" ");
    if (now === shown) return;
    shown = now;
    const photograph = look.current();
    fillOf(look, node, words("Computing the unit…", "正在计算这个单元…"), async (signal) => {
      await new Promise((go) => setTimeout(go, PAUSE));
      if (now !== shown) return [];
      const map = await mapOf(look, choice.shown, choice.channel, signal);
      const asked = { layer: choice.layer.name, channel: choice.channel, ...chosenUnit(map) };
      const found = await askOfView(photograph, look.side, "unit", asked, signal);
      if (now === shown) showField(found.field);
      return found.products_by_channel?.length ? sum(found, choice) : largestOfPatch(found);
    });
  }

  function heading({ layer, channel, row, column }) {
    const text = words(
      `The unit at row ${row}, column ${column} of channel ${channel} of ${layer}`,
      `${layer} 通道 ${channel} 第 ${row} 行第 ${column} 列的单元`,
    );
    return element("h3", {}, text);
  }

  function sum(found, choice) {
    const { patch, kernel, products_by_channel: products, value, bias } = found;
    const rows = products.slice(0, Math.min(SHOWN, patch.length));
    const rest = found.sum_of_products - rows.reduce((total, each) => total + each.sum, 0);
    const [reachPatch, reachKernel] = [largest(...patch), largest(...kernel)];
    const lines = rows.map(({ channel, sum: part }, at) =>
      element(
        "div",
        { class: "product" },
        element("span", { class: "note" }, words(`channel ${channel}`, `通道 ${channel}`)),
        arrayPicture(patch[at], words("patch", "图块"), { reach: reachPatch }),
        element("span", {}, "×"),
        arrayPicture(kernel[at], words("kernel", "卷积核"), { reach: reachKernel }),
        element("span", {}, `= ${decimals(part)}`),
      ),
    );
    const after = Math.max(0, value);
    const terms = [
      ...rows.map((each) => [each.sum, ""]),
      [rest, words(" (all other channels)", "（其余通道）")],
      [bias, words(" (bias)", "（偏置）")],
    ];
    const total = element(
      "p",
      { class: "formula total" },
      element("span", {}, `${written(terms)} = `, element("b", {}, decimals(value))),
      choice.relu ? element("span", {}, `ReLU: max(0, ${decimals(value)}) = `, element("b", {}, decimals(after))) : null,
    );
    return [
      heading(found),
      element("p", {}, words(
        "Each input channel's patch times its kernel, number by number, and summed. The three channels that add or take away most:",
        "每个输入通道的图块与卷积核逐个相乘再求和。影响最大的三个通道：",
      )),
      element("div", { class: "products" }, ...lines),
      total,
    ];
  }

  function largestOfPatch(found) {
    return [
      heading(found),
      element("p", {}, words("A pool keeps the largest of the values beneath it: ", "池化保留其下各值中最大的："), element("b", {}, decimals(found.value))),
    ];
  }

  return { node, update };
}
