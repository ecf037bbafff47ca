"""Random crops, flips and colours of training pictures, and what is done to the views after that.

In: an RGB picture and a random generator. Out: its crop as size x size pixels. Every picture of
every epoch has a generator of its own, so that a run does not depend on who computes it, or when.
Source: Section 3.1 for the crop of the rescaled short side; Krizhevsky et al. 2012 (Section 4.1)
for the shift of its colours; Szegedy et al. 2015 (arXiv 1409.4842, Section 6) for the crop of a
random area; Zhong et al. 2017 (arXiv 1708.04896) for erasing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.image import flip, rescale_short_side
from vggnet.training.batches.trivial_augment import trivial_augment
from vggnet.training.recipe import Recipe

_ASPECTS = (math.log(3 / 4), math.log(4 / 3))  # of width / height of a crop
_ERASED_AREAS = (0.02, 0.33)  # shares of the view
_ERASED_ASPECTS = (math.log(0.3), math.log(1 / 0.3))
_TRIES = 10


def augment(
    picture: Image.Image,
    size: int,
    recipe: Recipe,
    random: np.random.Generator,
    shift_axes_CC: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """One training view of `picture`: uint8 of shape (size, size, 3).

    A recipe with an RGB shift needs the axes of the data's colours (`colours.shift_axes`).
    """
    if recipe.crop == "area":
        box = _random_area(picture.width, picture.height, recipe.min_area, random)
        view = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    else:
        view = _random_square(picture, size, recipe, random)
    if recipe.flip and random.random() < 0.5:
        view = flip(view)
    if recipe.rgb_shift:
        assert shift_axes_CC is not None
        view = _shifted(view, shift_axes_CC @ random.normal(0, recipe.rgb_shift, 3))
    if recipe.trivial_augment:
        view = trivial_augment(view, random)
    if recipe.erasing and random.random() < recipe.erasing:
        return _erase(np.array(view), random)
    return np.asarray(view)


def _shifted(view: Image.Image, shift_C: NDArray[np.float64]) -> Image.Image:
    """The view with `shift_C` added to each pixel, rounded, and cut off at black and white.

    So it stays bytes, a quarter of what floating point takes on its way to the device. Rounding
    changes the shift, which is the same for all pixels, by half a value at most.
    """
    values_3x256 = np.clip(np.rint(np.arange(256) + shift_C[:, None]), 0, 255).astype(np.uint8)
    return view.point(values_3x256.flatten().tolist())


def _erase(view: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """The view with a random rectangle of noise, each byte drawn alike; without, if none fits.

    Of the fillings that the paper compares noise is the best.
    """
    size = len(view)
    box = _random_box(size, size, _ERASED_AREAS, _ERASED_ASPECTS, random)
    if box:
        left, top, right, bottom = box
        shape = (bottom - top, right - left, 3)
        view[top:bottom, left:right] = random.integers(0, 256, shape, dtype=np.uint8)
    return view


def _random_area(
    width: int, height: int, min_area: float, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """A box of a random share of the picture's area and a random aspect; all of it if none fits."""
    return _random_box(width, height, (min_area, 1), _ASPECTS, random) or (0, 0, width, height)


def _random_box(
    width: int,
    height: int,
    shares: tuple[float, float],
    aspects: tuple[float, float],
    random: np.random.Generator,
) -> tuple[int, int, int, int] | None:
    """A box of a share of the area and an aspect (its logarithm) from these ranges, if one fits."""
    for _ in range(_TRIES):
        area = width * height * random.uniform(*shares)
        aspect = math.exp(random.uniform(*aspects))
        columns, rows = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < columns <= width and 0 < rows <= height:
            left = int(random.integers(width - columns + 1))
            top = int(random.integers(height - rows + 1))
            return left, top, left + columns, top + rows
    return None


def _random_square(
    picture: Image.Image, size: int, recipe: Recipe, random: np.random.Generator
) -> Image.Image:
    """Section 3.1: the short side becomes S, drawn from a range, then a square is cropped.

    S is meant for the recipe's own input size and shrinks with a smaller `size`.
    """
    low, high = recipe.short_side_range
    drawn = int(random.integers(low, high + 1))
    rescaled = rescale_short_side(picture, max(size, round(drawn * size / recipe.input_size)))
    left = int(random.integers(rescaled.width - size + 1))
    top = int(random.integers(rescaled.height - size + 1))
    return rescaled.crop((left, top, left + size, top + size))
