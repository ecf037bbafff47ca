/**
 * The drawing, the tables and the panel of one layer, joined by one selection.
 *
 * Drawing and tables are the server's, those of `vggnet draw`.
 */

// @ts-ignore: the server has what is drawn elsewhere beneath the page
import { linkSelection } from "../drawing/selection.js";
// @ts-ignore: as above
import { makeSortable } from "../drawing/sorting.js";
import { element } from "../elements.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { legend } from "./legend.js";
import { panel } from "./panel.js";

const WIDEST_THAT_FITS = 1400; // pixels

/**
 * @param {{drawing: string, table: string, described: any[]}} found
 * @returns {HTMLElement}
 */
export function layers({ drawing, table, described }) {
  const aside = element("aside", { class: "panel", "aria-label": words("The selected layer", "所选的层") });
  const tables = tablesOf(table).map((each, number) => {
    const scrolled = {
      class: "costs",
      role: "group",
      "aria-label": words(`What each layer of ${described[number].name} costs`, `${described[number].name} 各层的开销`),
    };
    const heading = described.length > 1 ? element("h3", {}, described[number].name) : null;
    return element("div", {}, heading, element("div", scrolled, each));
  });
  const drawn = drawingOf(drawing);
  const root = element(
    "div",
    {},
    element(
      "div",
      {
        class: "drawing",
        "data-drawing": true,
        tabindex: 0,
        role: "group",
        "aria-label": words(
          "The layers; the arrow keys go from one to the next",
          "各层；用方向键逐层移动",
        ),
      },
      drawn,
    ),
    legend(drawn),
    element("div", { class: "aside" }, aside, element("div", { class: "tables" }, ...tables)),
  );
  markDifferences(root);
  root.querySelectorAll("table").forEach(keepSorted);

  const atFirst = heaviest(root, described);
  const select = linkSelection(root, (row) => {
    const { network, layers } = row.dataset;
    const name = network === "0" ? layers : `${network}:${layers}`;
    state.set("network.layer", row === atFirst ? null : name);
    aside.replaceChildren(...panel(described[network], layers));
  });
  select(rowAsked(root) ?? atFirst);
  return root;
}

/** The row that the address names, if there is one. */
function rowAsked(root) {
  const [, network, name] = /^(?:(\d+):)?(.*)$/.exec(state.get("network.layer") ?? "");
  return rowOf(root, name, network ?? "0");
}

/** The row of the layer with most parameters. */
function heaviest(root, described) {
  const { name } = described[0].layers.reduce((a, b) => (b.parameters > a.parameters ? b : a));
  return rowOf(root, name, "0") ?? root.querySelector("tr[data-layers]");
}

function rowOf(root, layer, network) {
  const rows = [...root.querySelectorAll("tr[data-layers]")];
  return rows.find((row) => row.dataset.layers === layer && row.dataset.network === network);
}

/** The drawing without its own style, which the page's rules forbid and its themes replace. */
function drawingOf(svg) {
  const bare = svg.replace(/<style>[^]*?<\/style>/, "");
  const parsed = new DOMParser().parseFromString(bare, "image/svg+xml").documentElement;
  parsed.querySelectorAll("title").forEach((each) => each.remove()); // the panel says more
  // Drawings that are a little too wide are made to fit; of wider ones the letters would be too small.
  if (Number(parsed.getAttribute("width")) <= WIDEST_THAT_FITS) parsed.classList.add("fits");
  return document.importNode(parsed, true);
}

function tablesOf(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return [...parsed.querySelectorAll("table")].map((each) => document.importNode(each, true));
}

/** The rows of what bears a diamond in the drawing bear one too. */
function markDifferences(root) {
  for (const mark of root.querySelectorAll("rect[data-layers] + polygon.mark")) {
    const { layers, network } = mark.previousElementSibling.dataset;
    for (const name of layers.split(" ")) {
      const row = root.querySelector(`tr[data-network="${network}"][data-layers="${CSS.escape(name)}"]`);
      const meaning = words("not the same in all", "各网络不同");
      row.cells[0].append(element("span", { class: "differs", role: "img", "aria-label": meaning }, "◆"));
    }
  }
}

function keepSorted(table, number) {
  const key = `network.sort${number || ""}`;
  const sort = makeSortable(table, (column, order) => state.set(key, `${column}-${order}`));
  const [, column, order] = /^(\d+)-(ascending|descending)$/.exec(state.get(key) ?? "") ?? [];
  if (table.tHead.rows[0].cells[column]) sort(Number(column), order);
}
