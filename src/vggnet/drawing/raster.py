"""A Scene as pixels, by Pillow alone, so that a PNG needs nothing that the package has not.

In: a Scene. Out: a Pillow picture. Edges are smooth since everything is drawn larger and reduced;
text is drawn at its own size, where Pillow smooths it.
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from vggnet.drawing.fonts import font_and_text
from vggnet.drawing.scene import Box, Diamond, Rule, Scene, Words
from vggnet.drawing.svg import corners_of
from vggnet.drawing.theme import LIGHT

_FINER = 4  # times, in each direction, before edges are smoothed
_MOST_PIXELS = 50_000_000
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def raster(scene: Scene, scale: float = 2, theme: dict[str, str] = LIGHT) -> Image.Image:
    """The drawing in RGB, `scale` pixels for each of the scene's.

    Raises ValueError for a drawing of more than 50 million pixels.
    """
    width, height = round(scene.width * scale), round(scene.height * scale)
    if width * height > _MOST_PIXELS:
        raise ValueError(
            f"{scene.title}: {width:,} x {height:,} pixels are too many; write .svg or .html"
        )
    picture = Image.new("RGB", (width, height), theme["ground"])
    draw = ImageDraw.Draw(picture)
    for shape in scene.shapes:
        if isinstance(shape, Box):
            box = (shape.x, shape.y, shape.x + shape.width, shape.y + shape.height)
            draw.rectangle(
                [round(value * scale) - (position > 1) for position, value in enumerate(box)],
                fill=theme[shape.role],
            )
        elif isinstance(shape, Rule):
            ends = [round(value * scale) for value in (shape.x1, shape.y1, shape.x2, shape.y2)]
            draw.line(ends, fill=theme[shape.role], width=max(1, round(scale)))
        elif isinstance(shape, Diamond):
            _smooth(picture, shape, scale, theme)
        else:
            _write(draw, shape, scale, theme)
    return picture


def _smooth(picture: Image.Image, mark: Diamond, scale: float, theme: dict[str, str]) -> None:
    left, top = (int((value - mark.radius) * scale) - 1 for value in (mark.x, mark.y))
    side = int(2 * mark.radius * scale) + 4
    mask = Image.new("L", (side * _FINER, side * _FINER))
    corners = [
        ((x * scale - left) * _FINER, (y * scale - top) * _FINER) for x, y in corners_of(mark)
    ]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    picture.paste(theme[mark.role], (left, top), mask.resize((side, side), Image.Resampling.BOX))


def _write(draw: ImageDraw.ImageDraw, words: Words, scale: float, theme: dict[str, str]) -> None:
    """Bold letters are the font's own, drawn a little thicker, since it comes in one weight."""
    font, text = font_and_text(words.text, words.size * scale)
    draw.text(
        (words.x * scale, words.y * scale), text, theme[words.role], font,
        _ANCHORS[words.anchor], stroke_width=0.3 * scale if words.bold else 0,
    )  # fmt: skip
