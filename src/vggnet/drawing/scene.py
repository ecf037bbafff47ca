"""A drawing as plain shapes, which one writer makes SVG of and another one pixels.

Lengths are in pixels of a drawing shown at its own size; y grows downwards. A `role` is a key of
the theme.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from unicodedata import east_asian_width

Anchor = Literal["start", "middle", "end"]
# Mean width of a character by the size of its text: that of wide fonts such as DejaVu Sans, so that
# text which does not touch here touches in no other.
_CHARACTER = 0.62


@dataclass(frozen=True)
class Box:
    """A filled rectangle; it stands for `layers`, if for any, and `title` says more of them."""

    x: float
    y: float
    width: float
    height: float
    role: str
    layers: tuple[str, ...] = ()
    title: str = ""
    network: int = 0


@dataclass(frozen=True)
class Words:
    """One line of text on the baseline `y`."""

    x: float
    y: float
    text: str
    size: float = 11
    anchor: Anchor = "start"
    role: str = "text"
    bold: bool = False

    @property
    def width(self) -> float:
        """At most about so many pixels."""
        return text_width(self.text, self.size)

    @property
    def left(self) -> float:
        return self.x - self.width * {"start": 0.0, "middle": 0.5, "end": 1.0}[self.anchor]


@dataclass(frozen=True)
class Rule:
    """A thin line."""

    x1: float
    y1: float
    x2: float
    y2: float
    role: str = "line"


@dataclass(frozen=True)
class Diamond:
    """A mark on the centre (x, y)."""

    x: float
    y: float
    radius: float = 4
    role: str = "mark"


Shape = Box | Words | Rule | Diamond


@dataclass(frozen=True)
class Scene:
    """Shapes in the order they are drawn, and what the whole is called."""

    width: float
    height: float
    title: str
    shapes: tuple[Shape, ...]


def text_width(text: str, size: float) -> float:
    """Width in pixels that a line of text may need."""
    wide = sum(east_asian_width(each) in "WF" for each in text)
    return size * (_CHARACTER * (len(text) - wide) + wide)
