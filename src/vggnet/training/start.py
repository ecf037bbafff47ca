"""What a run starts from: which pictures it may see, their colours, the first weights.

In: a Dataset, a Recipe, perhaps Weights. Out: indices, a Preprocess, a Spec and arrays; and what
tells one run from another. Source: Section 2.1 of the paper for the mean RGB.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.training.recipe import Recipe
from vggnet.weights.state import Weights

_STATISTICS = 10_000  # pictures from which the mean and the deviation of the colours are taken


def split(num_pictures: int, recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the pictures to train on and of those held back, which the seed picks."""
    if recipe.holdout >= num_pictures:
        raise ValueError(
            f"holdout {recipe.holdout} leaves none of {num_pictures} pictures to train on"
        )
    order = np.random.default_rng(recipe.seed).permutation(num_pictures)
    return np.sort(order[recipe.holdout :]), np.sort(order[: recipe.holdout])


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """What tells one data set from another, without reading its pictures."""
    return {
        "name": Path(dataset.name).name,
        "pictures": len(dataset.labels),
        "classes": len(dataset.classes),
        "labels_sha256": hashlib.sha256(dataset.labels.tobytes()).hexdigest(),
    }


def differences(saved: dict[str, Any], asked: dict[str, Any]) -> str:
    """The entries that differ, both values of each."""
    return ", ".join(
        f"{name} {saved[part].get(name)!r} there and {asked[part].get(name)!r} here"
        for part in asked
        for name in sorted(saved[part].keys() | asked[part].keys())
        if saved[part].get(name) != asked[part].get(name)
    )


def colour_statistics(dataset: Dataset, indices: NDArray[np.int64], recipe: Recipe) -> Preprocess:
    """Subtract the mean RGB of the training pictures and divide by their deviation."""
    total, squares, count = np.zeros(3), np.zeros(3), 0
    for index in indices[:: max(1, len(indices) // _STATISTICS)]:
        try:
            pixels = np.asarray(picture(dataset, int(index)), dtype=np.float64).reshape(-1, 3) / 255
        except PictureError:
            continue  # counted and named when training meets it
        total += pixels.sum(axis=0)
        squares += (pixels**2).sum(axis=0)
        count += len(pixels)
    if not count:
        raise ValueError(f"{dataset.name}: none of its pictures can be read")
    mean = total / count
    deviation = np.sqrt(np.maximum(squares / count - mean**2, 1e-6))
    size = recipe.input_size
    return Preprocess(
        resize=size,
        crop=size,
        scale=1 / 255,
        mean=tuple(round(float(value), 4) for value in mean),  # type: ignore[arg-type]
        std=tuple(round(float(value), 4) for value in deviation),  # type: ignore[arg-type]
    )


def starting_spec(recipe: Recipe, dataset: Dataset, initial: Weights | None) -> Spec:
    """The recipe's network, or that of the initial weights with a head for these classes."""
    if initial is None:
        return recipe.spec(len(dataset.classes))
    return initial.spec.scaled(num_classes=len(dataset.classes), input_size=recipe.input_size)


def starting_arrays(initial: Weights, spec: Spec) -> dict[str, NDArray[np.float32]]:
    """The initial arrays that the network can take; the others are drawn at random."""
    shapes = spec.state_shapes
    return {
        name: values for name, values in initial.state.items() if shapes.get(name) == values.shape
    }
