/** Play, pause, step and a slider for the position: a figure moves only when the reader wants it. */

import { element } from "../elements.js";
import { words } from "../words.js";

const WHOLE = 12_000; // milliseconds at most for all steps
const SLOWEST = 700; // and at most for one

/**
 * @param {object} steps
 * @param {number} steps.count @param {number} steps.at where it stands at first, from 0
 * @param {(at: number) => void} steps.show is called with each new position
 * @param {string} [steps.label] of the slider @param {(at: number) => string} [steps.text] of a position
 * @returns {{node: HTMLElement, stop: () => void}}
 */
export function player({ count, at, show, label = words("Step", "步"), text = numbered(count) }) {
  let timer = 0;
  const slider = /** @type {HTMLInputElement} */ (
    element("input", {
      type: "range", min: 1, max: count, value: at + 1, "aria-label": label,
      oninput: () => (stop(), move(Number(slider.value) - 1)),
    })
  );
  const play = element("button", { type: "button", class: "play", onclick: () => (timer ? stop() : start()) });
  const button = (sign, name, by) =>
    element("button", { type: "button", "aria-label": name, onclick: () => (stop(), move(at + by)) }, sign);
  const node = element(
    "div",
    { class: "player" },
    play,
    button("◂", words("One step back", "退一步"), -1),
    button("▸", words("One step on", "进一步"), 1),
    slider,
  );

  function move(to) {
    at = Math.min(Math.max(to, 0), count - 1);
    slider.value = String(at + 1);
    slider.setAttribute("aria-valuetext", text(at));
    show(at);
  }
  function start() {
    if (at === count - 1) move(0);
    timer = setInterval(() => {
      if (!slider.isConnected) return stop();
      move(at + 1);
      if (at === count - 1) stop();
    }, Math.min(SLOWEST, WHOLE / count));
    name();
  }
  function stop() {
    clearInterval(timer);
    timer = 0;
    name();
  }
  function name() {
    play.textContent = timer ? words("Pause", "暂停") : words("Play", "播放");
  }

  name();
  move(at);
  return { node, stop };
}

function numbered(count) {
  return (at) => words(`${at + 1} of ${count}`, `${count} 步中的第 ${at + 1} 步`);
}
