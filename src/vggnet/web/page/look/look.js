/**
 * Look: a photograph, what the network says of it and why, what its layers make of it, and what a
 * single unit sees and computes. The photograph stays in this page's memory.
 */

import { askOnce } from "../shared/asked.js";
import { onPhotographs, photographs } from "../shared/photographs.js";
import { isReadable } from "../shared/predicted.js";
import { SIDE } from "../shared/views.js";
import * as state from "../state.js";
import { answerPart } from "./answer.js";
import { chooser } from "./chooser.js";
import { excitePart } from "./excite.js";
import { explanationsPart } from "./explanations.js";
import { filtersPart } from "./filters.js";
import { layersPart } from "./layers.js";
import { markAllOutdated } from "./of_photograph.js";

/**
 * What the parts share.
 *
 * @typedef {object} Look
 * @property {any} model what /api/model says
 * @property {number | null} side pixels of the views on which maps and fields are shown; null: the
 *   network takes one size only
 * @property {() => import("../shared/photographs.js").Photograph} current
 * @property {(...chosen: import("../shared/photographs.js").Photograph[]) => void} choose shows the last;
 *   where that is taken away, the one before it
 * @property {() => boolean} lost whether the address was of a photograph of the reader's that the page has
 *   no more
 */
/** @typedef {{node: HTMLElement, update: () => void}} Part shows anew what has changed */

const OWN = "own"; // what the address says of a photograph of the reader's, and which it is by number

/** @param {Element} root @param {import("../main.js").Context} context */
export async function mount(root, context) {
  const model = await askOnce("model");
  /** Those that were chosen, the newest last: where one is gone, the one before it is shown again. */
  let order = photographs.filter((each) => each.example === null);
  /** @type {Part[]} */
  let parts = [];
  /** @type {Look} */
  const look = {
    model,
    side: model.any_size ? SIDE : null,
    current: () => inAddress() ?? photographs[0],
    choose(...chosen) {
      if (!chosen.length) return;
      const before = new Set([...order, look.current()]);
      order = [...before].filter((each) => !chosen.includes(each)).concat(chosen);
      state.go({ "look.photo": nameOf(chosen.at(-1)) });
      updateSoon();
    },
    lost: () => Boolean(state.get("look.photo")?.startsWith(OWN)) && !inAddress(),
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
    markAllOutdated(look, root);
    const photograph = look.current();
    const readable = await isReadable(photograph);
    if (photograph !== look.current() || !parts.includes(answer)) return;
    for (const part of rest) {
      const { needs } = part.node.dataset;
      part.node.hidden = Boolean(needs) && !(readable && (needs !== "classes" || model.classes));
      if (!part.node.hidden) part.update();
    }
  }

  build();
  context.onChange(build);
  state.onChange((key) => (key === null || key.startsWith("look.")) && updateSoon());
  onPhotographs(() => {
    order = order.filter((each) => photographs.includes(each));
    // Nobody chose this one: no step.
    if (look.lost()) state.set("look.photo", nameOf(order.at(-1) ?? photographs[0]));
    updateSoon();
  });
}

/** What the address says of it. @param {import("../shared/photographs.js").Photograph} photograph */
function nameOf(photograph) {
  return photograph.example ?? `${OWN}-${photograph.id}`;
}

/** The photograph that the address is of, if the page has it. */
function inAddress() {
  const name = state.get("look.photo");
  return photographs.find((each) => nameOf(each) === name);
}
