"""Numbers over space as pictures: maps over a photograph, maps side by side, kernels.

In: arrays. Out: Pillow pictures in RGB. Suffixes: C channels, O channels out, H and Y rows, W and X
columns.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vggnet.drawing.raster import raster
from vggnet.drawing.scales import ScaleName, colours, span
from vggnet.drawing.scene import Scene, Words
from vggnet.drawing.theme import LIGHT

_CAPTION = 22  # pixels for a line beneath a picture
_LEAST_WIDTH = 320  # of a picture with a caption


def enlarged(values_HW: NDArray[np.floating], height: int, width: int) -> NDArray[np.float32]:
    """The map at another size, in between linearly; each position is the middle of its square."""
    picture = Image.fromarray(np.asarray(values_HW, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), np.float32)


def overlay(
    photograph: Image.Image,
    values_HW: NDArray[np.floating],
    scale: ScaleName = "viridis",
    strength: float = 0.6,
) -> Image.Image:
    """The map in colours over the photograph in grey, of which `strength` 1 shows nothing."""
    if not 0 <= strength <= 1:
        raise ValueError(f"strength {strength} must be from 0 to 1")
    values = enlarged(values_HW, photograph.height, photograph.width)
    over = Image.fromarray(colours(values, *span(values_HW, scale), scale))
    return Image.blend(photograph.convert("L").convert("RGB"), over, strength)


def colour_bar(width: int, height: int, scale: ScaleName = "viridis") -> Image.Image:
    """The scale from its lower end, left, to its upper end."""
    row = np.linspace(0, 1, width)[np.newaxis]
    return Image.fromarray(np.repeat(colours(row, 0, 1, scale), height, axis=0))


def grid(tiles: Sequence[NDArray[np.uint8]], side: int, space: int = 2) -> Image.Image:
    """Pictures (H, W, 3) of one size in rows, near to a square.

    The longer side of each becomes the largest multiple of its own that is no more than `side`
    pixels, without smoothing; a longer one is reduced to `side`. Raises ValueError for none.
    """
    if not tiles:
        raise ValueError("there is nothing to show side by side")
    height, width = tiles[0].shape[:2]
    longer = max(height, width)
    target = longer * (side // longer) if side >= longer else side
    height, width = (max(1, round(each * target / longer)) for each in (height, width))
    filter = Image.Resampling.NEAREST if side >= longer else Image.Resampling.BOX
    columns = math.ceil(math.sqrt(len(tiles) * height / width))
    rows = math.ceil(len(tiles) / columns)
    sheet = Image.new(
        "RGB", (columns * (width + space) - space, rows * (height + space) - space), "white"
    )
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        picture = Image.fromarray(tile).resize((width, height), filter)
        sheet.paste(picture, (column * (width + space), row * (height + space)))
    return sheet


def maps_picture(maps_CHW: NDArray[np.floating], side: int = 64) -> Image.Image:
    """The maps of a layer, channel 0 first, in rows; one scale for all, its range beneath.

    Of FC layers each number, (C,), is a square. Negative values, which stand before a ReLU, make
    the scale signed. It ends where 99.5% of the values do; the largest is stated. Raises ValueError
    for other shapes.
    """
    maps_CHW = np.asarray(maps_CHW)
    if maps_CHW.ndim == 1:
        maps_CHW = maps_CHW[:, np.newaxis, np.newaxis]
    if maps_CHW.ndim != 3:
        raise ValueError(f"the maps of one picture are (C, H, W) or (C,), not {maps_CHW.shape}")
    scale: ScaleName = "signed" if maps_CHW.min() < 0 else "viridis"
    largest = float(np.abs(maps_CHW).max())
    reach = _reach(maps_CHW, 99.5)
    low, high = -reach if scale == "signed" else 0.0, reach
    tiles = [colours(map_HW, low, high, scale) for map_HW in maps_CHW]
    side = side if maps_CHW.shape[1] > 1 else 8
    text = f"{low:.3g} to {high:.3g}, the largest is {largest:.3g}"
    return captioned(grid(tiles, side), text, scale)


def filters_picture(
    weights_OCYX: NDArray[np.floating], colour_order: str = "RGB", side: int = 28
) -> Image.Image:
    """Kernels over the three colours of a picture, as the colours that they look for.

    Grey is 0, and one scale holds for all; it ends where 98% of the weights do, and the largest is
    stated. Raises ValueError where there are not three channels.
    """
    pixels_OYXC, reach = filter_pixels(weights_OCYX, colour_order)
    sheet = grid(list(pixels_OYXC), side)
    largest = float(np.abs(weights_OCYX).max())
    return captioned(
        sheet, f"grey is 0, white {reach:.2g}, black -{reach:.2g}; the largest is {largest:.2g}"
    )


def filter_pixels(
    weights_OCYX: NDArray[np.floating], colour_order: str = "RGB"
) -> tuple[NDArray[np.uint8], float]:
    """RGB in (O, Y, X, 3) of kernels over colours, grey for 0, and the weight that is white.

    One scale for all, which ends where 98% of the weights do. Raises ValueError where there are not
    three channels.
    """
    if weights_OCYX.ndim != 4 or weights_OCYX.shape[1] != 3:
        raise ValueError(f"kernels over colours are (O, 3, Y, X), not {weights_OCYX.shape}")
    in_order = weights_OCYX if colour_order == "RGB" else weights_OCYX[:, ::-1]
    reach = _reach(in_order, 98) or 1.0
    share_OYXC = np.clip(in_order.transpose(0, 2, 3, 1) / reach, -1, 1)
    return np.rint(127.5 + 127.5 * share_OYXC).astype(np.uint8), reach


def captioned(picture: Image.Image, text: str, scale: ScaleName | None = None) -> Image.Image:
    """The picture with a line beneath it, which begins with the colours of the scale."""
    width = max(picture.width, _LEAST_WIDTH)
    bar = 80 if scale else 0
    words = Words(bar + 8 * bool(bar), 16, text, 13)
    line = raster(Scene(width, _CAPTION, "", (words,)), scale=1)
    if scale:
        line.paste(colour_bar(bar, 10, scale), (0, 6))
    sheet = Image.new("RGB", (width, picture.height + _CAPTION), LIGHT["ground"])
    sheet.paste(picture, (0, 0))
    sheet.paste(line, (0, picture.height))
    return sheet


def framed(photograph: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
    """A copy with a frame (left, top, right, bottom), black and white, so that it always shows."""
    picture = photograph.copy()
    draw = ImageDraw.Draw(picture)
    left, top, right, bottom = (round(side) for side in box)
    thick = max(1, round(min(photograph.size) / 150))
    for colour, inset in (("black", 0), ("white", thick)):
        corners = (left + inset, top + inset, right - 1 - inset, bottom - 1 - inset)
        if corners[2] >= corners[0] and corners[3] >= corners[1]:
            draw.rectangle(corners, outline=colour, width=thick)
    return picture


def png(picture: Image.Image) -> bytes:
    """The picture as a PNG file's bytes."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _reach(values: NDArray[np.floating], percent: float) -> float:
    """What so many of the values do not exceed, but for their signs; the largest, if that is 0."""
    sizes = np.abs(values)
    return float(np.percentile(sizes, percent)) or float(sizes.max())
