/**
 * The Principle tab: why stacks of 3x3 kernels. What a stack sees, what it costs against the single
 * kernel of equal field, which kernel it is without ReLU, and what a trained unit really sees.
 */

import { element } from "../elements.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { composition } from "./composition.js";
import { costs } from "./costs.js";
import { effectiveField } from "./effective_field.js";
import { field } from "./field.js";
import { chooser } from "./kernels.js";

/** @param {HTMLElement} root @param {import("../main.js").Context} context */
export async function mount(root, context) {
  let parts = [];

  function build() {
    parts.forEach((part) => part.stop?.());
    const choice = chooser();
    const seen = field();
    const cost = costs();
    const composed = composition();
    const measured = effectiveField();
    parts = [choice, seen, cost, composed, measured];
    root.replaceChildren(
      choice.node,
      element("div", { class: "halves" }, seen.node, cost.node),
      element("h2", {}, words("Without ReLU a stack is one kernel", "没有 ReLU，几个卷积核就是一个")),
      composed.node,
      element(
        "div",
        { class: "trained" },
        element("h2", {}, words("What a trained unit really sees", "训练好的单元实际看到什么")),
        measured.node,
      ),
    );
  }

  state.onChange((key) => {
    if (key === null || key.startsWith("principle.")) parts.forEach((part) => part.show(key));
  });
  context.onChange(build);
  build();
}
