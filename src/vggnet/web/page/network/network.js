/**
 * The Network tab: one network, or two beside each other, drawn and as a table of costs.
 *
 * All figures come from the server, which counts as `vggnet describe` does; the drawing and the
 * table are those of `vggnet draw`.
 */

import * as api from "../api.js";
import { element } from "../elements.js";
import { recomputed } from "../shared/recompute.js";
import * as state from "../state.js";
import { language, words } from "../words.js";
import { asked, controls } from "./choice.js";
import { editor } from "./editor.js";
import { files } from "./files.js";
import { layers } from "./layers.js";
import { summary } from "./summary.js";

/** @param {HTMLElement} root @param {import("../main.js").Context} context */
export async function mount(root, context) {
  const networks = await api.get("networks");
  /** What the server said last: it stays until the next answer is there. */
  let found = null;
  /** What was wrong with the newest question, if anything was. */
  let fault = null;
  let parts;

  function build() {
    const choice = controls(networks);
    const tokens = editor();
    const status = element("p", { class: "status wrong", role: "alert" });
    const totals = element("div", { class: "totals" });
    const figure = element("div", { class: "figure" });
    const exports = files();
    root.replaceChildren(choice.node, tokens.node, status, totals, figure, exports.node);
    root.append(element("p", { class: "note" }, note()));
    parts = { choice, tokens, status, totals, figure, exports };
    parts.tokens.show(null);
    if (found) draw();
    if (fault) fail(fault);
  }

  async function compute(signal) {
    const params = asked();
    if (params.config.some((each) => !each.trim())) throw nothingWritten();
    // What is wrong with a network is said once, before the others are asked for.
    const described = await api.get("describe", params, { signal });
    const [drawing, table] = await Promise.all([
      api.getText("draw", { ...params, language: language(), legend: 0 }, { signal }),
      api.get("table", { ...params, language: language() }, { signal }),
    ]);
    return { drawing, table: table.html, described: [described].flat() };
  }

  function show(next) {
    found = next;
    fault = null;
    draw();
  }

  function draw() {
    parts.status.textContent = "";
    stale(false);
    parts.tokens.mark(null);
    parts.totals.replaceChildren(summary(found.described));
    parts.figure.replaceChildren(layers(found));
    parts.exports.show(found.described, parts.figure);
    parts.choice.hint(found.described[0]);
  }

  function fail(problem) {
    fault = problem;
    const own = parts.tokens.mark(problem);
    parts.status.textContent = own ? "" : api.sentenceFor(problem);
    stale(true);
    parts.exports.close();
  }

  /** What is shown is of the network before: it is grey, and not to be read or copied as this one's. */
  function stale(is) {
    for (const part of [parts.totals, parts.figure]) {
      part.classList.toggle("stale", is);
      part.inert = is;
    }
  }

  const computeAgain = recomputed(compute, show, fail);
  state.onChange((key) => {
    if (key === "network.layer" || key?.startsWith("network.sort")) return;
    if (key !== null && !key.startsWith("network.")) return;
    parts.choice.show(key);
    parts.tokens.show(key);
    computeAgain();
  });
  context.onChange(() => {
    build();
    computeAgain(true); // the drawing and the tables are the server's, in the page's language
  });
  build();
  computeAgain(true);
}

/** The server would take an empty network for none that is asked for. */
function nothingWritten() {
  return new api.Problem({ detail: "There is no layer yet: write one at least, as conv3-64.", code: "no-convolution" });
}

function note() {
  return words(
    "Counts are of one picture; a MAC is one multiplication with its addition. ReLU and dropout write over their input and have no row. The field is the side of the square of pixels that one unit can see, the jump its distance from its neighbour's. AlexNet is counted without groups, as on one GPU.",
    "以上都按一张图片计算；一次 MAC 是一次乘法加一次加法。ReLU 与 dropout 就地改写输入，不另占行。感受野是一个单元能看到的像素方块的边长，步距是相邻单元的感受野相隔的像素数。AlexNet 按不分组（单块 GPU）计算。",
  );
}
