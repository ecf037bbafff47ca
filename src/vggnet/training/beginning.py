"""What a new run begins with, before anything is learnt or written.

In: a Dataset, a Recipe, TrainingOptions. Out: a Beginning, of which Runs are made: one by `train`,
others, to be thrown away, by the dry run and by the search for a learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vggnet.data import (
    Dataset,
    FolderDataset,
    classes_held_back,
    classes_without_pictures,
    doubts,
)
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.training.batches.colours import (
    at_scale,
    measured_colours,
    measured_preprocessing,
    shift_axes,
)
from vggnet.training.batches.held_back import split
from vggnet.training.batches.pictures import steps_per_epoch
from vggnet.training.hardware import Hardware, choose, set_torch
from vggnet.training.initial_weights import (
    arrays_of_shallower,
    growth_when_drawn,
    starting_arrays,
    starting_spec,
)
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.run import Run
from vggnet.training.teacher import Teacher, teacher_of
from vggnet.weights.named import load_weights
from vggnet.weights.weights import State


@dataclass(frozen=True)
class Beginning:
    """All that a new run needs; `training` and `held_back` are indices into the data set."""

    recipe: Recipe
    spec: Spec
    preprocessing: Preprocess
    arrays: State  # those that are not drawn
    shift_axes_CC: NDArray[np.float64] | None
    training: NDArray[np.int64]
    held_back: NDArray[np.int64]
    hardware: Hardware
    teacher: Teacher | None

    @property
    def steps_per_epoch(self) -> int:
        return steps_per_epoch(self.recipe, len(self.training))

    @property
    def num_steps(self) -> int:
        return self.steps_per_epoch * len(self.recipe.epoch_sizes)

    def run(self, kind: type[Run] = Run) -> Run:
        """A new run from here, of class `kind`."""
        return kind(
            self.recipe,
            self.spec,
            self.preprocessing,
            self.num_steps,
            self.hardware.device,
            self.arrays,
            self.hardware.precision,
            self.shift_axes_CC,
            self.hardware.convolutions,
            self.teacher,
        )


def begin(dataset: Dataset, recipe: Recipe, options: TrainingOptions) -> Beginning:
    """Look at the pictures and the initial weights, and set torch to the hardware.

    Raises ValueError for data, weights and recipes that do not fit together.
    """
    note = options.reporter.note
    check_classes(dataset, note)
    hardware = choose(
        options.device, options.threads, recipe.precision, convolutions=options.convolutions,
        process=options.process,
    )  # fmt: skip
    if recipe.sync_batch_norm and hardware.kind == "cpu":
        raise ValueError(
            "sync-batch-norm: torch synchronises batch norm on CUDA devices only; leave it out, "
            "and each process normalises over its part of a batch"
        )
    training, held_back = split(len(dataset.labels), recipe)
    if unlearnt := classes_held_back(dataset, training):
        note(
            f"all pictures of class {unlearnt} are held back, and none are learnt: give a "
            "smaller --holdout, or more pictures"
        )
    initial = load_weights(recipe.init) if recipe.init else None
    shallower = load_weights(recipe.init_from) if recipe.init_from else None
    spec = starting_spec(recipe, dataset, initial)
    arrays: State = {}
    if initial is not None:
        arrays = starting_arrays(initial, spec)
    elif shallower is not None:
        arrays = arrays_of_shallower(shallower, spec, recipe.init_from)
    teacher = teacher_of(recipe, dataset.classes, hardware)
    set_torch(hardware)
    if not len(held_back):
        note("nothing is held back: --holdout N tests on N pictures every epoch")
    brought = initial or shallower
    colours = None
    if brought is None or recipe.rgb_shift:
        colours = measured_colours(dataset, training, options.strict)
    if brought is None:
        assert colours is not None
        preprocessing = measured_preprocessing(colours, recipe)
    else:
        preprocessing = at_scale(brought.preprocessing, recipe, recipe.test_size)
        drawn = sorted(spec.state_shapes.keys() - arrays.keys())
        source = recipe.init or recipe.init_from
        note(f"not from {source}: {', '.join(drawn) or 'nothing'}")
    growth = growth_when_drawn(spec, arrays) if recipe.initialization == "paper" else 0.0
    if growth > 1e3 and not spec.batch_norm:
        note(
            "drawn with variance 1e-2, as printed in the paper, these layers make values "
            f"{growth:.0e} times as large, too large to learn from: --initialization glorot does "
            "not, and is what the authors came to"
        )
    axes_CC = shift_axes(colours) if colours and recipe.rgb_shift else None
    return Beginning(
        recipe, spec, preprocessing, arrays, axes_CC, training, held_back, hardware, teacher
    )


def check_classes(dataset: Dataset, note: Callable[[str], None]) -> None:
    """Raises ValueError for class folders without pictures and for fewer than two classes.

    Parquet names its classes itself, and may hold pictures of some of them only: that is a note.
    """
    for doubt in doubts(dataset):
        note(doubt)
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
