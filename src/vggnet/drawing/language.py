"""What drawings and tables say, in English or in Chinese.

In: a text in English, as the modules beside this one write it. Out: the same in a language. Names
of layers, shapes and numbers are the same in both.
"""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["en", "zh"]
_CHINESE = {
    "layer": "层", "kernel": "核", "output": "输出", "parameters": "参数", "share": "占比",
    "activations": "激活值", "field": "感受野", "jump": "步距", "total": "合计", "input": "输入",
    "picture": "图片", "input, output": "输入、输出", "convolution": "卷积",
    "normalisation": "归一化", "pool": "池化", "fully connected": "全连接",
    "not the same in all": "各网络不同",
    "Height: side of the map. Width: channels. Both on a log scale. "
    "ReLU and dropout are not drawn.":
        "高：特征图边长。宽：通道数。均为对数刻度。不画 ReLU 与 dropout。",
    "The layers; the arrow keys go from one to the next": "各层；用方向键逐层移动",
    "Point at a layer, or go through them with the arrow keys.":
        "把指针放到一层上，或用方向键逐层移动。",
}  # fmt: skip
# What is put together of words and numbers; of a heading, what differs from the paper's network.
_PATTERNS = [
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"^(.+) parameters, (.+) MACs on (\S+) pixels$", r"\1 个参数，\2 MACs，输入 \3 像素"),
        (r"^(?:input: a|the) picture(?: of|,) (\S+)$", r"输入：图片 \1"),
        (r"(\d) parameters\b", r"\1 个参数"),
        (r"^(.+), layer by layer$", r"\1：逐层"),
        (r"a unit sees (.+) pixels, (.+) from its neighbour's", r"一个单元看到 \1 像素，步距 \2"),
        (r"(\d) to (\d)", r"\1 到 \2"),
        (r"(\S) and (\S)", r"\1 与 \2"),
        (r"\bno batch norm\b", "无批归一化"),
        (r"\bbatch norm\b", "批归一化"),
        (r"\bother layers\b", "其他层"),
        (r"\bwidth (\S+?)(?=[,)])", r"宽度 \1"),
        (r"\bglobal average\b", "全局平均"),
        (r"([\d,]+) classes\b", r"\1 类"),
        (r"\bno head\b", "无分类头"),
    )
]


def said(text: str, language: Language) -> str:
    """The text in that language; what it has no words for stays as it is."""
    if language == "en":
        return text
    if text in _CHINESE:
        return _CHINESE[text]
    for pattern, chinese in _PATTERNS:
        text = pattern.sub(chinese, text)
    return text
