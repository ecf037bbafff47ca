/** The field that a unit of the loaded model has in theory, and what it is measured to look at. */

import * as api from "../api.js";
import { element, svgElement } from "../elements.js";
import { square } from "../numbers.js";
import { labelled, select } from "../shared/controls.js";
import { colourBar, paintedMatrix } from "../shared/matrices.js";
import { recomputed } from "../shared/recompute.js";
import * as state from "../state.js";
import { words } from "../words.js";

const KEY = "principle.layer";
const FIRST = "conv3_3";
const WITHOUT_MAPS = ["fc", "softmax", "avgpool", "relu", "dropout", "batchnorm"];

export function effectiveField() {
  const node = element("div", { class: "effective" });
  const status = element("p", { class: "status", role: "status" });
  const figure = element("figure", {});
  let layers = null;
  const layer = () => {
    const asked = state.get(KEY) ?? FIRST;
    return layers.includes(asked) ? asked : layers[Math.floor(layers.length / 2)];
  };

  const again = recomputed(
    async (signal) => {
      if (!layers) {
        const model = await api.get("model", {}, { signal });
        layers = model.layers.filter(({ type }) => !WITHOUT_MAPS.includes(type)).map(({ name }) => name);
        if (!signal.aborted) choose(model);
      }
      figure.classList.add("stale");
      status.textContent = words(
        `Measuring what ${layer()} looks at, by hiding one block of a photograph after another: the first time takes seconds, of a deep layer a minute or more.`,
        `正在测量 ${layer()} 看什么：逐块遮住一张照片。第一次需要几秒，深层要一分钟或更久。`,
      );
      return api.get("effective-field", { layer: layer() }, { signal });
    },
    (found) => {
      status.textContent = sentence(found);
      figure.classList.remove("stale");
      figure.replaceChildren(picture(found));
    },
    (problem) => (status.textContent = api.sentenceFor(problem)),
  );

  function choose(model) {
    const chosen = select(layers.map((name) => [name, name]));
    chosen.value = layer();
    chosen.addEventListener("input", () => state.go({ [KEY]: chosen.value === FIRST ? null : chosen.value }));
    const label = words(`Layer of ${model.weights}`, `${model.weights} 的层`);
    node.prepend(labelled(label, chosen));
  }

  node.append(element("div", { class: "measured" }, figure, status));
  // It keeps a processor busy, so it waits until somebody looks.
  let seen = false;
  const watch = new IntersectionObserver(([entry]) => {
    if (!entry.isIntersecting) return;
    seen = true;
    watch.disconnect();
    again(true);
  });
  watch.observe(node);
  return {
    node,
    stop() {
      watch.disconnect();
      again.stop();
    },
    show(key) {
      if (!seen || (key !== null && key !== KEY)) return;
      const chosen = node.querySelector("select");
      if (chosen) chosen.value = layer();
      again();
    },
  };
}

function sentence(found) {
  const { layer, receptive_field: side } = found;
  const seen = Math.round(found.effective_field);
  return words(
    `A unit of ${layer} can see ${square(side)} pixels (the frame). What it does look at, measured on a photograph, is about as much as ${square(seen)}: the middle counts most, for more ways lead from there to the unit.`,
    `${layer} 的一个单元可以看到 ${square(side)} 像素（方框）。在一张照片上测得，它真正看的约相当于 ${square(seen)}：中间最重要，因为从那里到它的路径最多。`,
  );
}

/** What was measured, with the theoretical field as a frame; both in pixels of the picture. */
function picture({ values, field }) {
  const { width, height } = values;
  const place = { x: field.left, y: field.top, width: field.width, height: field.height };
  const frame = (attributes) =>
    svgElement("rect", { ...place, fill: "none", "vector-effect": "non-scaling-stroke", ...attributes });
  const over = svgElement(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    frame({ stroke: "#000", "stroke-width": 4 }),
    frame({ stroke: "#fff", "stroke-width": 2 }),
  );
  return element(
    "div",
    {},
    element("div", { class: "map" }, paintedMatrix(values, "viridis"), over),
    colourBar(values, "viridis"),
  );
}
