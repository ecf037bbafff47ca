/** One layer in full: shapes, kernel, its parameters and MACs as products, what it sees. */

import { bar, element } from "../elements.js";
import { bytes, grouped, percent, si } from "../numbers.js";
import { words } from "../words.js";

const KINDS = {
  input: ["io", () => words("the picture", "图片")],
  conv: ["conv", () => words("convolution", "卷积")],
  batchnorm: ["norm", () => words("batch normalisation", "批归一化")],
  lrn: ["norm", () => words("local response normalisation", "局部响应归一化")],
  maxpool: ["pool", () => words("max pooling", "最大池化")],
  avgpool: ["pool", () => words("global average", "全局平均")],
  fc: ["fc", () => words("fully connected", "全连接")],
  softmax: ["io", () => words("soft-max", "soft-max")],
};

/** @param {any} described a network as /api/describe gives it @param {string} name of a layer, or "input" */
export function panel(described, name) {
  const layer = described.layers.find((each) => each.name === name) ?? picture(described);
  const [role, kind] = KINDS[layer.type];
  const side = layer.receptive_field;
  const rows = [
    layer.input && [words("in", "输入"), times(layer.input)],
    [words("out", "输出"), times(layer.output)],
    kernel(layer),
    [words("parameters", "参数"), ...counted(layer.parameters, parameterProduct(layer))],
    [words("share", "占比"), share(layer.parameter_share, layer.parameters)],
    ["MACs", ...counted(layer.macs, macProduct(layer))],
    [words("share", "占比"), share(layer.mac_share, layer.macs)],
    [words("activations", "激活值"), `${grouped(layer.activations)} (${bytes(layer.activation_bytes)})`],
    [words("field", "感受野"), words(`${times([side, side])} pixels`, `${times([side, side])} 像素`)],
    [words("jump", "步距"), words(`${layer.jump} ${layer.jump === 1 ? "pixel" : "pixels"}`, `${layer.jump} 像素`)],
  ].filter(Boolean);
  return [
    element("h2", {}, layer.name),
    element("p", { class: `kind ${role}` }, kind()),
    element("dl", {}, ...rows.flatMap(([term, ...texts]) => [
      element("dt", {}, term),
      element("dd", {}, ...texts),
    ])),
  ];
}

function picture({ input }) {
  const activations = input.reduce((a, b) => a * b);
  return {
    name: "input", type: "input", output: input, parameters: 0, macs: 0, activations,
    activation_bytes: 4 * activations, receptive_field: 1, jump: 1, parameter_share: 0, mac_share: 0,
  };
}

function kernel(layer) {
  if (layer.type !== "conv" && layer.type !== "maxpool") return null;
  const { kernel: side, stride, padding } = layer;
  const text = words(`, stride ${stride}, padding ${padding}`, `，步长 ${stride}，填充 ${padding}`);
  return [words("kernel", "卷积核"), `${times([side, side])}${text}`];
}

/** The product, on a line of its own, then what it gives. */
function counted(count, product) {
  if (!count) return ["0"];
  const exact = count >= 1e6 ? `${grouped(count)} (${si(count)})` : grouped(count);
  return product ? [element("span", { class: "product" }, product), ` = ${exact}`] : [exact];
}

/** What is multiplied to the number of a layer's weights; null where it has no kernels. */
function factors({ type, weights, kernel, input, output }) {
  if (!weights) return null;
  if (type === "conv") return [kernel, kernel, input[0], output[0]];
  if (type === "fc") return [...input.slice(1).filter((side) => side > 1), input[0], output[0]];
  return null;
}

function parameterProduct(layer) {
  const found = factors(layer);
  if (!found) return "";
  return layer.biases ? `${times(found)} + ${layer.biases}` : times(found);
}

function macProduct(layer) {
  const found = factors(layer);
  return found ? times([...found, ...layer.output.slice(1).filter((side) => side > 1)]) : "";
}

function share(of, count) {
  if (!count) return "0";
  return element("span", { class: "share" }, percent(of), element("span", { class: "track" }, bar(of)));
}

function times(numbers) {
  return numbers.join(" × ");
}
