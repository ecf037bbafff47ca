"""File formats that hold arrays by name, one module each; none of them knows what a VGG is.

In: a file. Out: its `Contents`, in the file's own names and layouts. Nothing in a file is executed,
and what is read is bounded by the file's size. Each module has `NAME`, what the format is called;
`recognises(head)`, whether a file that begins with these bytes may be one; `read(path)`; and
`write(path, ...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class StoredArray:
    """One array of a file, not read yet.

    `load()` gives it: a read-only view of the mapped file where the format allows it (any strides,
    aligned or not), else decoded. bf16, which NumPy lacks, is widened to float32. Raises ValueError
    that begins with the path where the file is damaged.
    """

    shape: tuple[int, ...]
    dtype: np.dtype  # of what `load` gives
    load: Callable[[], NDArray[Any]] = field(repr=False)


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds: arrays by the names that the file gives them, in the file's order.

    Nested names are joined by "/" ("conv1_1/0" for a layer's first array). `metadata` is what else
    the file says in plain values: strings, numbers, lists, dictionaries.
    """

    container: str
    arrays: Mapping[str, StoredArray]
    metadata: Mapping[str, object] = field(default_factory=dict)
