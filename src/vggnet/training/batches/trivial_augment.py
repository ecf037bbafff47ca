"""TrivialAugment: one operation of a list, at a strength drawn anew, on each training view.

In: a square RGB view and a random generator. Out: a view of the same size. Source: Mueller and
Hutter 2021 (arXiv 2103.10158), the wide ranges of Table 1. Translations are 32 pixels at most in
a picture of 224 there, and shrink with the view here; pixels from outside it are black.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

_LEVELS = 30  # strengths are 0, 1/30 ... 1
_SHEAR, _TURN = 0.99, 135.0  # at strength 1: columns a row, degrees
_SHIFT = 32 / 224  # of the side
_FADE = 0.99  # an enhancement's factor is 1 - this ... 1 + this

Operation = Callable[[Image.Image, float], Image.Image]


def trivial_augment(view: Image.Image, random: np.random.Generator) -> Image.Image:
    """`view` after one operation, each as likely; its strength is uniform, and so is its sign."""
    drawn = int(random.integers(len(OPERATIONS) * (_LEVELS + 1) * 2))
    drawn, sign = drawn // 2, 1 - 2 * (drawn % 2)
    which, level = divmod(drawn, _LEVELS + 1)
    return _FUNCTIONS[which](view, sign * level / _LEVELS)


def _affine(view: Image.Image, *matrix: float) -> Image.Image:
    """Output pixel (x, y) is input pixel (a x + b y + c, d x + e y + f)."""
    return view.transform(view.size, Image.Transform.AFFINE, matrix)


def _solarize(view: Image.Image, strength: float) -> Image.Image:
    """Values from the threshold on are inverted: none at strength 0, all at 1."""
    return ImageOps.solarize(view, round(256 * (1 - abs(strength))))


# Of a strength from -1 to 1. Where the sign has no meaning it is left out.
OPERATIONS: dict[str, Operation] = {
    "identity": lambda view, _: view,
    "shear x": lambda view, strength: _affine(view, 1, _SHEAR * strength, 0, 0, 1, 0),
    "shear y": lambda view, strength: _affine(view, 1, 0, 0, _SHEAR * strength, 1, 0),
    "translate x": lambda view, strength: _affine(
        view, 1, 0, _SHIFT * view.width * strength, 0, 1, 0
    ),
    "translate y": lambda view, strength: _affine(
        view, 1, 0, 0, 0, 1, _SHIFT * view.height * strength
    ),
    "rotate": lambda view, strength: view.rotate(_TURN * strength),
    "brightness": lambda view, strength: ImageEnhance.Brightness(view).enhance(
        1 + _FADE * strength
    ),
    "colour": lambda view, strength: ImageEnhance.Color(view).enhance(1 + _FADE * strength),
    "contrast": lambda view, strength: ImageEnhance.Contrast(view).enhance(1 + _FADE * strength),
    "sharpness": lambda view, strength: ImageEnhance.Sharpness(view).enhance(1 + _FADE * strength),
    # 8 bits a value at strength 0, which changes nothing, and 2 at 1.
    "posterize": lambda view, strength: ImageOps.posterize(view, 8 - round(6 * abs(strength))),
    "solarize": _solarize,
    "auto-contrast": lambda view, _: ImageOps.autocontrast(view),
    "equalize": lambda view, _: ImageOps.equalize(view),
}
_FUNCTIONS = tuple(OPERATIONS.values())
