/**
 * The words of the server's drawings and tables in Chinese: they are files in English first of all.
 * A test asks that each word of a drawing is known here.
 */

import { language } from "../words.js";

const [LETTER, BETWEEN] = [11, 32]; // pixels of a letter of the legend, and to the next entry's words

const WORDS = {
  layer: "层", kernel: "核", output: "输出", parameters: "参数", share: "占比", MACs: "MACs",
  activations: "激活值", field: "感受野", jump: "步距", total: "合计", input: "输入",
  picture: "图片", "input, output": "输入、输出", convolution: "卷积", normalisation: "归一化",
  pool: "池化", "fully connected": "全连接", "not the same in all": "各网络不同",
  "Height: side of the map. Width: channels. Both on a log scale. ReLU and dropout are not drawn.":
    "高：特征图边长。宽：通道数。均为对数刻度。不画 ReLU 与 dropout。",
};
const LEGEND = ["input, output", "convolution", "normalisation", "pool", "fully connected", "not the same in all"];
/** What a drawing says of a network beneath its name, and what it differs in from the paper's. */
const PATTERNS = [
  [/^(.+) parameters, (.+) MACs on (\S+) pixels$/, "$1 个参数，$2 MACs，输入 $3 像素"],
  [/\bno batch norm\b/, "无批归一化"],
  [/\bbatch norm\b/, "批归一化"],
  [/\bother layers\b/, "其他层"],
  [/\bwidth (\S+?)(?=[,)])/, "宽度 $1"],
  [/\bglobal average\b/, "全局平均"],
  [/([\d,]+) classes\b/, "$1 类"],
  [/\bno head\b/, "无分类头"],
];

/** Put what stands in the drawing and the tables into the page's language. @param {Element} root */
export function translate(root) {
  if (language() !== "zh") return;
  const legend = [...root.querySelectorAll(":is(rect[height='10'], polygon) + text")].filter((each) =>
    LEGEND.includes(each.textContent),
  );
  for (const each of root.querySelectorAll("svg text, th, tfoot .name")) {
    each.textContent = inChinese(each.textContent);
  }
  closeUp(legend);
  for (const each of root.querySelectorAll("svg[role=img][aria-label]")) {
    each.setAttribute("aria-label", inChinese(each.getAttribute("aria-label")));
  }
  for (const name of root.querySelectorAll("tr[data-layers=input] .name:first-child")) {
    name.lastChild.textContent = WORDS.input;
  }
}

function inChinese(text) {
  if (text in WORDS) return WORDS[text];
  return PATTERNS.reduce((said, [pattern, chinese]) => said.replace(pattern, chinese), text);
}

/** Chinese words are shorter: move the entries of the legend to where the one before them ends. */
function closeUp(legend) {
  let x = null;
  for (const text of legend) {
    const at = Number(text.getAttribute("x"));
    x ??= at;
    for (const each of [text.previousElementSibling, text]) {
      each.setAttribute("transform", `translate(${x - at})`);
    }
    x += LETTER * text.textContent.length + BETWEEN;
  }
}
