/** One step of Learn: a question with a guess, then the answer, its formula and a way on. */

import { element } from "../elements.js";
import { fill } from "../shared/fill.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { linksTo } from "./glossary.js";
import { guessForm, isPossible } from "./guess.js";

/**
 * What a step is. `guess` is a number, one of several choices, or a spot in the figure, which calls
 * `propose`. `figure` draws beside the text, before and after; `answer` gives the text after it.
 *
 * @typedef {object} Step
 * @property {() => string} title
 * @property {() => (Node | string)[]} question
 * @property {import("./guess.js").Guess} guess
 * @property {(scene: Scene, signal: AbortSignal) => Node[] | Promise<Node[]>} figure
 * @property {(scene: Scene) => Promise<Answer>} answer
 * @property {More} [more]
 * @property {string[]} [newWords] what the glossary explains and no step before uses
 * @property {string[]} [controls] keys of what can be moved in the figure, which shows that itself
 * @property {"redraw" | "ask"} [withPhotograph] what it does when the reader has another photograph
 */
/**
 * The way on: a tab, and what its controls say then; all others stand as at first. With null all stay
 * as they are.
 *
 * @typedef {{tab: string, state: Record<string, string> | null, label: () => string}} More
 */
/** @typedef {{right: boolean | null, verdict: string, body: (Node | string)[]}} Answer */
/**
 * @typedef {object} Scene
 * @property {string | null} guess null before, "" where it was skipped
 * @property {(value: string) => void} propose takes a guess from the figure
 * @property {() => void} again draws the figure anew
 */

const SKIPPED = "-";

/**
 * @param {Step} step @param {number} number from 1 @param {import("../main.js").Context} context
 * @returns {{node: HTMLElement, update: (changed: string | null) => void, otherPhotograph: () => void}}
 */
export function buildStep(step, number, context) {
  const key = `learn.${number}`;
  const heading = `learn-${number}`;
  const below = element("div");
  const place = element("div", { class: "step-figure" });
  const node = element(
    "article",
    { class: "step", "aria-labelledby": heading },
    element(
      "div",
      { class: "step-text" },
      element(
        "h3",
        { id: heading },
        element("span", { class: "step-number" }, `${number}`),
        element("span", {}, step.title()),
      ),
      ...paragraphs(step.question()),
      below,
      ...(step.newWords ? [linksTo(step.newWords)] : []),
    ),
    place,
  );
  let shown;

  /** Show the step as the address says, unless it is shown so already. @param {string | null} [changed] the key */
  function update(changed = null) {
    const kept = state.get(key);
    const now = JSON.stringify([kept, ...(step.controls ?? []).map(state.get)]);
    if (now === shown) return;
    shown = now;
    if (changed !== null && changed !== key) return; // a control of the figure, which shows it
    const hadFocus = node.contains(document.activeElement);
    const guess = kept === SKIPPED ? "" : kept !== null && isPossible(step.guess, kept) ? kept : null;
    const draw = () => fill(place, null, (signal) => step.figure(scene, signal));
    const scene = { guess, propose, again: () => keepingFocus(draw) };
    node.dataset.answered = String(guess !== null);
    draw();
    if (guess === null) ask(hadFocus);
    else reveal(scene, hadFocus);
  }

  /** Draw, and leave the focus on the control of the figure that had it. */
  async function keepingFocus(draw) {
    const controls = () => /** @type {HTMLElement[]} */ ([...place.querySelectorAll("button, input")]);
    const focused = controls().indexOf(/** @type {HTMLElement} */ (document.activeElement));
    await draw();
    controls()[focused]?.focus();
  }

  function ask(hadFocus) {
    const form = guessForm(step.guess, `${heading}-guess`, propose);
    below.replaceChildren(form);
    if (hadFocus) /** @type {HTMLElement} */ (form.querySelector("input, button"))?.focus({ preventScroll: true });
  }

  function propose(value) {
    if (node.dataset.answered === "true") return;
    state.set(key, value === "" ? SKIPPED : value);
  }

  async function reveal(scene, hadFocus) {
    const said = element("div", { class: "verdict", tabindex: "-1" });
    const rest = element("div");
    below.replaceChildren(said, rest);
    const working = words("Computing the answer…", "正在计算答案…");
    await fill(rest, working, async () => {
      const { right, verdict, body } = await step.answer(scene);
      said.dataset.right = String(right);
      said.replaceChildren(element("p", {}, sign(right), verdict));
      return [...paragraphs(body), onward()];
    });
    if (hadFocus && below.contains(said)) said.focus({ preventScroll: true });
  }

  function sign(right) {
    if (right === null) return null;
    const text = right ? words("Right. ", "猜对了。") : words("Not quite. ", "还差一点。");
    return element("strong", {}, text);
  }

  function onward() {
    const again = element(
      "button",
      { type: "button", class: "quiet", onclick: () => state.set(key, null) },
      words("Guess again", "再猜一次"),
    );
    const more =
      step.more &&
      element(
        "a",
        {
          href: `?${new URLSearchParams({ ...step.more.state, tab: step.more.tab })}`,
          onclick(event) {
            if (event.ctrlKey || event.metaKey || event.shiftKey) return;
            event.preventDefault();
            const { tab, state: values } = step.more;
            context.open(tab, values ? { ...state.none(`${tab}.`), ...values } : {});
            /** @type {HTMLElement} */ (document.querySelector('[role="tab"][aria-selected="true"]')).focus();
            scrollTo(0, 0);
          },
        },
        `${step.more.label()} →`,
      );
    return element("p", { class: "step-onward" }, more, again);
  }

  function otherPhotograph() {
    if (!step.withPhotograph) return;
    shown = undefined;
    if (step.withPhotograph === "ask") state.set(key, null);
    update();
  }

  update();
  return { node, update, otherPhotograph };
}

/** @param {(Node | string)[]} parts */
function paragraphs(parts) {
  return parts.map((each) => (typeof each === "string" ? element("p", {}, each) : each));
}
