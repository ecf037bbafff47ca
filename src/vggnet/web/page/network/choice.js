/** Which network is shown: the row of controls above it. */

import { element } from "../elements.js";
import { input, keepInAddress, labelled, select } from "../shared/controls.js";
import * as state from "../state.js";
import { words } from "../words.js";
import { OWN, ownTokens } from "./editor.js";

const FIRST = "D";
const LOADED = "loaded"; // what the server calls the model that it answers with

/** What the controls ask of the server, as the parameters of its addresses. */
export function asked() {
  const value = (name) => state.get(`network.${name}`);
  const config = value("config") ?? FIRST;
  const beside = value("beside");
  const named = (name) => (name === OWN ? `${ownTokens()}\n` : name); // a single token is no name
  return {
    config: [config, ...(beside ? [beside] : [])].map(named),
    input_size: value("input_size"),
    width: value("width"),
    batch_norm: value("batch_norm"),
    head: value("head"),
    classes: value("classes"),
  };
}

/** @param {{name: string, title: string}[]} networks that the server can name */
export function controls(networks) {
  /** @type {[string, string][]} */
  const named = networks.map(({ name, title }) => [name, name === LOADED ? words(`${title} (loaded)`, `${title}（已载入）`) : title]);
  /** @type {[string, string]} */
  const own = [OWN, words("own layers …", "自己写 …")];
  const config = select([...named, own]);
  const beside = select([["", words("nothing", "不对照")], ...named, own]);
  const size = input("text", { inputmode: "numeric", size: 7, autocomplete: "off" });
  const width = input("number", { min: 0.05, max: 100, step: 0.05 });
  const classes = input("number", { min: 1, max: 1000000, step: 1 });
  const batchNorm = input("checkbox");
  const head = select([
    ["", words("as it is", "原样")],
    ["fc", words("three FC layers", "三个全连接层")],
    ["average", words("global average", "全局平均")],
  ]);
  const shows = [
    keepInAddress(config, "network.config", FIRST),
    keepInAddress(beside, "network.beside", ""),
    keepInAddress(size, "network.input_size", ""),
    keepInAddress(width, "network.width", "1"),
    keepInAddress(batchNorm, "network.batch_norm", ""),
    keepInAddress(head, "network.head", ""),
    keepInAddress(classes, "network.classes", ""),
  ];
  const node = element(
    "div",
    { class: "controls" },
    labelled(words("Network", "网络"), config),
    labelled(words("Compare with", "对照"), beside),
    labelled(words("Input, pixels", "输入边长（像素）"), size),
    labelled(words("Width ×", "宽度 ×"), width),
    labelled(words("Head", "分类头"), head),
    labelled(words("Classes", "类别数"), classes),
    labelled(words("batch norm", "批归一化"), batchNorm),
  );
  return {
    node,
    /** @param {string | null} changed */
    show: (changed) => shows.forEach((each) => each(changed)),
    /** Say what the network's own size and number of classes are, where nothing else is asked. */
    hint(described) {
      size.placeholder = [...new Set(described.input.slice(1))].join("×");
      const last = described.layers.findLast((layer) => layer.type === "fc" || layer.type === "conv");
      classes.placeholder = last?.type === "fc" ? last.output[0] : "";
    },
  };
}
