/** A slider for the position in a motion, with step and pause; it plays only when it is asked to. */

import { element } from "../figures.js";

const PACE = 900; // milliseconds a position

/**
 * @param {string} label of the slider @param {number} last position, from 0 @param {number} start
 * @param {import("./step.js").Words} words @param {(position: number) => void} show
 */
export function player(label, last, start, words, show) {
  let timer = 0;
  const slider = element("input", {
    type: "range", min: 0, max: last, value: start, "aria-label": label,
    oninput: () => (pause(), show(Number(slider.value))),
  });
  const play = element("button", { type: "button", onclick: () => (timer ? pause() : begin()) });
  const step = element(
    "button",
    { type: "button", onclick: () => (pause(), go((Number(slider.value) + 1) % (last + 1))) },
    words("Step", "单步"),
  );

  function go(position) {
    slider.value = String(position);
    show(position);
  }

  function begin() {
    if (Number(slider.value) === last) go(0);
    timer = setInterval(() => {
      if (!slider.isConnected || Number(slider.value) === last) pause();
      else go(Number(slider.value) + 1);
    }, PACE);
    name();
  }

  function pause() {
    clearInterval(timer);
    timer = 0;
    name();
  }

  function name() {
    play.textContent = timer ? words("Pause", "暂停") : words("Play", "播放");
  }

  name();
  show(start);
  return element("div", { class: "player" }, play, step, slider);
}
