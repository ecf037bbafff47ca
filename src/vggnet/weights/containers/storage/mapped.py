"""Files as arrays that lie in them.

In: a path. Out: the file's bytes as a read-only array, of which the system holds in memory what was
touched; `release` gives that memory back once the numbers were used.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

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
