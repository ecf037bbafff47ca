"""Random crops and flips of training pictures.

In: an RGB picture and a random generator. Out: its crop as size x size pixels. Every picture of
every epoch has a generator of its own, so that a run does not depend on who computes it, or when.
Source: Section 3.1 for the crop of the rescaled short side; Szegedy et al. 2015 (arXiv 1409.4842,
Section 6) for the crop of a random area.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.image import flip, rescale_short_side
from vggnet.training.recipe import Recipe

_ASPECTS = (math.log(3 / 4), math.log(4 / 3))  # of width / height of a crop
_TRIES = 10


def augment(
    picture: Image.Image, size: int, recipe: Recipe, random: np.random.Generator
) -> NDArray[np.uint8]:
    """One training view of `picture`: uint8 of shape (size, size, 3)."""
    if recipe.crop == "area":
        box = _random_area(picture.width, picture.height, recipe.min_area, random)
        view = picture.resize((size, size), Image.Resampling.BILINEAR, box=box)
    else:
        view = _random_square(picture, size, recipe, random)
    if recipe.flip and random.random() < 0.5:
        view = flip(view)
    return np.asarray(view)


def _random_area(
    width: int, height: int, min_area: float, random: np.random.Generator
) -> tuple[int, int, int, int]:
    """A box of a random share of the picture's area and a random aspect; all of it if none fits."""
    for _ in range(_TRIES):
        area = width * height * random.uniform(min_area, 1)
        aspect = math.exp(random.uniform(*_ASPECTS))
        columns, rows = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < columns <= width and 0 < rows <= height:
            left = int(random.integers(width - columns + 1))
            top = int(random.integers(height - rows + 1))
            return left, top, left + columns, top + rows
    return 0, 0, width, height


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
