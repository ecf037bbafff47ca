"""Names with their probabilities as bars, in HTML.

In: names and probabilities, best first. Out: a <table>, for notebooks and pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from vggnet.drawing.theme import CONVOLUTION

_BAR = 200  # pixels of a probability of 1


def answers_table(answers: Sequence[tuple[str, float]]) -> str:
    """A row for each name: probability, bar, name."""
    rows = "".join(
        f'<tr><td style="text-align:right">{probability:.1%}</td>'
        f'<td style="text-align:left"><svg width="{_BAR}" height="10" aria-hidden="true">'
        f'<rect class="bar" fill="{CONVOLUTION}" width="{_BAR * probability:.1f}" height="10"/>'
        f'</svg></td><td style="text-align:left">{escape(label)}</td></tr>'
        for label, probability in answers
    )
    return f"<table>{rows}</table>"
