/** What a network costs in all, and where most of it lies; of two networks also their ratio. */

import { element } from "../elements.js";
import { bytes, grouped, percent, si } from "../numbers.js";
import { words } from "../words.js";

/** @param {any[]} described one network or more, as /api/describe gives them */
export function summary(described) {
  return described.length > 1 ? table(described) : list(described[0]);
}

function list(network) {
  const pairs = headers().map((header, at) => [header, cells(network)[at]]);
  return element(
    "dl",
    { class: "summary" },
    ...pairs.map(([term, text]) =>
      element("div", {}, element("dt", {}, term), element("dd", {}, text)),
    ),
  );
}

function table(described) {
  const row = (tag, texts, attributes = {}) =>
    element("tr", attributes, ...texts.map((text) => element(tag, tag === "th" ? { scope: "col" } : {}, text)));
  return element(
    "div",
    { class: "scroll summary", tabindex: 0, role: "group", "aria-label": words("Totals", "合计") },
    element(
      "table",
      {},
      element("thead", {}, row("th", [words("network", "网络"), ...headers()])),
      element(
        "tbody",
        {},
        ...described.map((each) => row("td", [each.name, ...cells(each)])),
        row("td", ratios(described), { class: "ratio" }),
      ),
    ),
  );
}

function headers() {
  return [
    words("parameters", "参数"),
    "MACs",
    words("weights in fp32", "权重（fp32）"),
    words("peak activations", "激活值峰值"),
    words("most parameters in", "参数最多的层"),
    words("most MACs in", "MACs 最多的层"),
  ];
}

function cells(network) {
  const most = (key) => network.layers.reduce((a, b) => (b[key] > a[key] ? b : a));
  const [parameters, macs] = [most("parameters"), most("macs")];
  return [
    element("strong", { class: "total-parameters" }, grouped(network.parameters)),
    element("strong", { class: "total-macs", title: grouped(network.macs) }, si(network.macs)),
    bytes(network.parameter_bytes),
    bytes(network.peak_activation_bytes),
    `${parameters.name}, ${percent(parameters.parameter_share)}`,
    `${macs.name}, ${percent(macs.mac_share)}`,
  ];
}

/** How many times of the first the second has. */
function ratios([first, second]) {
  const ratio = (key) => (first[key] ? `× ${(second[key] / first[key]).toPrecision(3)}` : "");
  return [
    `${second.name} / ${first.name}`, ratio("parameters"), ratio("macs"), ratio("parameter_bytes"),
    ratio("peak_activation_bytes"), "", "",
  ];
}
