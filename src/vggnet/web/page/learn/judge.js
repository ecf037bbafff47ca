/** Whether a guess is right, and how that is said. */

import { words } from "../words.js";

/**
 * @param {string} guess "" where it was skipped @param {number} truth @param {number} [within]
 * @returns {boolean | null} null where there was no guess
 */
export function near(guess, truth, within = 0) {
  return guess === "" ? null : Math.abs(Number(guess) - truth) <= within;
}

/** @param {string} guess @param {string} truth @returns {boolean | null} */
export function same(guess, truth) {
  return guess === "" ? null : guess === truth;
}

/** "You said 9; it is 5." @param {string} guess @param {string} truth */
export function youSaid(guess, truth) {
  return guess === ""
    ? words(`It is ${truth}.`, `答案是 ${truth}。`)
    : words(`You said ${guess}; it is ${truth}.`, `你猜 ${guess}，答案是 ${truth}。`);
}
