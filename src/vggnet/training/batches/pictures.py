"""The training pictures, decoded, and the stream of batches of them.

In: a Dataset, the indices of its training pictures, a Recipe, the step to begin at. Out: batches
(pixels_NHWC uint8, labels_N) in an order that the recipe's seed fixes, whoever computes them.
Shapes: N pictures, H and W rows and columns, C channels.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from vggnet.data import Dataset, picture
from vggnet.data.parquet import ParquetDataset
from vggnet.image import PictureError, picture_name
from vggnet.training.batches import mix
from vggnet.training.batches.augment import augment
from vggnet.training.distributed import ALONE, Process
from vggnet.training.recipe import Recipe

Key = tuple[int, int, int]  # epoch, index into the data set, picture side
Held = Literal["decoded", "encoded", "as needed"]  # in memory or, encoded, in a file; not at all
Decoded = NDArray[np.uint8] | str  # pixels_HWC, or the fault of a broken picture
_SAMPLE = 256  # pictures looked at to guess how much memory all of them need
_CHUNK = 2**22  # bytes of pixels that a process hands over at a time


class WorkerEnded(ValueError):
    """A process that prepares pictures has ended before its time."""


@dataclass
class DecodedPictures:
    """The pictures of a data set, decoded in memory where all of them fit."""

    dataset: Dataset
    decoded: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)  # faults, each naming its picture

    def open(self, index: int) -> Image.Image:
        """Picture `index` in RGB. Raises PictureError for a broken one."""
        pixels = self.decoded.get(index)
        return Image.fromarray(pixels) if pixels is not None else picture(self.dataset, index)

    def fill(
        self,
        indices: NDArray[np.int64],
        limit: int,
        scratch: Path | None = None,
        progress: Callable[[int], None] = lambda done: None,
        num_workers: int = 0,
    ) -> Held:
        """Decode the pictures if all of them fit into `limit` bytes, else `keep` them.

        `progress` is called now and then with the number of pictures done; it may raise in order to
        stop. Two or more workers decode in so many processes: most of the time is Python's own.
        Tells how they are held from then on. Raises WorkerEnded.
        """
        if self._decode(indices, limit, progress, num_workers):
            return "decoded"
        self.decoded.clear()
        return self.keep(limit, scratch, progress)

    def keep(
        self,
        limit: int,
        scratch: Path | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> Held:
        """Make pictures of Parquet files cheap to read in any order, as those of folders are.

        They are kept as they are encoded: up to `limit` bytes in memory, else in a file without a
        name in the folder `scratch`. Where neither has room, some of them are.
        """
        if isinstance(self.dataset, ParquetDataset) and self.dataset.keep(limit, scratch, progress):
            return "encoded"
        return "as needed"

    def in_words(self, held: Held) -> str:
        """How the pictures are held, and where that is slow, why."""
        if held == "decoded":
            return "decoded in memory"
        if held == "encoded":
            return "kept as they are encoded"
        if isinstance(self.dataset, ParquetDataset):
            return (
                "read from disk as they are needed, a whole row group of Parquet for each, which "
                "is slow: neither memory nor disk has room for them"
            )
        return "read from disk as they are needed"

    def expected_bytes(self, indices: NDArray[np.int64]) -> int:
        """What these pictures take decoded, by a sample of them."""
        return int(self._mean_bytes(indices) * len(indices))

    def _mean_bytes(self, indices: NDArray[np.int64]) -> float:
        sample = [
            _decoded(self.dataset, int(index))
            for index in indices[:: max(1, len(indices) // _SAMPLE)]
        ]
        return float(np.mean([0 if isinstance(each, str) else each.nbytes for each in sample]))

    def _decode(
        self,
        indices: NDArray[np.int64],
        limit: int,
        progress: Callable[[int], None],
        num_workers: int,
    ) -> bool:
        mean = self._mean_bytes(indices)
        if mean * len(indices) > limit:
            return False
        spent = 0
        with closing(_all_decoded(self.dataset, indices, mean, num_workers)) as pictures:
            for done, (index, pixels) in enumerate(zip(indices.tolist(), pictures, strict=True)):
                progress(done)
                if isinstance(pixels, str):
                    self.broken.add(pixels)
                    continue
                spent += pixels.nbytes
                if spent > limit:  # the sample was of small ones
                    return False
                self.decoded[index] = pixels
        return True


def _decoded(dataset: Dataset, index: int) -> Decoded:
    try:
        return np.asarray(picture(dataset, index))
    except PictureError as error:
        return str(error)


def _all_decoded(
    dataset: Dataset, indices: NDArray[np.int64], mean: float, num_workers: int
) -> Generator[Decoded]:
    """The pictures in their order, which take `mean` bytes each or so."""
    chunks = np.array_split(indices, max(1, round(mean * len(indices) / _CHUNK)))
    if num_workers < 2 or len(chunks) < 2:
        yield from (_decoded(dataset, int(index)) for index in indices)
        return
    loader: DataLoader[Chunk] = DataLoader(
        _Chunks(dataset, chunks),
        batch_size=None,
        num_workers=min(num_workers, len(chunks)),
        collate_fn=lambda chunk: chunk,
        worker_init_fn=_leave_signals_to_the_trainer,
        multiprocessing_context="fork",
        generator=torch.Generator(),  # else it would draw from the one that dropout draws from
    )
    with closing(_watched(loader)) as watched:
        for found, shared in watched:
            pixels, first = shared.numpy().copy(), 0  # shared memory is scarce
            for each in found:
                if isinstance(each, str):
                    yield each
                    continue
                height, width = each
                last = first + height * width * 3
                yield pixels[first:last].reshape(height, width, 3)
                first = last


Chunk = tuple[list[tuple[int, int] | str], Tensor]  # height and width or the fault; all pixels


class _Chunks(TorchDataset[Chunk]):
    """Decoded pictures, many at a time, since each exchange between processes takes a while."""

    def __init__(self, dataset: Dataset, chunks: list[NDArray[np.int64]]) -> None:
        self.dataset, self.chunks = dataset, chunks

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, number: int) -> Chunk:
        found = [_decoded(self.dataset, int(index)) for index in self.chunks[number]]
        pixels = [each.reshape(-1) for each in found if not isinstance(each, str)]
        shapes = [each if isinstance(each, str) else each.shape[:2] for each in found]
        return shapes, torch.from_numpy(np.concatenate([np.empty(0, np.uint8), *pixels]))


View = tuple[Tensor | None, int, str]  # pixels_HWC or None for a broken picture, label, fault


class _Views(TorchDataset[View]):
    """Augmented pictures by key."""

    def __init__(
        self,
        pictures: DecodedPictures,
        recipe: Recipe,
        shift_axes_CC: NDArray[np.float64] | None,
    ) -> None:
        self.pictures, self.recipe, self.shift_axes_CC = pictures, recipe, shift_axes_CC

    def __getitem__(self, key: Key) -> View:
        epoch, index, size = key
        random = np.random.default_rng([self.recipe.seed, epoch, index])
        dataset = self.pictures.dataset
        label = int(dataset.labels[index])
        try:
            opened = self.pictures.open(index)
            pixels_HWC = augment(opened, size, self.recipe, random, self.shift_axes_CC)
        except PictureError as error:
            return None, label, str(error)
        except ValueError as error:  # sound, but 100000 x 1, say, cannot be rescaled
            return None, label, f"{picture_name(dataset.where(index))}: {error}"
        return torch.from_numpy(np.array(pixels_HWC)), label, ""


def keys(
    recipe: Recipe, indices: NDArray[np.int64], first_step: int, process: Process = ALONE
) -> Iterator[list[Key]]:
    """One list of keys a step, from `first_step` (counted from 0) to the end of the last epoch.

    Each epoch is a new permutation. Pictures that fill no whole batch sit that epoch out, unless
    the recipe spreads them, in batches whose sizes differ by one at most. Of several processes
    each gets its part of every batch; where the recipe mixes, after the picture before it, the
    partner of its first.
    """
    steps = steps_per_epoch(recipe, len(indices))
    for epoch, size in enumerate(recipe.epoch_sizes):
        if (epoch + 1) * steps <= first_step:
            continue
        order = np.random.default_rng([recipe.seed, epoch]).permutation(indices)
        if recipe.remainder == "drop":
            order = order[: steps * recipe.batch_size]
        for batch in np.array_split(order, steps)[max(0, first_step - epoch * steps) :]:
            part = process.part(batch, led=mix.is_led(recipe, process))
            yield [(epoch, index, size) for index in part]


def steps_per_epoch(recipe: Recipe, num_pictures: int) -> int:
    """Batches an epoch: whole ones, or those that the remainder is spread over; one at least."""
    whole, rest = divmod(num_pictures, recipe.batch_size)
    return max(1, whole + (rest > 0 and recipe.remainder == "spread"))


def batches(
    pictures: DecodedPictures,
    recipe: Recipe,
    indices: NDArray[np.int64],
    first_step: int,
    num_workers: int,
    pinned: bool = False,
    shift_axes_CC: NDArray[np.float64] | None = None,
    process: Process = ALONE,
) -> Iterator[tuple[Tensor, Tensor]]:
    """(pixels_NHWC uint8, labels_N int64) a step; broken pictures are left out and remembered.

    They are the `process`'s part of the batch, as `keys` says.

    `pinned` is the memory that a CUDA device can copy from while the CPU does something else;
    `shift_axes_CC` is what a recipe with an RGB shift needs (`colours.shift_axes`).
    Raises WorkerEnded, and ValueError for a batch without one picture that can be read.
    """
    loader: DataLoader[View] = DataLoader(
        _Views(pictures, recipe, shift_axes_CC),
        batch_sampler=keys(recipe, indices, first_step, process),
        num_workers=num_workers,
        collate_fn=_led_batch if mix.is_led(recipe, process) else _batch,
        pin_memory=pinned,
        worker_init_fn=_leave_signals_to_the_trainer,
        multiprocessing_context="fork" if num_workers else None,  # shares the decoded pictures
        prefetch_factor=4 if num_workers else None,
        generator=torch.Generator(),  # else it would draw from the one that dropout draws from
    )
    for pixels_NHWC, labels_N, faults in _watched(loader):
        pictures.broken.update(faults)
        if len(labels_N) <= mix.is_led(recipe, process):
            raise ValueError(
                f"not one picture of a batch can be read: {faults[0]}; mend them, or take them "
                "away and begin anew"
            )
        yield pixels_NHWC, labels_N


def _watched(loader: DataLoader[Any]) -> Generator[Any]:
    """What the loader gives. A worker that died is noticed when its part does not come."""
    items: Iterator[Any] | None = None
    while True:
        try:
            items = iter(loader) if items is None else items
            item = next(items, None)
        except (RuntimeError, EOFError, OSError) as error:
            if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
                raise
            raise WorkerEnded(
                f"a process that prepares pictures ended ({str(error).strip()}); give fewer "
                "--workers if memory ran out"
            ) from None
        if item is None:
            return
        if loader.num_workers:
            _forget_dead_workers()
        yield item


def _batch(views: list[View]) -> tuple[Tensor, Tensor, list[str]]:
    """One batch of the pictures that can be read, and the faults of the others."""
    good = [(pixels, label) for pixels, label, _ in views if pixels is not None]
    labels_N = torch.tensor([label for _, label in good], dtype=torch.int64)
    pixels_NHWC = torch.stack([pixels for pixels, _ in good]) if good else torch.empty(0)
    return pixels_NHWC, labels_N, [fault for _, _, fault in views if fault]


def _led_batch(views: list[View]) -> tuple[Tensor, Tensor, list[str]]:
    """A batch that begins with a partner of its second picture: where that is broken, the last."""
    if views[0][0] is None:
        sound = [view for view in views if view[0] is not None]
        views = [*sound[-1:], *views]
    return _batch(views)


def _leave_signals_to_the_trainer(_worker: int) -> None:
    """Ctrl-C and the end of a terminal reach every process; SIGTERM is how the trainer ends one."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    torch.set_num_threads(1)


def _forget_dead_workers() -> None:
    """Take back torch's handler of SIGCHLD, which raises wherever the trainer is: in a step, too.

    Without it the next batch does not come, and that is noticed.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
