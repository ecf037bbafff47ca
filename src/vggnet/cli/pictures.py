"""The pictures of a command line -> batches for an engine, in their order.

In: files, folders and - for standard input, a Preprocess. Out: batches, in which each picture that
cannot be used stands as its PictureError, in its place. Pictures are decoded by threads while the
engine computes; few of them are in memory at a time, however many are named.
Shapes: N pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vggnet.cli.output import note
from vggnet.data.ahead import prepare_ahead
from vggnet.image import PictureError, PictureSource, picture_name
from vggnet.picture_files import counted, find_pictures
from vggnet.preprocess import Preprocess

_THREADS = 2
_AHEAD = 16  # pictures that are decoded, or about to be, before they are asked for
_BATCH_SIZE = 32
_BATCH_NUMBERS = 1 << 21  # of the input, unless one picture has more: 13 pictures of 224 x 224
_MANY = 20  # pictures that take long enough for a bar

Named = tuple[str, PictureSource | PictureError]  # a picture's name, and where it is or its fault
Prepared = NDArray[np.float32] | PictureError


@dataclass
class Batch:
    """Pictures in their order: names, each with its fault if it has one, and the good ones."""

    pictures: list[tuple[str, PictureError | None]] = field(default_factory=list)
    images_CHW: list[NDArray[np.float32]] = field(default_factory=list)

    @property
    def images_NCHW(self) -> NDArray[np.float32]:
        """The good pictures, of which there must be one."""
        return np.stack(self.images_CHW)

    def takes(self, image_CHW: NDArray[np.float32], most: int) -> bool:
        """Whether the picture may join those that are here, who may be `most`."""
        number = len(self.images_CHW)
        return number == 0 or (number < most and image_CHW.shape == self.images_CHW[0].shape)


def batches(
    pictures: Iterable[Named],
    preprocessing: Preprocess,
    fitting: Callable[[tuple[int, ...]], int] | None = None,
) -> Iterator[Batch]:
    """The pictures that `find` found; each stands in one batch.

    `fitting` says how many inputs of a shape (C, H, W) fit into one, which never are more than 32.
    """
    batch = Batch()
    for name, prepared in _prepared(pictures, preprocessing):
        if isinstance(prepared, PictureError):
            batch.pictures.append((name, prepared))
            continue
        most = fitting(prepared.shape) if fitting else _BATCH_NUMBERS // prepared.size
        if not batch.takes(prepared, min(_BATCH_SIZE, most)):
            yield batch
            batch = Batch()
        batch.pictures.append((name, None))
        batch.images_CHW.append(prepared)
    if batch.pictures:
        yield batch


def _prepared(
    pictures: Iterable[Named], preprocessing: Preprocess
) -> Iterator[tuple[str, Prepared]]:
    """Each picture's name and its input or its fault."""

    def prepare(named: Named) -> NDArray[np.float32]:
        name, found = named
        if isinstance(found, PictureError):
            raise found
        return preprocessing(found, name)

    with prepare_ahead(prepare, pictures, num_ahead=_AHEAD, num_threads=_THREADS) as prepared:
        for (name, _), image_CHW in prepared:
            yield name, image_CHW


def find(paths: Sequence[str]) -> list[Named]:
    """The pictures that files, folders and - stand for; the fault of a path that gives none, and of
    a folder that cannot be read."""
    return list(_found(paths))


def _found(paths: Iterable[str]) -> Iterator[Named]:
    for path in paths:
        try:
            if path == "-":
                yield "-", sys.stdin.buffer.read()
                continue
            if "://" in path and not Path(path).exists():
                raise PictureError(f"{path}: an address, not a file; download it first")
            found = find_pictures(path)
            if found.passed_over:
                note(f"{picture_name(path)}: passed over {counted(found.passed_over)}")
            yield from ((str(file), str(file)) for file in found.pictures)
            yield from found.faults.items()
        except PictureError as error:
            yield path, error


class Tally:
    """Counts the pictures of a command, and says at the end how it went."""

    def __init__(self, advance: Callable[[int], None] = lambda done: None) -> None:
        self.done = self.faults = 0
        self._advance = advance

    def count(self, fault: bool) -> None:
        self.done += 1
        self.faults += fault
        self._advance(self.done)

    def status(self) -> int:
        """The exit status: 0, 1 where some pictures failed, 2 where all did."""
        if not self.faults:
            return 0
        if self.done > 1:
            note(f"{self.faults} of {self.done} pictures failed")
        return 1 if self.faults < self.done else 2


@contextmanager
def tally(total: int, with_bar: bool = True) -> Iterator[Tally]:
    """A count of `total` pictures; of many with a bar, where standard error is a terminal."""
    if with_bar and total >= _MANY and sys.stderr.isatty():
        from vggnet.progress import counting_bar

        with counting_bar("pictures", total) as advance:
            yield Tally(advance)
    else:
        yield Tally()
