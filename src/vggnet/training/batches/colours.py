"""The colours of the training pictures, and how pixels become a network's input by them.

In: a Dataset, the indices of its training pictures, a Recipe. Out: their mean and covariance, a
Preprocess, and the axes along which colours are shifted. Source: Section 2.1 of the paper for the
mean RGB, Section 3.2 for the scale at test, Krizhevsky et al. 2012 (Section 4.1) for the axes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess
from vggnet.training.recipe import Recipe

_ENOUGH = 10_000  # pictures for the statistics; of n times as many every n-th is taken


@dataclass(frozen=True)
class Colours:
    """Statistics of all pixels of some pictures, R, G, B counted from 0 to 1."""

    mean_C: NDArray[np.float64]
    covariance_CC: NDArray[np.float64]


def measured_preprocessing(colours: Colours, recipe: Recipe) -> Preprocess:
    """Subtract the mean RGB and, unless the recipe says mean, divide by the deviation; at the
    recipe's test scale.

    Pixels stay in 0..255 where only the mean is subtracted, as in the paper.
    """
    mean = colours.mean_C
    deviation = np.sqrt(np.maximum(np.diag(colours.covariance_CC), 1e-6))
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


def shift_axes(colours: Colours) -> NDArray[np.float64]:
    """(3, 3), R, G, B by axis: the principal axes of the colours, each as long as the standard
    deviation along it, in pixel values from 0 to 255.

    Krizhevsky et al. write eigenvalues of the covariance where their program (cuda-convnet2) has
    their roots. The roots it is here: unlike eigenvalues they shift the same colours whether pixels
    count to 1 or to 255, and of pixels to 255 eigenvalues would leave nothing but black and white.
    An axis points to where its largest component is positive.
    """
    eigenvalues, axes_CC = np.linalg.eigh(colours.covariance_CC)
    largest = np.abs(axes_CC).argmax(axis=0)
    signs = np.sign(axes_CC[largest, np.arange(3)])
    found: NDArray[np.float64] = 255 * axes_CC * signs * np.sqrt(np.maximum(eigenvalues, 0))
    return found


def measured_colours(dataset: Dataset, indices: NDArray[np.int64], strict: bool = False) -> Colours:
    """The colours of these pictures, or of 10,000 to 15,000 spread over 20,000 or more.

    Raises ValueError where no picture can be read, and PictureError with `strict` where one cannot.
    """
    total, products, count = np.zeros(3), np.zeros((3, 3)), 0
    for index in indices[:: max(1, len(indices) // _ENOUGH)]:
        try:
            pixels = np.asarray(picture(dataset, int(index)), dtype=np.float64).reshape(-1, 3) / 255
        except PictureError:
            if strict:
                raise
            continue  # counted and named when training meets it
        total += pixels.sum(axis=0)
        products += pixels.T @ pixels
        count += len(pixels)
    if not count:
        raise ValueError(f"{dataset.name}: none of its pictures can be read")
    mean = total / count
    return Colours(mean, products / count - np.outer(mean, mean))
