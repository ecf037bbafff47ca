"""A claim's results as a figure, in the words of a language.

In: a Claim, the accuracies of its arms by seed, in percent. Out: an SVG, the same bytes each time,
whose text is text, set by whoever shows it.
A point is one seed's run; the line is the mean, with its 95% interval where there are seeds enough.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from harness.claims import Claim
from harness.statistics import estimate
from harness.titles import title

COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#009E73")
_POINT, _TEXT = "#999999", "#333333"
_TOP1 = {"en": "top-1, %", "zh": "top-1，%"}
_RATE = {"en": "learning rate", "zh": "学习率"}
WIDTH, _EM = 6.4, 9 / 72  # of the figure and of its text, in inches

Accuracies = Mapping[str, Mapping[int, float]]  # arm -> seed -> top-1, %


@contextmanager
def styled(name: str) -> Iterator[None]:
    """What is drawn meanwhile looks like the other figures; `name` makes its marks its own."""
    import matplotlib

    style: Any = {
        "svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9, "text.color": _TEXT,
        "axes.labelcolor": _TEXT, "xtick.color": _TEXT, "ytick.color": _TEXT,
        "axes.edgecolor": _POINT, "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with matplotlib.rc_context(style), warnings.catch_warnings():
        # The font that matplotlib measures by need not have Chinese; whoever shows it has.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def save(figure: Any, path: Path, left: float, right: float) -> None:
    """Write it, with so many inches beside its axes."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left / width, 0.5 / height, 1 - right / width, 1 - 0.1 / height)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None})


def inches(texts: Iterable[str]) -> float:
    """About how wide the longest is: Chinese characters take one em, others less."""
    return _EM * max(
        sum(1.0 if unicodedata.east_asian_width(each) in "WF" else 0.6 for each in text)
        for text in texts
    )


def draw(claim: Claim, found: Accuracies, path: Path, language: str = "en") -> None:
    """Draw the arms that have results."""
    from matplotlib.figure import Figure

    with styled(claim.name):
        shown = [arm.name for arm in claim.arms if found.get(arm.name)]
        height = 3.2 if claim.series else 0.8 + 0.34 * len(shown)
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.subplots()
        if claim.series:
            left, right = 0.6, _lines(axes, claim, found, language)
        else:
            left, right = _rows(axes, shown, found, language), 0.15
        save(figure, path, left, right)


def _rows(axes: Any, names: list[str], found: Accuracies, language: str) -> float:
    """A row an arm, in their order; the inches that their names take."""
    for row, name in enumerate(names):
        values = list(found[name].values())
        middle = estimate(values)
        axes.plot(values, [row] * len(values), ".", color=_POINT, markersize=5, zorder=1)
        axes.errorbar(middle.mean, row, xerr=middle.half_width, fmt="o", color=COLOURS[0],
                      markersize=5, capsize=3, linewidth=1.2, zorder=2)  # fmt: skip
    called = [title(name, language) for name in names]
    axes.set_yticks(range(len(names)), called)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.set_xlabel(_TOP1[language])
    return 0.15 + inches(called)


def _lines(axes: Any, claim: Claim, found: Accuracies, language: str) -> float:
    """A line a series over the texts or numbers below it; the inches that their names take."""
    shown = [each for each in claim.series if any(found.get(arm) for arm in each.arms.values())]
    below = list(dict.fromkeys(x for series in shown for x in series.arms))
    numbers = all(isinstance(x, int | float) for x in below)
    for number, series in enumerate(shown):
        arms = {x: list(found[arm].values()) for x, arm in series.arms.items() if found.get(arm)}
        aside = (
            0.012 * len(below) * (number - (len(shown) - 1) / 2)
        )  # so that intervals can be told apart
        places = [x if numbers else below.index(x) + aside for x in arms]
        middles = [estimate(values) for values in arms.values()]
        for place, values in zip(places, arms.values(), strict=True):
            if len(values) > 1:
                axes.plot([place] * len(values), values, ".", color=_POINT, markersize=4, zorder=1)
        axes.errorbar(
            places,
            [middle.mean for middle in middles],
            yerr=[middle.half_width or np.nan for middle in middles],
            fmt="o-", color=COLOURS[number], label=title(series.name, language),
            markersize=5, capsize=3, linewidth=1.4,
        )  # fmt: skip
    if numbers:
        axes.set_xscale("log")
        axes.set_xticks(below, [f"{x:g}" for x in below])
        axes.minorticks_off()
        axes.set_xlabel(_RATE[language])
    else:
        axes.set_xticks(range(len(below)), below)
    axes.grid(axis="y", color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.set_ylabel(_TOP1[language])
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return 0.55 + inches(title(series.name, language) for series in shown)
