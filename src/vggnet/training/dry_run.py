"""What a training run would do, take and last, told without doing it.

In: a Dataset, a Recipe, TrainingOptions. Out: an Outlook. A few steps are timed on a network that
is then thrown away; nothing is written, and torch's random state is left as it was.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vggnet.analysis import BYTES_PER_ELEMENT, analyze
from vggnet.data import Dataset
from vggnet.data.parquet import ParquetDataset
from vggnet.machine import available_memory
from vggnet.training.batches.held_back import share
from vggnet.training.batches.pictures import DecodedPictures, Held, batches, keys
from vggnet.training.beginning import Beginning, begin
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.run import Run, figures
from vggnet.training.schedule import rate_at
from vggnet.training.train import check_new

_MOST_STEPS, _SECONDS = 4, 2.0  # timed at each side of pictures
_TEST_BATCH = 64  # pictures, as in `evaluate`


@dataclass(frozen=True)
class Memory:
    """Bytes that a run needs at least: what it must hold at once."""

    weights: int  # and their gradients, momenta and average; a teacher's weights
    activations: int  # of a batch, or the part of it that is computed at a time, and a teacher's
    pictures: int  # decoded; 0 where they are not
    available: int  # on the device, before the run

    @property
    def on_device(self) -> int:
        return self.weights + self.activations


@dataclass(frozen=True)
class Timing:
    """Seconds, measured now."""

    computing: dict[int, float]  # a step, by the side of its pictures
    preparing: dict[int, float]  # a batch, in one process, of pictures as the run has them
    testing: float  # the held-back pictures once


@dataclass(frozen=True)
class Outlook:
    """What a run would do; `timing` is None where it would not fit into memory."""

    beginning: Beginning
    memory: Memory
    timing: Timing | None
    workers: int
    held: str  # how the run holds its pictures, in words

    def rates(self) -> list[float]:
        """The learning rate in the middle of each epoch; of plateau while accuracy rises."""
        start, steps = self.beginning, self.beginning.steps_per_epoch
        middles = range(steps // 2, start.num_steps, steps)
        return [rate_at(start.recipe, step, start.num_steps) for step in middles]

    def step_seconds(self, size: int) -> float:
        """Of a step with pictures of that side; workers prepare batches while others are used."""
        assert self.timing is not None
        computing, preparing = self.timing.computing[size], self.timing.preparing[size]
        return max(computing, preparing / self.workers) if self.workers else computing + preparing

    @property
    def seconds(self) -> float:
        """The whole run, tests of the held-back pictures included; not the decoding before it."""
        assert self.timing is not None
        sizes = self.beginning.recipe.epoch_sizes
        steps = sum(self.step_seconds(size) for size in sizes) * self.beginning.steps_per_epoch
        return steps + self.timing.testing * len(sizes)


def look_ahead(dataset: Dataset, recipe: Recipe, options: TrainingOptions) -> Outlook:
    """What `train` would do with these. Raises what it would: ValueError, and Diverged."""
    check_new(options.folder)
    start = begin(dataset, recipe, options)
    pictures = DecodedPictures(dataset)
    limit = options.memory_for_pictures()
    limit -= share(limit, len(start.training), len(start.held_back))
    memory = _memory(start, pictures, limit)
    held: Held = "decoded" if memory.pictures else _undecoded(dataset, limit, options.folder)
    timing = None
    if memory.on_device <= memory.available:
        devices = [start.hardware.device] if start.hardware.kind == "cuda" else []
        with torch.random.fork_rng(devices):
            timing = _time(start, pictures, held)
    return Outlook(start, memory, timing, options.workers, pictures.in_words(held))


def _undecoded(dataset: Dataset, limit: int, folder: Path) -> Held:
    """How the run in `folder`, which need not be there, will hold pictures that do not fit."""
    path = folder.absolute()
    there = next(each for each in (path, *path.parents) if each.is_dir())
    if isinstance(dataset, ParquetDataset) and dataset.can_keep(limit, there):
        return "encoded"
    return "as needed"


def _memory(start: Beginning, pictures: DecodedPictures, limit: int) -> Memory:
    """`limit` is what the pixels of the training pictures may take."""
    recipe = start.recipe
    copies = 4 if recipe.weight_average else 3
    costs = [analyze(start.spec, size) for size in set(recipe.epoch_sizes)]
    at_once = -(-min(recipe.batch_size, len(start.training)) // recipe.accumulate)
    decoded = pictures.expected_bytes(start.training)
    on_cuda = start.hardware.kind == "cuda"
    teachers = start.teacher.specs if start.teacher else ()
    taught = [analyze(spec, max(recipe.epoch_sizes)) for spec in teachers]
    numbers = copies * costs[0].parameters + sum(cost.parameters for cost in taught)
    # A teacher needs no gradient, so that it holds a layer's input and output at a time.
    maps = max(cost.activations for cost in costs)
    maps += max((cost.peak_activations for cost in taught), default=0)
    return Memory(
        weights=BYTES_PER_ELEMENT * numbers,
        activations=at_once * BYTES_PER_ELEMENT * maps,
        pictures=decoded if decoded <= limit else 0,
        available=torch.cuda.mem_get_info(start.hardware.device)[0]
        if on_cuda
        else available_memory(),
    )


def _time(start: Beginning, pictures: DecodedPictures, held: Held) -> Timing:
    run, recipe = start.run(), start.recipe
    computing, preparing = {}, {}
    for size in dict.fromkeys(recipe.epoch_sizes):
        first_step = recipe.epoch_sizes.index(size) * start.steps_per_epoch
        # What the run decodes or keeps once, before its first step.
        batch = [index for _, index, _ in next(keys(recipe, start.training, first_step))]
        if held == "decoded":
            pictures.fill(np.array(batch), sys.maxsize)
        elif held == "encoded":
            assert isinstance(pictures.dataset, ParquetDataset)
            pictures.dataset.keep_these(batch)
        begun = time.perf_counter()
        pixels, labels = next(
            batches(pictures, recipe, start.training, first_step, 0,
                    shift_axes_CC=run.shift_axes_CC)
        )  # fmt: skip
        preparing[size] = time.perf_counter() - begun
        computing[size] = _step_seconds(run, pixels, labels)
    return Timing(computing, preparing, _testing(run, start))


def _step_seconds(run: Run, pixels_NHWC: Tensor, labels_N: Tensor) -> float:
    """The least of a few steps with the batch, or with as much of it as takes a second.

    Of less than a batch the time is taken in proportion, which is a little too much: the
    optimizer's share does not grow with the pictures. Each of its parts has two pictures or more:
    a batch norm cannot train on one with a map of 1 x 1.
    """
    parts = run.recipe.accumulate
    count = min(len(labels_N), 2 * parts)
    run.train_step(pixels_NHWC[:count], labels_N[:count])  # the first one prepares much
    spent: list[float] = []
    while sum(spent) < _SECONDS and len(spent) < _MOST_STEPS:
        begun = time.perf_counter()
        figures([run.train_step(pixels_NHWC[:count], labels_N[:count])])  # waits for the device
        seconds = time.perf_counter() - begun
        wanted = int(count * _SECONDS / 4 / seconds) // parts * parts  # equal parts, as of a batch
        more = min(len(labels_N), max(count, wanted))
        if more > 2 * count or (more == len(labels_N) > count):
            count, spent = more, []
        else:
            spent.append(seconds)
    return min(spent) * len(labels_N) / count


def _testing(run: Run, start: Beginning) -> float:
    if not len(start.held_back):
        return 0.0
    side = start.recipe.test_crop(start.recipe.test_size)
    count = min(_TEST_BATCH, len(start.held_back))
    function, seconds = run.function(), 0.0
    for some in (1, min(8, count), count):  # the first also prepares
        pixels_NHWC = np.zeros((some, side, side, 3), np.uint8)
        begun = time.perf_counter()
        function(pixels_NHWC)
        seconds = (time.perf_counter() - begun) / some
        if seconds * count > _SECONDS:
            break
    return seconds * len(start.held_back)
