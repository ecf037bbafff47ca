/**
 * Look: a photograph, what the network says of it and why, what its layers make of it, and what a
 * single unit sees and computes. The photograph stays in this page's memory.
 */

import { askOnce } from "../shared/asked.js";
import { onPhotographs, photographs } from "../shared/photographs.js";
import { isReadable } from "../shared/predicted.js";
import * as state from "../state.js";
import { answerPart } from "./answer.js";
import { chooser } from "./chooser.js";
import { excitePart } from "./excite.js";
import { explanationsPart } from "./explanations.js";
import { filtersPart } from "./filters.js";
import { layersPart } from "./layers.js";

/**
 * What the parts share.
 *
 * @typedef {object} Look
 * @property {any} model what /api/model says
 * @property {number | null} side pixels of the views on which maps and fields are shown; null: the
 *   network takes one size only
 * @property {() => import("../shared/photographs.js").Photograph} current
 * @property {(photograph: import("../shared/photographs.js").Photograph) => void} choose
 */
/** @typedef {{node: HTMLElement, update: () => void}} Part shows anew what has changed */

const SIDE = 224; // of the views, where the network takes any size

/** @param {Element} root @param {import("../main.js").Context} context */
export async function mount(root, context) {
  const model = await askOnce("model");
  let own = photographs.findLast((each) => each.example === null) ?? null;
  /** @type {Part[]} */
  let parts = [];
  /** @type {Look} */
  const look = {
    model,
    side: model.any_size ? SIDE : null,
    current: () => own ?? example(state.get("look.photo")),
    choose(photograph) {
      own = photograph.example ? null : photograph;
      if (photograph.example) state.set("look.photo", photograph.example);
      updateSoon();
    },
  };

  function build() {
    const [pictures, answer] = [chooser(look, root), answerPart(look)];
    const rest = [explanationsPart, layersPart, excitePart, filtersPart].map((part) => part(look));
    root.replaceChildren(pictures.node, answer.node, ...rest.map((part) => part.node));
    parts = [pictures, answer, ...rest];
    update();
  }

  let waiting = false;
  /** Several changes at once are one. */
  function updateSoon() {
    if (!waiting) queueMicrotask(() => ((waiting = false), update()));
    waiting = true;
  }

  /** What needs a photograph is shown once it was read. */
  async function update() {
    const [pictures, answer, ...rest] = parts;
    pictures.update();
    answer.update();
    const photograph = look.current();
    const readable = await isReadable(photograph);
    if (photograph !== look.current() || !parts.includes(answer)) return;
    for (const part of rest) {
      part.node.hidden = !readable && part.node.dataset.needs === "photograph";
      if (!part.node.hidden) part.update();
    }
  }

  build();
  context.onChange(build);
  state.onChange((key) => (key === null || key.startsWith("look.")) && updateSoon());
  onPhotographs(() => {
    if (own && !photographs.includes(own)) own = null;
    updateSoon();
  });
}

function example(name) {
  return photographs.find((each) => each.example === name) ?? photographs[0];
}
