"""Files as arrays that lie in them, and files that are written whole or not at all.

In: a path. Out: the file's bytes as a read-only array, of which the system holds in memory what was
touched; `release` gives that memory back once the numbers were used.
"""

from __future__ import annotations

import mmap
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray


def map_file(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file, which must stay as it is meanwhile (docs/weight-files.md).

    Raises ValueError, beginning with the path, where it cannot be read.
    """
    try:
        if path.stat().st_size == 0:
            raise ValueError(f"{path}: empty file")
        return np.memmap(path, np.uint8, "r").view(np.ndarray)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None


def release(array: NDArray[Any]) -> None:
    """Gives back the memory of a view of a mapped file; it is read anew when it is needed again.

    Does nothing for any other array.
    """
    base: object = array
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    if not isinstance(base, np.memmap) or base.mode != "r" or not hasattr(mmap, "MADV_DONTNEED"):
        return
    mapping: mmap.mmap = base._mmap  # type: ignore[attr-defined]
    first, last = _bounds(array)
    page, (origin, _) = mmap.PAGESIZE, _bounds(np.frombuffer(mapping, np.uint8))
    start = -(-(first - origin) // page) * page
    length = (last - origin) // page * page - start
    if length > 0:
        mapping.madvise(mmap.MADV_DONTNEED, start, length)


def _bounds(array: NDArray[Any]) -> tuple[int, int]:
    """The addresses of the first byte of an array and of the one after its last."""
    if hasattr(np.lib, "array_utils"):
        return np.lib.array_utils.byte_bounds(array)
    # Before NumPy 2.
    return np.byte_bounds(array)  # type: ignore[attr-defined, no-any-return]  # noqa: NPY201


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write, which takes its place at `path` once all of it is on the disk.

    A reader never sees half a file, and what stood there before stays where writing fails. Raises
    OSError, which names `path`, where no file can be made.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        opened = partial.open("xb")
    except OSError as error:
        there = path.parent.is_dir()
        reason = error.strerror if there else f"the folder {path.parent} is missing; make it first"
        raise OSError(error.errno, reason, str(path)) from None
    try:
        with opened as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
