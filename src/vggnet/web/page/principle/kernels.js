/** Which kernels stand in the stack: two ready-made ones, or a list of one's own. */

import { element } from "../elements.js";
import { square } from "../numbers.js";
import { select } from "../shared/controls.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { fieldOf } from "./stack.js";

const KEY = "principle.kernels";
const FIRST = [3, 3, 3];
const SIDES = [1, 3, 5, 7];
const MOST = 5;
const LARGEST_FIELD = 25; // pixels a side that can still be drawn

/** @returns {number[]} */
export function kernelsAsked() {
  const asked = (state.get(KEY) ?? "").split(",").map(Number);
  return allowed(asked) ? asked : FIRST;
}

export function chooser() {
  const node = element("div", { class: "controls chooser" });

  function show(key = KEY) {
    if (key !== null && key !== KEY) return;
    const inside = () => /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll("button, select"));
    const focused = [...inside()].findIndex((each) => each === document.activeElement);
    const kernels = kernelsAsked();
    const ready = (sides, text) =>
      element(
        "button",
        { type: "button", "aria-pressed": String(sides.join() === kernels.join()), onclick: () => ask(sides) },
        text,
      );
    const one = (side, at) => {
      const made = select(
        SIDES.map((each) => [String(each), square(each)]),
        { "aria-label": words(`Kernel ${at + 1}`, `第 ${at + 1} 个核`) },
      );
      made.value = String(side);
      made.addEventListener("input", () => ask(kernels.with(at, Number(made.value))));
      for (const option of made.options) {
        option.disabled = !allowed(kernels.with(at, Number(option.value)));
      }
      return made;
    };
    const step = (text, label, next) =>
      element("button", { type: "button", "aria-label": label, disabled: !allowed(next), onclick: () => ask(next) }, text);
    node.replaceChildren(
      ready([3, 3], words("two 3×3 for one 5×5", "两个 3×3 代替一个 5×5")),
      ready([3, 3, 3], words("three 3×3 for one 7×7", "三个 3×3 代替一个 7×7")),
      element(
        "fieldset",
        { class: "control own" },
        element("legend", {}, words("or kernel by kernel", "或逐个选择")),
        element(
          "div",
          {},
          ...kernels.map(one),
          step("−", words("One kernel less", "减少一个核"), kernels.slice(0, -1)),
          step("+", words("One kernel more", "增加一个核"), [...kernels, 3]),
        ),
      ),
    );
    if (focused >= 0) inside()[focused]?.focus();
  }

  show();
  return { node, show };
}

function allowed(kernels) {
  return (
    kernels.length >= 1 && kernels.length <= MOST &&
    kernels.every((side) => SIDES.includes(side)) && fieldOf(kernels) <= LARGEST_FIELD
  );
}

function ask(kernels) {
  // Another stack has other steps.
  state.go({ "principle.step": null, [KEY]: kernels.join() === FIRST.join() ? null : kernels.join() });
}
