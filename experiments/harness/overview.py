"""Which claims hold here, in one figure: a difference for each, with its interval.

In: claims, results. Out: an SVG. Right of 0 a claim holds. What cannot be told from none is
grey; one seed, which has no interval, is a hollow mark.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.claims import Claim
from harness.page import accuracies
from harness.results import Results
from harness.statistics import Estimate, difference
from harness.style import WIDTH, inches, name_rows, save, styled

_HOLDS, _FAILS, _UNKNOWN = "#0072B2", "#D55E00", "#777777"
_AXIS = {
    "en": "points of top-1; right of 0 the claim holds",
    "zh": "top-1 百分点；在 0 的右边即论断成立",
}
_ONE_SEED = {"en": "one seed", "zh": "一个种子"}


@dataclass(frozen=True)
class Row:
    """What is claimed, in both languages, and the difference that is then above 0."""

    claim: str
    better: str
    worse: str
    en: str
    zh: str


ROWS = (
    Row("kernels", "B", "B 5x5", "two 3x3 beat a 5x5 as wide", "两个 3x3 胜过一个同样宽的 5x5"),
    Row(
        "kernels",
        "B",
        "B 5x5 at equal MACs",
        "two 3x3 beat a 5x5 at equal MACs",
        "乘加次数相等时两个 3x3 胜过一个 5x5",
    ),
    Row("kernels", "D", "D 7x7", "three 3x3 beat a 7x7", "三个 3x3 胜过一个 7x7"),
    Row(
        "kernels",
        "D",
        "11x11 and 5x5 at D's MACs",
        "3x3 beat 11x11 and 5x5 at equal MACs",
        "乘加次数相等时 3x3 胜过 11x11 与 5x5",
    ),
    Row(
        "nonlinearity",
        "B",
        "B without inner ReLUs",
        "the ReLU between helps (B)",
        "中间的 ReLU 有用（B）",
    ),
    Row(
        "nonlinearity",
        "D",
        "D without inner ReLUs",
        "the ReLU between helps (D)",
        "中间的 ReLU 有用（D）",
    ),
    Row("depth", "D", "B", "D beats B: deeper is better", "D 胜过 B：越深越好"),
    Row("depth", "E", "D", "E beats D", "E 胜过 D"),
    Row(
        "depth",
        "D, 64 epochs",
        "B, 64 epochs",
        "D beats B, trained 4 times as long",
        "训练 4 倍时间后 D 胜过 B",
    ),
    Row(
        "depth",
        "E, 64 epochs",
        "D, 64 epochs",
        "E beats D, trained 4 times as long",
        "训练 4 倍时间后 E 胜过 D",
    ),
    Row(
        "head",
        "global average",
        "FC-4096 FC-4096",
        "FC1 and FC2 can go",
        "FC1 和 FC2 可以去掉",
    ),
    Row(
        "training_scale",
        "S 37-73, one Q",
        "S 37, one Q",
        "sizes jittered in training are better",
        "训练时用多种尺寸更好",
    ),
    Row(
        "protocols", "multi-scale", "single", "three sizes tested beat one", "测试三个尺寸胜过一个"
    ),
    Row(
        "protocols",
        "multicrop",
        "multi-scale",
        "many crops beat dense testing",
        "多裁剪胜过密集测试",
    ),
)


def differences(claims: Iterable[Claim], results: Results) -> dict[Row, Estimate]:
    """Of the rows that have a seed in both nets, in their order."""
    found = {claim.name: accuracies(claim, results) for claim in claims}
    pairs = {row: (found[row.claim][row.better], found[row.claim][row.worse]) for row in ROWS}
    known = {row: difference(*pair) for row, pair in pairs.items()}
    return {row: value for row, value in known.items() if value is not None}


def value(found: Estimate, language: str) -> str:
    """ "+2.1 ± 1.9", or that it is of one seed."""
    text = found.text("{:+.1f}")
    return text if found.half_width is not None else f"{text} ({_ONE_SEED[language]})"


def draw(found: dict[Row, Estimate], path: Path, language: str) -> None:
    """A row each: its text, the difference, and the difference in figures."""
    from matplotlib.figure import Figure

    with styled("overview"):
        figure = Figure(figsize=(1.25 * WIDTH, 0.7 + 0.27 * len(found)))
        axes = figure.subplots()
        axes.axvline(0, color=_UNKNOWN, linewidth=0.8, zorder=0)
        values = [value(each, language) for each in found.values()]
        for place, (each, text) in enumerate(zip(found.values(), values, strict=True)):
            clear = _HOLDS if each.mean > 0 else _FAILS
            colour = clear if each.is_clear else _UNKNOWN
            axes.errorbar(each.mean, place, xerr=each.half_width, fmt="o", color=colour,
                          markerfacecolor=colour if each.half_width else "white",
                          markersize=5, capsize=3, linewidth=1.4)  # fmt: skip
            axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center",
                      color=colour)  # fmt: skip
        left = name_rows(axes, [getattr(row, language) for row in found], _AXIS[language])
        save(figure, path, left, 0.2 + inches(values))
