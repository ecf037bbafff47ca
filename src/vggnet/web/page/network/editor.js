/**
 * The reader's own network, in the tokens of the paper's Table 1.
 *
 * Tokens that are none are marked where they stand; the message names the first one's line and
 * column, and takes the cursor there.
 */

import { sentenceFor } from "../api.js";
import { element } from "../elements.js";
import { keepInAddress } from "../shared/controls.js";
import * as state from "../state.js";
import { words } from "../words.js";

export const OWN = "own";
const [FEWEST_ROWS, MOST_ROWS] = [4, 14];
const FIRST = `conv3-64 conv3-64
maxpool
conv3-128 conv3-128
maxpool
conv3-256 conv3-256 conv3-256
maxpool
conv3-512 conv3-512 conv3-512
maxpool
conv3-512 conv3-512 conv3-512
maxpool
FC-4096 FC-4096 FC-1000
soft-max`;

export function ownTokens() {
  return state.get("network.tokens") ?? FIRST;
}

export function editor() {
  const id = "network-tokens";
  const area = element("textarea", {
    id,
    spellcheck: "false",
    autocapitalize: "off",
    autocomplete: "off",
    "aria-describedby": `${id}-hint ${id}-error`,
  });
  const behind = element("pre", { class: "behind", "aria-hidden": "true" });
  const error = element("p", { class: "wrong", id: `${id}-error`, role: "status" });
  const show = keepInAddress(area, "network.tokens", FIRST);
  let places = [];

  area.addEventListener("input", () => {
    mark(null);
    fit();
  });
  area.addEventListener("scroll", () => (behind.scrollTop = area.scrollTop));

  function fit() {
    const lines = area.value.split("\n").length;
    area.rows = Math.min(Math.max(lines, FEWEST_ROWS), MOST_ROWS);
  }

  function mark(problem) {
    const faults = problem?.places ?? (problem?.line ? [problem] : []);
    places = faults.map(({ line, column }) => placeOf(area.value, line, column ?? 1));
    const own = problem !== null && !node.hidden;
    area.setAttribute("aria-invalid", String(own));
    const starts = [0, ...places.map(([, end]) => end)];
    behind.replaceChildren(
      ...places.flatMap(([start, end], at) => [
        area.value.slice(starts[at], start),
        element("mark", {}, area.value.slice(start, end)),
      ]),
      `${area.value.slice(starts[places.length])}\n`,
    );
    error.replaceChildren(...(own ? message(problem) : []));
    return own;
  }

  function message(problem) {
    const detail = sentenceFor(problem).replace(/^spec 'custom': /, "");
    if (!places.length) return [detail];
    const { line, column } = problem;
    const where = words(`Line ${line}, column ${column}`, `第 ${line} 行第 ${column} 列`);
    const go = () => {
      area.focus();
      area.setSelectionRange(places[0][0], places[0][1]);
    };
    const button = element("button", { type: "button", onclick: go }, where);
    return [button, ` ${detail}`];
  }

  const node = element(
    "div",
    { class: "editor" },
    element("label", { for: id }, words("Layers, as Table 1 of the paper writes them", "各层，写法同论文表 1")),
    element("div", { class: "area" }, behind, area),
    error,
    element(
      "p",
      { class: "note", id: `${id}-hint` },
      words(
        "conv3-64 is a 3×3 convolution with 64 channels, each followed by ReLU. Then maxpool, LRN, avgpool, FC-4096, soft-max.",
        "conv3-64 是 64 通道的 3×3 卷积，之后都有 ReLU。另有 maxpool、LRN、avgpool、FC-4096、soft-max。",
      ),
    ),
  );
  return {
    node,
    mark,
    /** @param {string | null} changed */
    show(changed) {
      show(changed);
      fit();
      node.hidden = ![state.get("network.config"), state.get("network.beside")].includes(OWN);
      if (!places.length) mark(null);
    },
  };
}

/** From where to where the token at a line and column stands, which count from 1. */
function placeOf(text, line, column) {
  const before = text.split("\n").slice(0, line - 1).join("\n");
  const start = Math.min(text.length, before.length + (line > 1 ? 1 : 0) + column - 1);
  const token = /^\S*/.exec(text.slice(start))[0];
  return [start, Math.min(text.length, start + Math.max(1, token.length))];
}
