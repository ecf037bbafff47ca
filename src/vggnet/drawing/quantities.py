"""How counts and shapes are written."""

from __future__ import annotations

from collections.abc import Iterable

NARROW = "\u202f"  # the space between groups of digits, in which no line breaks


def grouped(count: int) -> str:
    """138 357 544, in groups that no line break tears apart."""
    return f"{count:,}".replace(",", NARROW)


def short(count: int) -> str:
    """Three digits and T, G, M or K: 1.85 G, 925 M, 86.7 M."""
    for unit, letter in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            scaled = count / unit
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {letter}"
    return str(count)


def dimensions(sizes: Iterable[int]) -> str:
    """256×56×56."""
    return "×".join(map(str, sizes))
