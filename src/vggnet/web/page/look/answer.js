/** What the network says of the photograph, and the part of it that it was given. */

import * as api from "../api.js";
import { element, svgElement } from "../elements.js";
import { answerBars } from "../shared/answers.js";
import { fill } from "../shared/fill.js";
import { nameOfPhotograph } from "../shared/photographs.js";
import { predicted } from "../shared/predicted.js";
import { words } from "../words.js";

/** @param {import("./look.js").Look} look @returns {import("./look.js").Part} */
export function answerPart(look) {
  const { model } = look;
  const picture = element("div", { class: "answer-picture" });
  const said = element("div", { class: "answer-said" });
  const node = element("div", { class: "answer-part" }, picture, said);
  let shown = null;

  function update() {
    const photograph = look.current();
    if (photograph === shown) return;
    shown = photograph;
    const name = nameOfPhotograph(photograph);
    picture.replaceChildren(withCrop(photograph.url, name, null));
    fill(said, words("The network is looking at the photograph…", "网络正在看这张照片…"), async () => {
      const found = await answered(photograph);
      if (photograph === shown) {
        picture.replaceChildren(withCrop(photograph.url, name, found), cropNote(found));
      }
      return [
        element("h2", {}, words("It says", "它说这是")),
        answerBars(found.predictions),
        element("p", { class: "note" }, facts(found)),
      ];
    });
  }

  async function answered(photograph) {
    try {
      return await predicted(photograph);
    } catch (problem) {
      if (!problem.detail) throw problem;
      if (photograph === shown) picture.replaceChildren();
      const advice = words("Choose another photograph above.", "请在上面换一张照片。");
      const sentence = problem.detail.replace(/[.。]?$/, words(". ", "。"));
      throw new api.Problem({ detail: `${sentence}${advice}` });
    }
  }

  function facts({ milliseconds }) {
    const time = milliseconds === undefined ? "" : ` ${milliseconds.toFixed(1)} ms`;
    const side = model.input_size;
    return words(
      `${model.weights}, ${model.architecture}, ${model.classes} classes, at ${side}×${side} pixels; ` +
        `engine ${model.engine}, ${model.precision}, threads: ${model.threads};${time}`,
      `${model.weights}，${model.architecture}，${model.classes} 类，${side}×${side} 像素；` +
        `引擎 ${model.engine}，${model.precision}，线程数 ${model.threads}；${time}`,
    );
  }

  return { node, update };
}

/** The photograph; what lies outside of the crop is darkened. */
function withCrop(url, name, found) {
  const picture = element("img", { src: url, alt: name, onerror: () => (picture.hidden = true) });
  const node = element("div", { class: "photograph" }, picture);
  if (found?.crop && found.photograph) {
    const { width, height } = found.photograph;
    const { left, top, width: across, height: down } = found.crop;
    const inner = `M${left} ${top}h${across}v${down}h${-across}z`;
    const stroke = Math.max(width, height) / 200;
    node.append(
      svgElement(
        "svg",
        { class: "over", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", "aria-hidden": "true" },
        svgElement("path", { d: `M0 0H${width}V${height}H0z${inner}`, class: "outside", "fill-rule": "evenodd" }),
        svgElement("path", { d: inner, class: "crop", "stroke-width": stroke }),
      ),
    );
  }
  return node;
}

function cropNote({ crop, photograph }) {
  if (!crop) return "";
  const whole = `${photograph.width}×${photograph.height}`;
  const seen = `${Math.round(crop.width)}×${Math.round(crop.height)}`;
  return element(
    "p",
    { class: "note" },
    words(
      `The network was given the bright part: ${seen} of ${whole} pixels.`,
      `网络看到的是明亮的部分：${whole} 像素中的 ${seen}。`,
    ),
  );
}
