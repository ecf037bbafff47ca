/** The forms by which a reader guesses: a number, or one of several; a spot is taken by the figure. */

import { element } from "../elements.js";
import { words } from "../words.js";

/**
 * @typedef {{kind: "number", unit: () => string, least: number, most: number, per?: () => number}} NumberGuess
 *   `per`: how many of the reader's unit are 1; the guess itself is the same in every language
 * @typedef {{kind: "choice", choices: () => [string, string][]}} ChoiceGuess value, text
 * @typedef {{kind: "spot", hint: () => string}} SpotGuess
 * @typedef {NumberGuess | ChoiceGuess | SpotGuess} Guess
 */

/**
 * Whether a guess, as the address has it, could have been made. @param {Guess} guess @param {string} value
 */
export function isPossible(guess, value) {
  if (guess.kind === "number") return value.trim() !== "" && Number.isFinite(Number(value));
  return guess.kind === "spot" || guess.choices().some(([each]) => each === value);
}

/**
 * @param {Guess} guess @param {string} id unique on the page
 * @param {(value: string) => void} propose "": skipped
 */
export function guessForm(guess, id, propose) {
  const skip = element(
    "button",
    { type: "button", class: "quiet", onclick: () => propose("") },
    words("Show me the answer", "不猜，直接看答案"),
  );
  if (guess.kind === "spot") {
    return element("p", { class: "guess" }, element("span", {}, guess.hint()), skip);
  }
  if (guess.kind === "choice") {
    const buttons = guess.choices().map(([value, text]) =>
      element("button", { type: "button", value, onclick: () => propose(value) }, text),
    );
    return element(
      "div",
      { class: "guess", role: "group", "aria-label": words("Your guess", "你的猜测") },
      ...buttons,
      skip,
    );
  }
  const per = guess.per?.() ?? 1;
  const input = element("input", {
    id,
    type: "number",
    inputmode: "numeric",
    required: true,
    min: guess.least * per,
    max: guess.most * per,
    step: "any",
  });
  return element(
    "form",
    {
      class: "guess",
      onsubmit(event) {
        event.preventDefault();
        propose(String(Number(input.value) / per));
      },
    },
    element("label", { for: id }, words("Your guess", "你猜")),
    input,
    element("span", {}, guess.unit()),
    element("button", { type: "submit", class: "primary" }, words("Check my guess", "核对我的猜测")),
    skip,
  );
}
