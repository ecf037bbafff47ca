/** The layers of a network as rows with bars; before the guess each is a button, without its bar. */

import { bar, element } from "../elements.js";
import { words } from "../words.js";

/**
 * @typedef {{name: string, type: string, shape?: string, counts: number[], values: string[]}} Row
 *   `counts` are what the bars show, one a measure, and `values` their texts; a row may have no bars
 * @typedef {{guess: string | null, propose: (value: string) => void, right: string[]}} Question
 *   which of the rows it is
 */

/**
 * @param {Row[]} rows @param {string[]} measures what the bars are of, in words; the longest of each
 *   is as long as there is room
 * @param {Partial<Question>} [question] without one the rows only tell
 */
export function layerList(rows, measures, { guess = "", propose, right = [] } = {}) {
  const asked = guess === null;
  const most = measures.map((_, at) => Math.max(...rows.map(({ counts }) => counts[at] ?? 0)));
  const list = element("ol", { class: `layer-list ${asked ? "asked" : ""}` });
  for (const row of rows) {
    const name = element("span", { class: "layer-name" }, row.name);
    if (asked) {
      const about = element("span", { class: "layer-shape" }, row.shape ?? "");
      const button = element("button", { type: "button", onclick: () => propose(row.name) }, name, about);
      list.append(element("li", { class: `kind-${row.type}` }, button));
      continue;
    }
    const bars = element("span", { class: "layer-bars" });
    const values = element("span", { class: "layer-value" });
    bars.append(...row.counts.map((count, at) => bar(count / most[at], `measure-${at}`)));
    values.append(...row.values.map((value) => element("span", {}, value)));
    const mark = right.includes(row.name) ? "most" : row.name === guess ? "guessed" : null;
    const item = element("li", { class: `kind-${row.type} ${mark ?? ""}` }, name, bars, values);
    if (mark) name.append(element("span", { class: "mark" }, mark === "most" ? " ◀" : " ◁"));
    list.append(item);
  }
  if (asked || measures.length === 0) return [list];
  const legend = element(
    "p",
    { class: "legend" },
    ...measures.map((text, at) => element("span", { class: `measure-${at}` }, text)),
    ...(right.length ? [element("span", {}, guess && !right.includes(guess) ? words("◀ most ◁ your guess", "◀ 最多 ◁ 你猜的") : words("◀ most", "◀ 最多"))] : []),
  );
  return [legend, list];
}
