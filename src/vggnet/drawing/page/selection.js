/**
 * One selection for a drawing and its tables.
 *
 * Elements with `data-layers` (names, separated by blanks) and `data-network` stand for layers:
 * boxes of the drawing and rows of the tables. Whichever is pointed at, focused or reached by the
 * arrow keys lights up, and so do all others that stand for one of its layers.
 */

/**
 * @param {ParentNode} root holds the drawing and the tables
 * @param {(row: HTMLTableRowElement) => void} tell is called with the row of each new selection
 * @returns {(element: Element) => void} which selects what an element stands for
 */
export function linkSelection(root, tell = () => {}) {
  const byLayer = new Map();
  for (const element of root.querySelectorAll("[data-layers]")) {
    for (const key of keysOf(element)) {
      byLayer.set(key, [...(byLayer.get(key) ?? []), element]);
    }
  }
  const rows = [...root.querySelectorAll("tr[data-layers]")];
  const drawing = root.querySelector("[data-drawing]");
  let selected = null;

  function select(element) {
    if (element === selected) return;
    selected = element;
    root.querySelectorAll(".lit").forEach((each) => each.classList.remove("lit"));
    const lit = new Set(keysOf(element).flatMap((key) => byLayer.get(key)));
    lit.forEach((each) => each.classList.add("lit"));
    const row = element.matches("tr") ? element : rows.find((each) => lit.has(each));
    if (!row) return;
    rows.forEach((each) => (each.tabIndex = each === row ? 0 : -1));
    tell(row);
  }

  /** The row that stands `steps` further down, as the tables are sorted now. */
  function neighbour(steps) {
    const shown = [...root.querySelectorAll("tr[data-layers]")];
    const at = shown.findIndex((row) => row.tabIndex === 0);
    return shown[Math.min(Math.max(at + steps, 0), shown.length - 1)];
  }

  for (const element of root.querySelectorAll("[data-layers]")) {
    element.addEventListener("pointerenter", () => select(element));
  }
  // Of rows alone: some browsers make a stop of the Tab key of each box that listens for the focus.
  rows.forEach((row) => row.addEventListener("focus", () => select(row)));
  for (const box of root.querySelectorAll("rect[data-layers]")) {
    box.addEventListener("click", () => {
      select(box);
      // The arrow keys go on from there; what was clicked stays in sight.
      rows.find((row) => row.tabIndex === 0).focus({ preventScroll: true });
    });
  }
  const STEPS = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1 };
  root.addEventListener("keydown", (event) => {
    const inTable = event.target.matches("tr[data-layers]");
    if (!(event.key in STEPS) || !(inTable || event.target === drawing)) return;
    const row = neighbour(STEPS[event.key]);
    if (inTable) row.focus();
    else select(row);
    event.preventDefault();
  });
  if (rows.length) rows[0].tabIndex = 0;
  return select;
}

function keysOf(element) {
  const network = element.dataset.network;
  return element.dataset.layers.split(" ").map((name) => `${network} ${name}`);
}
