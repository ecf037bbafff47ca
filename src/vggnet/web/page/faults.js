/**
 * What the server says is wrong, in Chinese: it names each mistake (`code`) with its words and
 * numbers (`values`), beside a sentence in English. A test asks that each name is known here.
 */

import { language } from "./words.js";

/** @type {Record<string, string>} the labels of the controls that a parameter stands for */
const PARAMETERS = {
  input_size: "输入边长", width: "宽度", batch_norm: "批归一化", head: "分类头", classes: "类别数",
  config: "网络", kernels: "卷积核", channels: "通道数", size: "边长",
};

/** @type {Record<string, (values: Record<string, any>) => string>} */
const CHINESE = {
  "bad-token": ({ tokens = [] }) => `无法识别 ${tokens.map(({ token, meant }) => (meant ? `${token}（是否想写 ${meant}？）` : token)).join("、") || "其中一项"}：写法如 conv3-64、maxpool、LRN、avgpool、FC-4096、soft-max。`,
  "late-token": ({ token }) => `${token ?? "其中一项"} 的位置太靠后：先是卷积和池化，再是 avgpool，再是全连接层，最后是 soft-max。`,
  "no-convolution": () => "这个网络没有卷积层，至少写一个，如 conv3-64。",
  "early-soft-max": () => "soft-max 之前需要一个全连接层，如 FC-10。",
  "too-many-tokens": () => "层数太多，请删去一些。",
  "large-number": ({ token }) => `${token ?? "其中一项"} 里的数太大，请改小。`,
  "too-small": () => "输入太小，走不到最后一层：请加大输入边长，或减少池化。",
  "unknown-network": ({ network }) => `没有名为 ${network} 的网络，请从列表中选择。`,
  size: () => "输入边长要在 1 到 1000000 之间。",
  "no-classes": () => "这个网络没有类别，只给出特征。",
  "too-slow": ({ seconds }) => `计算超过 ${seconds} 秒，已放弃：请选浅一些的层，或少选一些。`,
  "one-size": ({ side }) => `这个网络只接受边长 ${side} 像素的图片。`,
  "small-size": ({ least }) => `边长太小：至少 ${least} 像素。`,
  "not-square": () => "全连接层只接受正方形图片：请只写一个边长，或把分类头换成全局平均。",
  "no-head": () => "这个网络没有分类头，不能指定类别数：请先选一个分类头。",
  parameter: ({ parameter, least, most }) => `“${PARAMETERS[parameter] ?? parameter}”的值不能用，请换一个${least == null ? "" : `：${most == null ? `至少 ${least}` : `从 ${least} 到 ${most}`}`}。`,
  "unknown-layer": ({ layer }) => `这个网络没有 ${layer} 层，请另选一层。`,
  "unknown-class": (values) => `这个网络没有“${values.class}”这个类别，请另选一个。`,
  "needs-torch": () => "梯度需要 torch，本服务器没有安装：pip install 'vggnet[train]'。",
  "picture-format": () => "这不是能读取的图片：请用 JPEG、PNG 等常见格式。",
  "picture-pixels": () => "图片的像素太多，请缩小后再试。",
  picture: () => "图片无法读取，可能已损坏。",
  "body-too-long": ({ most }) => `上传的内容超过 ${Math.floor(most / 2 ** 20)} MiB，请减少或缩小图片。`,
  "too-many-pictures": ({ most }) => `一次最多 ${most} 张图片。`,
  busy: () => "服务器正忙，请稍后再试。",
  stopping: () => "服务器正在停止，请重新启动后再试。",
  token: () => "这台服务器需要令牌：请在浏览器中打开一次 /?token=令牌。",
};

/** The sentence in the page's language. @param {{detail: string, code?: string, values?: Record<string, any>}} told */
export function sentenceOf({ detail, code, values = {} }) {
  return (language() === "zh" && code && CHINESE[code]?.(values)) || detail;
}
