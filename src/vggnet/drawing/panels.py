"""A photograph, maps over it side by side, and answers as bars: one picture with its labels.

In: a Pillow picture, maps with a line about each, names with probabilities. Out: a Pillow picture,
two pixels for each of the layout's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.drawing.fonts import fitted, written_width
from vggnet.drawing.maps import colour_bar, overlay
from vggnet.drawing.raster import raster
from vggnet.drawing.scales import ScaleName
from vggnet.drawing.scene import Box, Scene, Shape, Words
from vggnet.drawing.theme import LIGHT

_SCALE = 2  # pixels for each of the layout's
_SIDE, _SPACE, _LINE = 224, 16, 16  # of a photograph; around everything; from line to line
_BAR, _BAR_HEIGHT = 160, 10  # a probability of 1; the colours of a scale
_TITLE, _TEXT = 13, 11


@dataclass(frozen=True)
class Panel:
    """One map: its title, a line about it, its values (None: all 0) and what its colours span."""

    title: str
    caption: str
    values_HW: NDArray[np.floating] | None
    range: tuple[float, float]
    scale: ScaleName


def panels(
    photograph: Image.Image,
    caption: str,
    maps: Sequence[Panel],
    bars: Sequence[tuple[str, float]],
    chosen: int,
    strength: float,
) -> Image.Image:
    """`bars` are names with their probabilities, of which `chosen` is what the maps are for."""
    factor = _SIDE / min(photograph.size)
    width, height = (round(side * factor) for side in photograph.size)
    titles = [("Photograph", caption), *((each.title, each.caption) for each in maps)]
    lines = [_wrapped(text, width) for _, text in titles]
    top = _SPACE + _LINE + _LINE * max(map(len, lines)) + 4  # of the pictures
    shapes: list[Shape] = []
    for number, (title, _) in enumerate(titles):
        x = _SPACE + number * (width + _SPACE)
        shapes.append(Words(x, _SPACE + 12, title, _TITLE, bold=True))
        for row, line in enumerate(lines[number]):
            shapes.append(Words(x, _SPACE + 12 + _LINE * (row + 1), line, _TEXT, role="faint"))
    pasted = [(_SPACE, top, photograph.resize((width * _SCALE, height * _SCALE)))]
    below = top + height + 6
    for number, each in enumerate(maps, start=1):
        x = _SPACE + number * (width + _SPACE)
        over = pasted[0][2]
        if each.values_HW is None:
            over = over.convert("L").convert("RGB")
        else:
            over = overlay(over, each.values_HW, each.scale, strength)
            low, high = (f"{value:.3g}" for value in each.range)
            pasted.append((x, below, colour_bar(width * _SCALE, _BAR_HEIGHT * _SCALE, each.scale)))
            y = below + _BAR_HEIGHT + 13
            shapes.append(Words(x, y, low, _TEXT, role="faint"))
            shapes.append(Words(x + width, y, high, _TEXT, "end", role="faint"))
            if each.scale == "signed":
                shapes.append(Words(x + width / 2, y, "0", _TEXT, "middle", role="faint"))
        pasted.append((x, top, over))
    y = below + (_BAR_HEIGHT + 2 * _LINE if maps else _LINE)
    right = _SPACE + len(titles) * (width + _SPACE)
    shapes += _answers(bars, chosen, y, right, bool(maps))
    bottom = y + _LINE * len(bars) + _SPACE
    sheet = raster(Scene(right, bottom, "", tuple(shapes)), _SCALE, LIGHT)
    for x, y, picture in pasted:
        sheet.paste(picture, (round(x * _SCALE), round(y * _SCALE)))
    return sheet


def _answers(
    bars: Sequence[tuple[str, float]], chosen: int, top: float, right: float, marked: bool
) -> list[Shape]:
    """A line for each name: its probability, a bar, the name, and which one the maps are for."""
    found: list[Shape] = []
    room = right - _SPACE - (_SPACE + 48 + _BAR + 8)
    for row, (label, probability) in enumerate(bars):
        y = top + row * _LINE + 11
        found.append(Words(_SPACE + 40, y, f"{probability:.1%}", _TEXT, "end"))
        found.append(Box(_SPACE + 48, y - 9, max(0.5, _BAR * probability), 10, "conv"))
        is_chosen = marked and row == chosen
        note = "  (explained here)" if is_chosen else ""
        text = fitted(label, _TEXT, room - written_width(note, _TEXT) * 1.1) + note
        found.append(Words(_SPACE + 48 + _BAR + 8, y, text, _TEXT, bold=is_chosen))
    return found


def _wrapped(text: str, width: float) -> list[str]:
    """The text in lines that fit, torn at blanks."""
    lines: list[str] = []
    for word in text.split():
        if lines and written_width(f"{lines[-1]} {word}", _SCALE * _TEXT) <= _SCALE * width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
