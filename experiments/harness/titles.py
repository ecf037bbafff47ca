"""What the nets of the claims are called on the pages and figures, in both languages.

In: the name of an arm, or of a series of arms, in English. Out: the same in a language.
"""

from __future__ import annotations

# Phrases, the longer ones first. What is not here (B, 5x5, CutMix) is the same in both.
_CHINESE = {
    "11x11 and 5x5 at D's MACs": "11x11 与 5x5（乘加次数同 D）",
    " at equal MACs": "（乘加次数相等）",
    " without inner ReLUs": "（去掉中间的 ReLU）",
    ", batch norm": "（批归一化）",
    ", plain": "（无批归一化）",
    " plain": "（无批归一化）",
    ", 64 epochs": "，64 轮",
    " at rate ": "，学习率 ",
    " from A": "，取自 A",
    " paper": "，论文的方差",
    " glorot": "，Glorot",
    " he": "，He",
    "one FC": "单个全连接层",
    "global average": "全局平均",
    ", one Q": "，单个 Q",
    ", three Q": "，三个 Q",
    "centre": "中心裁剪",
    "single": "密集测试",
    "multi-scale": "多尺度",
    "multicrop": "多裁剪",
    "both": "两者结合",
    "B + erasing": "B + 随机擦除",
    "B + mixup and CutMix, half": "B + mixup 与 CutMix，一半批次",
    "B + teacher D": "B + 教师 D",
}
_CHINESE_SERIES = {
    "batch norm": "批归一化",
    "plain": "无批归一化",
    "paper": "论文的方差",
    "glorot": "Glorot",
    "he": "He",
    "from A": "取自 A",
    "batch norm, 64 epochs": "批归一化，64 轮",
}


def title(name: str, language: str) -> str:
    """The name in that language."""
    if language == "zh":
        name = _CHINESE_SERIES.get(name, name)
        for english, chinese in _CHINESE.items():
            name = name.replace(english, chinese)
    return name
