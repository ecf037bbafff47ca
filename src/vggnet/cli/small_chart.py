"""A curve as a few lines of characters.

In: numbers. Out: lines of blocks that are as high as the numbers, with the scale at their left.
"""

from __future__ import annotations

from collections.abc import Sequence

from vggnet.cli.output import can_print

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_WIDEST = 60  # columns


def chart(values: Sequence[float], height: int = 5, lowest: float = 0.0) -> list[str]:
    """`values` from left to right as columns that begin at `lowest`, `height` lines high.

    More values than there are columns are thinned out; fewer are drawn two or more columns wide.
    """
    highest = max(values)
    shown = [values[index] for index in _columns(len(values))]
    eighths = [round(8 * height * (value - lowest) / ((highest - lowest) or 1)) for value in shown]
    blocks = _EIGHTHS if can_print(_EIGHTHS) else "    #####"
    labels = {height - 1: f"{highest:.3g}", 0: f"{lowest:.3g}"}  # of one line the lowest
    margin = max(map(len, labels.values()))
    return [
        f"{labels.get(row, ''):>{margin}} "
        + "".join(blocks[min(8, max(0, each - 8 * row))] for each in eighths).rstrip()
        for row in reversed(range(height))
    ]


def _columns(count: int) -> list[int]:
    """Which value stands in each column."""
    width = max(1, _WIDEST // count) * count if count <= _WIDEST else _WIDEST
    return [column * count // width for column in range(width)]
