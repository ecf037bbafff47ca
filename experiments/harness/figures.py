"""A claim's results as a figure that both languages share.

In: a Claim, the accuracies of its arms by seed, in percent. Out: an SVG, the same bytes each time.
A point is one seed's run; the line is the mean, with its 95% interval where there are seeds enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.claims import Claim
from harness.statistics import estimate

COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#009E73")
_POINT, _TEXT = "#999999", "#333333"

Accuracies = Mapping[str, Mapping[int, float]]  # arm -> seed -> top-1, %


def draw(claim: Claim, found: Accuracies, path: Path) -> None:
    """Draw the arms that have results."""
    import matplotlib
    from matplotlib.figure import Figure

    style: Any = {
        "svg.hashsalt": claim.name, "svg.fonttype": "path", "font.size": 9, "text.color": _TEXT,
        "axes.labelcolor": _TEXT, "xtick.color": _TEXT, "ytick.color": _TEXT,
        "axes.edgecolor": _POINT, "axes.spines.top": False, "axes.spines.right": False,
    }  # fmt: skip
    with matplotlib.rc_context(style):
        shown = [arm.name for arm in claim.arms if found.get(arm.name)]
        height = 3.2 if claim.series else 0.8 + 0.34 * len(shown)
        figure = Figure(figsize=(6.4, height), layout="constrained")
        axes = figure.subplots()
        if claim.series:
            _lines(axes, claim, found)
        else:
            _rows(axes, shown, found)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, metadata={"Date": None, "Creator": None})


def _rows(axes: Any, names: list[str], found: Accuracies) -> None:
    """A row an arm, in their order."""
    for row, name in enumerate(names):
        values = list(found[name].values())
        middle = estimate(values)
        axes.plot(values, [row] * len(values), ".", color=_POINT, markersize=5, zorder=1)
        axes.errorbar(middle.mean, row, xerr=middle.half_width, fmt="o", color=COLOURS[0],
                      markersize=5, capsize=3, linewidth=1.2, zorder=2)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.set_xlabel("top-1, %")


def _lines(axes: Any, claim: Claim, found: Accuracies) -> None:
    """A line a series over the texts or numbers below it."""
    shown = [each for each in claim.series if any(found.get(arm) for arm in each.arms.values())]
    below = list(dict.fromkeys(x for series in shown for x in series.arms))
    numbers = all(isinstance(x, int | float) for x in below)
    for number, series in enumerate(shown):
        arms = {x: list(found[arm].values()) for x, arm in series.arms.items() if found.get(arm)}
        aside = 0.07 * (number - (len(shown) - 1) / 2)  # so that intervals can be told apart
        places = [x if numbers else below.index(x) + aside for x in arms]
        middles = [estimate(values) for values in arms.values()]
        for place, values in zip(places, arms.values(), strict=True):
            if len(values) > 1:
                axes.plot([place] * len(values), values, ".", color=_POINT, markersize=4, zorder=1)
        axes.errorbar(
            places,
            [middle.mean for middle in middles],
            yerr=[middle.half_width or np.nan for middle in middles],
            fmt="o-", color=COLOURS[number], label=series.name,
            markersize=5, capsize=3, linewidth=1.4,
        )  # fmt: skip
    if numbers:
        axes.set_xscale("log")
        axes.set_xticks(below, [f"{x:g}" for x in below])
        axes.minorticks_off()
        axes.set_xlabel("learning rate")
    else:
        axes.set_xticks(range(len(below)), below)
    axes.grid(axis="y", color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.set_ylabel("top-1, %")
    axes.legend(frameon=False)
