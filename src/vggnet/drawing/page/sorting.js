/**
 * A table whose columns sort it.
 *
 * A cell is sorted by the number in its `data-value`, else by its text; the rows of <tfoot> stay.
 */

/**
 * @typedef {"ascending" | "descending"} Order
 *
 * @param {HTMLTableElement} table has one row of <th> in its <thead>
 * @param {(column: number, order: Order) => void} tell is called after the reader has sorted
 * @returns {(column: number, order: Order) => void} which sorts
 */
export function makeSortable(table, tell = () => {}) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      // Of numbers the largest is looked for, of names the first.
      const before = header.getAttribute("aria-sort");
      const numbers = table.tBodies[0].rows[0].cells[column].dataset.value !== undefined;
      const first = numbers ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const order = before === first ? other : first;
      sort(column, order);
      tell(column, order);
    });
  });

  function sort(column, order) {
    headers.forEach((each) => each.removeAttribute("aria-sort"));
    headers[column].setAttribute("aria-sort", order);
    sortRows(table.tBodies[0], column, order === "ascending" ? 1 : -1);
  }
  return sort;
}

function sortRows(body, column, sign) {
  const rows = [...body.rows].map((row) => [valueOf(row.cells[column]), row]);
  rows.sort(([a], [b]) => sign * (a > b ? 1 : a < b ? -1 : 0));
  body.append(...rows.map(([, row]) => row));
}

function valueOf(cell) {
  return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
}
