/** What the network says of the photograph, and the part of it that it was given. */

import { element, svgElement } from "../elements.js";
import { answerBars } from "../shared/answers.js";
import { nameOfPhotograph } from "../shared/photographs.js";
import { predicted } from "../shared/predicted.js";
import { words } from "../words.js";
import { fillOf } from "./of_photograph.js";

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
    picture.replaceChildren(withCrop(photograph.url, name, null), note("\u00a0")); // room for what comes
    fillOf(look, said, words("The network is looking at the photograph…", "网络正在看这张照片…"), async () => {
      const found = await predicted(photograph);
      if (photograph === shown) {
        picture.replaceChildren(withCrop(photograph.url, name, found), note(given(found)));
      }
      return [
        element("h2", {}, words("It says", "它说这是")),
        answerBars(found.predictions),
        note(facts(found)),
      ];
    });
  }

  function facts({ milliseconds }) {
    const time = milliseconds === undefined ? "" : ` ${milliseconds.toFixed(1)} ms`;
    const { threads, input_size: side } = model;
    return words(
      `${model.weights}, ${model.architecture}, ${model.classes} classes, at ${side}×${side} pixels; ` +
        `engine ${model.engine}, ${model.precision}${threads ? `, threads: ${threads}` : ""};${time}`,
      `${model.weights}，${model.architecture}，${model.classes} 类，${side}×${side} 像素；` +
        `引擎 ${model.engine}，${model.precision}${threads ? `，线程数 ${threads}` : ""}；${time}`,
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

/** What the network was given, in a line. */
function given({ crop, photograph: { width, height }, size }) {
  const [across, down] = [Math.round(crop.width), Math.round(crop.height)];
  const scaled = words(`scaled to ${size.join("×")}`, `缩放为 ${size.join("×")}`);
  return across >= width && down >= height
    ? words(
        `The network was given the whole photograph, ${width}×${height} pixels, ${scaled}.`,
        `网络看到的是整张照片：${width}×${height} 像素，${scaled}。`,
      )
    : words(
        `The network was given the bright part: ${across}×${down} of ${width}×${height} pixels, ${scaled}.`,
        `网络看到的是明亮的部分：${width}×${height} 像素中的 ${across}×${down}，${scaled}。`,
      );
}

function note(text) {
  return element("p", { class: "note" }, text);
}
