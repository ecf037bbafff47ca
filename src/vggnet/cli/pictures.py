"""The pictures of a command line -> batches for an engine, in their order.

In: files and folders, a Preprocess. Out: batches, in which each picture that cannot be used stands
as its PictureError, in its place. Pictures are decoded by threads while the engine computes; few of
them are in memory at a time, however many are named.
Shapes: N pictures, C channels, H rows, W columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vggnet.data.ahead import prepare_ahead
from vggnet.image import PictureError, find_pictures
from vggnet.preprocess import Preprocess

_THREADS = 2
_AHEAD = 16  # pictures that are decoded, or about to be, before they are asked for
_BATCH_SIZE = 32
_BATCH_NUMBERS = 1 << 21  # of the input, unless one picture has more: 13 pictures of 224 x 224

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

    def takes(self, image_CHW: NDArray[np.float32]) -> bool:
        """Whether the picture may join those that are here."""
        number = len(self.images_CHW) + 1
        return number == 1 or (
            number <= _BATCH_SIZE
            and number * image_CHW.size <= _BATCH_NUMBERS
            and image_CHW.shape == self.images_CHW[0].shape
        )


def batches(paths: Sequence[str], preprocessing: Preprocess) -> Iterator[Batch]:
    """All pictures of files and folders; each stands in one batch."""
    batch = Batch()
    for name, prepared in _prepared(paths, preprocessing):
        if isinstance(prepared, PictureError):
            batch.pictures.append((name, prepared))
            continue
        if not batch.takes(prepared):
            yield batch
            batch = Batch()
        batch.pictures.append((name, None))
        batch.images_CHW.append(prepared)
    if batch.pictures:
        yield batch


def _prepared(paths: Sequence[str], preprocessing: Preprocess) -> Iterator[tuple[str, Prepared]]:
    """Each picture's name and its input or its fault."""

    def prepare(named: tuple[str, str | PictureError]) -> NDArray[np.float32]:
        _, found = named
        if isinstance(found, PictureError):
            raise found
        return preprocessing(found)

    with prepare_ahead(prepare, _found(paths), num_ahead=_AHEAD, num_threads=_THREADS) as prepared:
        for (name, _), image_CHW in prepared:
            yield name, image_CHW


def _found(paths: Iterable[str]) -> Iterator[tuple[str, str | PictureError]]:
    """The name of each picture file, and the file; or the fault of a path that gives none."""
    for path in paths:
        try:
            if "://" in path and not Path(path).exists():
                raise PictureError(f"{path}: an address, not a file; download it first")
            yield from ((str(file), str(file)) for file in find_pictures([path]))
        except PictureError as error:
            yield path, error
