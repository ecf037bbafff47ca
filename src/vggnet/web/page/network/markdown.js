/** The tables of costs in Markdown, as they are shown and sorted now, with exact numbers. */

/** @param {Element} root holds the tables, each after its network's name where there are several */
export function markdown(root) {
  return [...root.querySelectorAll("h3, table")]
    .map((each) => (each instanceof HTMLTableElement ? table(each) : `### ${escaped(each.textContent)}\n`))
    .join("\n");
}

function table({ tHead, tBodies, tFoot }) {
  const [headers] = tHead.rows;
  const [first] = tBodies[0].rows;
  const sides = [...first.cells].map((cell) => (isWords(cell) ? ":--" : "--:"));
  const rows = [...tBodies[0].rows, ...tFoot.rows].map((row) => line([...row.cells].map(written)));
  return [line([...headers.cells].map((cell) => escaped(cell.textContent))), line(sides), ...rows].join("\n") + "\n";
}

const line = (cells) => `| ${cells.join(" | ")} |`;

/** Numbers are those that the table is sorted by. @param {HTMLTableCellElement} cell */
function written(cell) {
  const text = cell.textContent.trim();
  const exact = text && !isWords(cell) && !cell.classList.contains("share") && cell.dataset.value;
  return exact || escaped(text.replace("◆", " ◆"));
}

function isWords(cell) {
  return cell.classList.contains("name");
}

function escaped(text) {
  return text.trim().replaceAll("\\", "\\\\").replaceAll("|", "\\|");
}
