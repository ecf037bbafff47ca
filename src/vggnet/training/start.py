"""What a run starts from: which pictures it may see, and its first weights.

In: a Recipe, a Dataset, perhaps Weights. Out: indices, a Spec and arrays.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, FolderDataset, classes_without_pictures
from vggnet.spec import Spec
from vggnet.training.recipe import Recipe
from vggnet.weights.weights import State, Weights


def check_classes(dataset: Dataset, note: Callable[[str], None]) -> None:
    """Raises ValueError for class folders without pictures and for fewer than two classes.

    Parquet names its classes itself, and may hold pictures of some of them only: that is a note.
    """
    empty = classes_without_pictures(dataset)
    if empty and isinstance(dataset, FolderDataset):
        raise ValueError(
            f"{dataset.name}: class folders without pictures: {empty}; put pictures into them or "
            "take them away"
        )
    if len(np.unique(dataset.labels)) < 2:
        raise ValueError(
            f"{dataset.name}: all of its pictures are of one class; training needs two or more "
            "class folders"
        )
    if empty:
        note(f"classes without pictures: {empty}")


def split(num_pictures: int, recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the pictures to train on and of those held back, which the seed picks.

    Raises ValueError where too few are left to train on.
    """
    if recipe.holdout >= num_pictures:
        raise ValueError(
            f"holdout {recipe.holdout} leaves none of {num_pictures} pictures to train on; "
            "choose a smaller --holdout"
        )
    order = np.random.default_rng(recipe.seed).permutation(num_pictures)
    return np.sort(order[recipe.holdout :]), np.sort(order[: recipe.holdout])


def starting_spec(recipe: Recipe, dataset: Dataset, initial: Weights | None) -> Spec:
    """The recipe's network, or that of the initial weights with a head for these classes.

    Raises ValueError where it cannot take a size that the recipe trains or tests at.
    """
    if initial is None:
        spec = recipe.spec(len(dataset.classes))
    else:
        spec = initial.spec.scaled(num_classes=len(dataset.classes), input_size=recipe.input_size)
    tested = (recipe.test_crop(size) for size in (recipe.test_size, *recipe.test_size_choices))
    for size in {*recipe.epoch_sizes, *tested}:
        spec.layers_at(size, size)
    return spec


def starting_arrays(initial: Weights, spec: Spec) -> State:
    """The initial arrays that the network can take; the others are drawn at random."""
    shapes = spec.state_shapes
    return {
        name: values for name, values in initial.state.items() if shapes.get(name) == values.shape
    }
