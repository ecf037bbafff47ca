"""Features of picture files, one file after the other, in bounded memory.

In: files and folders, a Preprocess, a Spec, and what computes the features of a batch. Out: for
each picture, in order, its arrays, or its PictureError. Pictures are decoded by threads while the
engine computes; a batch of results and a few pictures are in memory at a time.
Shapes: N pictures, C channels, H and W rows and columns.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import prod
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from vggnet.data.ahead import prepare_ahead
from vggnet.image import PictureError, picture_name
from vggnet.picture_files import find_pictures
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec

Pool = Literal["none", "average", "flatten"]
Features = dict[str, NDArray[np.float32]]
FilePath = str | os.PathLike[str]

_THREADS = 2
_AHEAD = 16  # pictures that are decoded, or about to be, before they are asked for
_BATCH_NUMBERS = 1 << 24  # of inputs and results together, unless one picture has more: 64 MiB


def check_pool(pool: str) -> None:
    if pool not in get_args(Pool):
        raise ValueError(f"pool {pool!r} must be one of {', '.join(get_args(Pool))}")


def stream(
    features: Callable[[NDArray[np.float32], Sequence[str]], Features],
    spec: Spec,
    preprocessing: Preprocess,
    paths: Iterable[FilePath],
    names: Sequence[str],
    pool: Pool,
    batch_size: int,
) -> Iterator[tuple[str, Features | PictureError]]:
    """What `Model.features_of` gives; there it says more."""

    def prepare(found: tuple[str, PictureError | None]) -> NDArray[np.float32]:
        name, fault = found
        if fault:
            raise fault
        image_CHW = preprocessing(name)
        try:
            spec.layers_at(*image_CHW.shape[1:])
        except ValueError as error:
            raise PictureError(f"{picture_name(name)}: {error}") from None
        return image_CHW

    with prepare_ahead(prepare, _found(paths), num_ahead=_AHEAD, num_threads=_THREADS) as prepared:
        batch: list[tuple[str, NDArray[np.float32] | PictureError]] = []  # in their order
        shape: tuple[int, ...] | None = None  # of the pictures in it
        limit = batch_size
        for (name, _), image_CHW in prepared:
            if not isinstance(image_CHW, PictureError) and image_CHW.shape != shape:
                yield from _answers(features, names, pool, batch)
                batch, shape = [], image_CHW.shape
                limit = min(batch_size, fitting(spec, names, shape))
            batch.append((name, image_CHW))
            if len(batch) >= limit:
                yield from _answers(features, names, pool, batch)
                batch = []
        yield from _answers(features, names, pool, batch)


def _found(paths: Iterable[FilePath]) -> Iterator[tuple[str, PictureError | None]]:
    """The picture files that the paths name; or, of a path that names none and of a folder that
    cannot be read, why."""
    for path in paths:
        try:
            found = find_pictures(path)
            yield from ((str(file), None) for file in found.pictures)
            yield from found.faults.items()
        except PictureError as error:
            yield os.fspath(path), error


def fitting(spec: Spec, names: Sequence[str], shape: tuple[int, ...]) -> int:
    """How many pictures of that shape fit into a batch with their features; one always does."""
    outputs = {layer.name: prod(layer.output) for layer in spec.layers_at(*shape[1:])}
    return max(1, _BATCH_NUMBERS // (prod(shape) + sum(outputs[name] for name in names)))


def _answers(
    features: Callable[[NDArray[np.float32], Sequence[str]], Features],
    names: Sequence[str],
    pool: Pool,
    batch: list[tuple[str, NDArray[np.float32] | PictureError]],
) -> Iterator[tuple[str, Features | PictureError]]:
    """The features of a batch's pictures, and its faults, in order."""
    images_CHW = [image for _, image in batch if not isinstance(image, PictureError)]
    found = features(np.stack(images_CHW), names) if images_CHW else {}
    arrays = {name: pooled(array, pool) for name, array in found.items()}
    row = 0
    for name, image in batch:
        if isinstance(image, PictureError):
            yield name, image
        else:  # copies, so that whoever keeps one picture's does not keep the whole batch
            yield name, {layer: array[row].copy() for layer, array in arrays.items()}
            row += 1


def pooled(array: NDArray[np.float32], pool: Pool) -> NDArray[np.float32]:
    """(N, C, H, W) or, of FC layers, (N, C) -> what `pool` makes of it."""
    if pool == "flatten":
        return array.reshape(len(array), -1)
    if pool == "average" and array.ndim == 4:
        means_NC: NDArray[np.float32] = array.mean(axis=(2, 3))
        return means_NC
    return array
