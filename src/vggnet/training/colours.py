"""The colours of the training pictures, and how pixels become a network's input by them.

In: a Dataset, the indices of its training pictures, a Recipe. Out: a Preprocess. Source: Section
2.1 of the paper for the mean RGB, Section 3.2 for the scale at test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess
from vggnet.training.recipe import Recipe

_MOST = 10_000  # pictures from which the mean and the deviation are taken


def measured_preprocessing(
    dataset: Dataset, indices: NDArray[np.int64], recipe: Recipe, strict: bool = False
) -> Preprocess:
    """Subtract the mean RGB of these pictures and, unless the recipe says mean, divide by the
    deviation; at the recipe's test scale.

    Pixels stay in 0..255 where only the mean is subtracted, as in the paper. Raises ValueError
    where no picture can be read, and PictureError with `strict` where one cannot.
    """
    mean, deviation = _colour_statistics(dataset, indices, strict)
    if recipe.normalization == "mean":
        rounded = tuple(round(255 * float(value), 3) for value in mean)
        preprocessing = Preprocess(None, None, scale=1.0, mean=rounded)  # type: ignore[arg-type]
    else:
        preprocessing = Preprocess(
            None,
            None,
            scale=1 / 255,
            mean=tuple(round(float(value), 4) for value in mean),  # type: ignore[arg-type]
            std=tuple(round(float(value), 4) for value in deviation),  # type: ignore[arg-type]
        )
    return at_scale(preprocessing, recipe, recipe.test_size)


def at_scale(preprocessing: Preprocess, recipe: Recipe, size: int) -> Preprocess:
    """`preprocessing` with the short side `size` and the crop that the recipe takes from it."""
    return replace(preprocessing, resize=size, crop=recipe.test_crop(size))


def _colour_statistics(
    dataset: Dataset, indices: NDArray[np.int64], strict: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of R, G, B, pixels counted from 0 to 1."""
    total, squares, count = np.zeros(3), np.zeros(3), 0
    for index in indices[:: max(1, len(indices) // _MOST)]:
        try:
            pixels = np.asarray(picture(dataset, int(index)), dtype=np.float64).reshape(-1, 3) / 255
        except PictureError:
            if strict:
                raise
            continue  # counted and named when training meets it
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
        count += len(pixels)
    if not count:
        raise ValueError(f"{dataset.name}: none of its pictures can be read")
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
