"""A claim's results as a figure, in the words of a language.

In: a Claim, the accuracies of its arms by seed, in percent. Out: an SVG.
A point is one seed's run; the line is the mean, with its 95% interval where there are seeds enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.claims import Claim
from harness.statistics import estimate
from harness.style import FAINT, GRID, WIDTH, inches, name_rows, save, styled
from harness.titles import title

COLOURS = ("#0072B2", "#E69F00", "#CC79A7", "#009E73")
_TOP1 = {"en": "top-1, %", "zh": "top-1，%"}
_RATE = {"en": "learning rate", "zh": "学习率"}

Accuracies = Mapping[str, Mapping[int, float]]  # arm -> seed -> top-1, %


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
        axes.plot(values, [row] * len(values), ".", color=FAINT, markersize=5, zorder=1)
        axes.errorbar(middle.mean, row, xerr=middle.half_width, fmt="o", color=COLOURS[0],
                      markersize=5, capsize=3, linewidth=1.2, zorder=2)  # fmt: skip
    return name_rows(axes, [title(name, language) for name in names], _TOP1[language])


def _lines(axes: Any, claim: Claim, found: Accuracies, language: str) -> float:
    """A line a series over the texts or numbers below it; the inches that their names take."""
    shown = [each for each in claim.series if any(found.get(arm) for arm in each.arms.values())]
    below = list(dict.fromkeys(x for series in shown for x in series.arms))
    numbers = all(isinstance(x, int | float) for x in below)
    for number, series in enumerate(shown):
        arms = {x: list(found[arm].values()) for x, arm in series.arms.items() if found.get(arm)}
        # So that intervals can be told apart.
        aside = 0.012 * len(below) * (number - (len(shown) - 1) / 2)
        places = [x if numbers else below.index(x) + aside for x in arms]
        middles = [estimate(values) for values in arms.values()]
        for place, values in zip(places, arms.values(), strict=True):
            if len(values) > 1:
                axes.plot([place] * len(values), values, ".", color=FAINT, markersize=4, zorder=1)
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
    axes.grid(axis="y", color=GRID)
    axes.set_axisbelow(True)
    axes.set_ylabel(_TOP1[language])
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return 0.55 + inches(title(series.name, language) for series in shown)
