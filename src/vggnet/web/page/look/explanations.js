/** Why the network says so: maps over the photograph by up to three methods, side by side. */

import { element } from "../elements.js";
import { percent } from "../numbers.js";
import { nameOfClass } from "../shared/answers.js";
import { ask } from "../shared/asked.js";
import { labelled, select } from "../shared/controls.js";
import { emptiness } from "../shared/emptiness.js";
import { colourBar } from "../shared/matrices.js";
import { predicted } from "../shared/predicted.js";
import { stage } from "../shared/stage.js";
import { view } from "../shared/views.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { fillOf } from "./of_photograph.js";
import { section } from "./section.js";

const METHODS = ["grad-cam", "occlusion", "gradient"];
const STRENGTH = 60;

/** @param {import("./look.js").Look} look @returns {import("./look.js").Part} */
export function explanationsPart(look) {
  const { model } = look;
  const opacity = () => state.whole("look.strength", { most: 100, initial: STRENGTH }) / 100;
  const panels = METHODS.map((method) => element("figure", { class: "explanation", "data-method": method }));
  const strength = element("input", {
    type: "range", min: 0, max: 100, value: opacity() * 100,
    oninput: () => state.set("look.strength", Number(strength.value) === STRENGTH ? null : strength.value),
  });
  const classes = element("span", {});
  const node = section(
    words("Why it says so", "为什么这么说"),
    element("p", {}, words(
      "Three ways to ask which places speak for a class. They need not agree: each asks something else.",
      "用三种方法问：哪些位置支持这个类别。它们不必一致，因为各自问的问题不同。",
    )),
    element(
      "div",
      { class: "controls" },
      classes,
      labelled(words("Strength of the overlay", "叠加的强度"), strength),
    ),
    element("div", { class: "explanations" }, ...panels),
  );
  node.dataset.needs = "classes";
  let shown = "";

  function update() {
    const photograph = look.current();
    const asked = state.whole("look.class", { most: model.classes - 1, initial: null });
    for (const each of node.querySelectorAll("canvas")) if (each.matches(".over")) each.style.opacity = String(opacity());
    const now = `${photograph.id} ${asked}`;
    if (now === shown) return;
    shown = now;
    chooseClass(photograph, asked);
    // One after the other, so that a unit that is clicked need not wait for all of them.
    let before = Promise.resolve();
    panels.forEach((panel, at) => (before = show(panel, METHODS[at], photograph, asked, before)));
  }

  /** The five answers, and the class that the address names where it is none of them. */
  async function chooseClass(photograph, asked) {
    const now = shown;
    await fillOf(look, classes, null, async () => {
      const { predictions } = await predicted(photograph);
      if (now !== shown) return;
      const known = predictions.map((each) => [String(each.index), nameOfClass(each)]);
      const chosen = asked === null ? known[0][0] : String(asked);
      if (!known.some(([value]) => value === chosen)) known.push([chosen, words(`class ${chosen}`, `类别 ${chosen}`)]);
      // The first answer, whatever the photograph, needs no key.
      const choice = select(known, {
        onchange: () => state.go({ "look.class": choice.value === known[0][0] ? null : choice.value }),
      });
      choice.value = chosen;
      const focused = classes.contains(document.activeElement);
      classes.replaceChildren(labelled(words("Class to explain", "要解释的类别"), choice));
      if (focused) choice.focus();
    });
  }

  async function show(panel, method, photograph, asked, before) {
    const now = shown;
    const title = element("h3", {}, titleOf(method));
    if (!model.methods.includes(method)) {
      const needs = words("Needs torch, which is not installed on this server.", "需要 torch，本服务器没有安装。");
      return panel.replaceChildren(title, element("p", { class: "note" }, needs));
    }
    await fillOf(look, panel, working(method), async (signal) => {
      await before;
      if (now !== shown) return [];
      const found = await ask(photograph, "explain", { method, class: asked }, signal);
      const { url } = await view(photograph, look.side);
      const name = words(`${titleOf(method)} over the photograph`, `照片上的${titleOf(method)}`);
      const nothing = emptiness(found);
      return [
        title,
        stage(url, name, { matrix: found.empty ? null : found.values, strength: opacity() }),
        found.empty ? null : colourBar(found.values),
        nothing && element("p", { class: "empty" }, nothing),
        element("figcaption", {}, caption(found, method)),
      ].filter((each) => each !== null);
    });
  }

  return { node, update };
}

function titleOf(method) {
  return {
    "grad-cam": "Grad-CAM",
    occlusion: words("Occlusion", "遮挡法"),
    gradient: words("Gradient", "梯度"),
  }[method];
}

function working(method) {
  return {
    "grad-cam": words("Computing Grad-CAM…", "正在计算 Grad-CAM…"),
    occlusion: words("Hiding one place after another; it takes some seconds…", "正在逐处遮挡，需要几秒钟…"),
    gradient: words("Computing the gradient; the first time takes some seconds…", "正在计算梯度，第一次需要几秒钟…"),
  }[method];
}

/** What a map shows, and of how many pixels the network was given. */
function caption({ layer, positions, size, probability_there: there }, method) {
  const pixels = size.join("×");
  if (method === "grad-cam") {
    return words(
      `The maps of ${layer}, weighed by how much the class score grows with them: ` +
        `${positions.join("×")} positions at ${pixels} pixels, where the class gets ${percent(there)}.`,
      `${layer} 的特征图，按类别分数随其增长的程度加权：${pixels} 像素时有 ${positions.join("×")} 个位置，此时该类概率为 ${percent(there)}。`,
    );
  }
  if (method === "occlusion") {
    return words(
      `How far the probability falls where a patch is hidden, at ${pixels} pixels; blue: it rises.`,
      `遮住一块时概率下降多少，${pixels} 像素；蓝色表示上升。`,
    );
  }
  return words(
    `How strongly the class score depends on each pixel, at ${pixels} pixels.`,
    `类别分数对每个像素的依赖程度，${pixels} 像素。`,
  );
}
