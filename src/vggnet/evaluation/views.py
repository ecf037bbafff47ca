"""The views of a picture that a protocol scores: rescaled, mirrored, cropped.

In: an RGB picture, decoded once. Out: uint8 pixels; crops and mirror images are views of the
rescaled picture's memory. Source: Section 3.2 of the paper.
Shapes: H rows, W columns, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.evaluation.protocols import GRID, Protocol
from vggnet.image import PictureError, rescale_short_side

Pixels = NDArray[np.uint8]
Scale = tuple[int, str]  # short side in pixels, interpolation


def rescaled(picture: Image.Image, scales: Iterable[Scale], name: str) -> dict[Scale, Pixels]:
    """The picture at each scale, each resampled from the picture itself.

    Raises PictureError, which names the picture, where one would be too large.
    """
    try:
        return {
            (size, how): np.asarray(rescale_short_side(picture, size, how)) for size, how in scales
        }
    except ValueError as error:
        raise PictureError(f"{name}: {error}") from None


def grid_crops(pixels_HWC: Pixels, size: int, number: int = GRID) -> Iterator[Pixels]:
    """number x number squares whose corners are evenly spaced from edge to edge, row by row.

    Where the spacing is no whole number of pixels it is rounded, halves to even.
    """
    height, width = pixels_HWC.shape[:2]
    for top in _evenly(height - size, number):
        for left in _evenly(width - size, number):
            yield pixels_HWC[top : top + size, left : left + size]


def _evenly(room: int, number: int) -> list[int]:
    return [round(place * room / (number - 1)) for place in range(number)]


def centre(pixels_HWC: Pixels, size: int) -> Pixels:
    """The square in the middle, as `vggnet.image.centre_crop` cuts it."""
    top, left = (round((side - size) / 2) for side in pixels_HWC.shape[:2])
    return pixels_HWC[top : top + size, left : left + size]


def views(
    protocol: Protocol, pixels_HWC: Pixels, crop: int, centre_size: int
) -> Iterator[tuple[bool, float, Pixels]]:
    """Whether a view gets a dense map, its weight in the picture's score, and the view.

    `pixels_HWC` is the picture at one scale; the weights of all its views, over all scales, add up
    to 1. `crop` is the side of the crops of a grid, `centre_size` that of the one in the middle.
    """
    images = [pixels_HWC, pixels_HWC[:, ::-1]] if protocol.flip else [pixels_HWC]
    weight = 1 / (len(images) * len(protocol.scales))
    if protocol.crops == "both":
        weight /= 2
    for image_HWC in images:
        if protocol.crops == "centre":
            yield False, weight, centre(image_HWC, centre_size)
        if protocol.is_dense:
            yield True, weight, image_HWC
        if protocol.is_multicrop:
            for each in grid_crops(image_HWC, crop):
                yield False, weight / GRID**2, each
