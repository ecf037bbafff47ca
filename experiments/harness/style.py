"""What all figures look like: style, size, rows with names at their left.

In: what is drawn. Out: an SVG, the same bytes each time; its text is text, set by whoever shows it.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTH, _EM = 6.4, 9 / 72  # of the figure and of its text, in inches
FAINT, GRID, _TEXT = "#999999", "#E5E5E5", "#333333"


@contextmanager
def styled(name: str) -> Iterator[None]:
    """What is drawn meanwhile looks like the other figures; `name` makes its marks its own."""
    import matplotlib

    style: Any = {
        "svg.hashsalt": name, "svg.fonttype": "none", "font.size": 9, "text.color": _TEXT,
        "axes.labelcolor": _TEXT, "xtick.color": _TEXT, "ytick.color": _TEXT,
        "axes.edgecolor": FAINT, "axes.spines.top": False, "axes.spines.right": False,
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


def name_rows(axes: Any, names: Sequence[str], below: str) -> float:
    """Names beside rows from the top, and what stands below them; the inches that they take."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.set_xlabel(below)
    return 0.15 + inches(names)
