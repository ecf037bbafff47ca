"""How long something takes, in words.

In: seconds. Out: a text such as "12 min".
"""

from __future__ import annotations


def in_words(seconds: float) -> str:
    """ "40 s", "12 min", "3 h 20 min": what people plan by."""
    minutes = round(seconds / 60)
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"
