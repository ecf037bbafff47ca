/** What is shown, as files: the drawing from the server, the costs as the reader sees them now. */

import { address } from "../api.js";
import { element } from "../elements.js";
import { revokeLater } from "../shared/blobs.js";
import { language, words } from "../words.js";
import { asked } from "./choice.js";
import { markdown } from "./markdown.js";

export function files() {
  const node = element("div", { class: "files" });
  const buttons = (...made) =>
    node.replaceChildren(element("span", { class: "note" }, words("Take away", "导出")), ...made);
  return {
    node,
    /** Nothing to take away: the network that is asked for is none. The Tab key still leads to what says why. */
    close() {
      const id = "network-files-closed";
      buttons(
        ...["SVG", "PNG", "CSV", "JSON", copyMarkdown()].map((name) =>
          element("button", { type: "button", "aria-disabled": "true", "aria-describedby": id }, name),
        ),
        element("span", { class: "note", id }, words("once what is wrong above is mended", "改正上面的错误之后才能导出")),
      );
    },
    /** @param {any[]} described @param {HTMLElement} tables what is shown of them */
    show(described, tables) {
      const name = described.map((each) => each.name.replace(/\W+/g, "-")).join("-");
      const drawing = (format) => address("draw", { ...asked(), language: language(), format, download: 1 });
      const costs = (suffix, text) => ({
        onclick: () => save(text(), `${name}.${suffix}`),
        type: "button",
      });
      const done = element("span", { class: "note", role: "status" });
      const copy = async () => {
        const text = markdown(tables);
        try {
          await navigator.clipboard.writeText(text); // none on pages of plain HTTP from elsewhere
          done.textContent = words("copied", "已复制");
        } catch {
          save(text, `${name}.md`);
        }
      };
      buttons(
        element("a", { class: "button", href: drawing("svg"), download: `${name}.svg` }, "SVG"),
        element("a", { class: "button", href: drawing("png"), download: `${name}.png` }, "PNG"),
        element("button", costs("csv", () => csv(described)), "CSV"),
        element("button", costs("json", () => json(described)), "JSON"),
        element("button", { type: "button", onclick: copy }, copyMarkdown()),
        done,
      );
    },
  };
}

function copyMarkdown() {
  return words("Copy as Markdown", "复制为 Markdown");
}

/** One line a layer, all numbers exact. */
function csv(described) {
  const columns = [
    "type", "kernel", "stride", "padding", "parameters", "parameter_share", "macs", "mac_share",
    "activations", "activation_bytes", "receptive_field", "jump",
  ];
  const lines = described.flatMap((network) =>
    network.layers.map((layer) => [
      network.name, layer.name, layer.input.join("x"), layer.output.join("x"),
      ...columns.map((column) => layer[column]),
    ]),
  );
  const rows = [["network", "layer", "input", "output", ...columns], ...lines];
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cell(value) {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function json(described) {
  return JSON.stringify(described.length > 1 ? described : described[0], null, 2);
}

function save(text, name) {
  const href = URL.createObjectURL(new Blob([text]));
  element("a", { href, download: name }).click();
  revokeLater(href);
}
