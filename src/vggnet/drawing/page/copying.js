/**
 * What is copied, as calculators and spreadsheets read it: 138357544, not 138 357 544.
 *
 * The narrow spaces between the digits, and minus signs that are no hyphens, are for eyes alone.
 */

const NARROW = "\u202f";

/** Let whatever is copied from the page be plain. @param {Document} page */
export function copyPlainly(page) {
  page.addEventListener("copy", (event) => {
    const selection = page.getSelection();
    // What stands in a field is the reader's own.
    if (event.target.matches?.("input, textarea") || !selection.rangeCount) return;
    const text = selection.toString();
    if (plain(text) === text) return;
    event.clipboardData.setData("text/plain", plain(text));
    event.clipboardData.setData("text/html", plain(html(page, selection)));
    event.preventDefault();
  });
}

function plain(text) {
  return text
    .replace(/(?<=\d)\u202f(?=\d)/g, "")
    .replaceAll(NARROW, " ")
    .replace(/\u2212(?=\d)/g, "-");
}

/** What is selected, without pictures. In Firefox single cells of a table may be, each a range. */
function html(page, selection) {
  const holder = page.createElement("div");
  for (let at = 0; at < selection.rangeCount; at++) holder.append(inItsTable(selection.getRangeAt(at)));
  holder.querySelectorAll("svg").forEach((each) => each.remove());
  return holder.innerHTML;
}

/** What is in a range; rows of a table stand in a table. */
function inItsTable(range) {
  let found = range.cloneContents();
  const common = range.commonAncestorContainer;
  for (let each = common.closest ? common : common.parentElement; each?.closest("table"); each = each.parentElement) {
    const around = each.cloneNode(false);
    around.append(found);
    found = around;
  }
  return found;
}
