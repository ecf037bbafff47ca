"""A .npz file whose arrays grow row by row, however many rows there will be.

In: rows by the name of their array. Out: the file, once all rows are there, whole or not at all.
Rows wait in temporary files beside it, so that memory stays bounded: an array's header, which says
how many rows follow, stands before them.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from vggnet.atomic import whole_file


class ArrayFile:
    """Used as a context, at whose end the temporary files are gone. `write` makes the file.

    `shapes` are those of the arrays so far. Raises OSError, which names `path`, where it cannot be
    written.
    """

    def __init__(self, path: Path, dtype: str) -> None:
        self.path, self.dtype = path, np.dtype(dtype)
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._rows: dict[str, IO[bytes]] = {}
        self._texts: dict[str, list[str]] = {}

    def __enter__(self) -> ArrayFile:
        self._stack = ExitStack()
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def add_rows(self, name: str, rows: NDArray[np.floating]) -> None:
        """More rows of an array: (N, ...), as the first ones but for N.

        Raises ValueError for rows of another shape, and for numbers too large for the type.
        """
        with np.errstate(over="ignore"):
            stored = np.ascontiguousarray(rows, self.dtype)
        if not np.isfinite(stored).all():
            raise ValueError(f"{self.path}: {name} has numbers too large for {self.dtype.name}")
        before = self.shapes.get(name, (0, *stored.shape[1:]))
        if before[1:] != stored.shape[1:]:
            listed = " and ".join(
                " x ".join(map(str, shape)) for shape in (before[1:], stored.shape[1:])
            )
            raise ValueError(f"{name} is {listed} for these pictures: give pictures of one size")
        try:
            if name not in self._rows:
                file = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115, the stack has it
                self._rows[name] = self._stack.enter_context(file)
            self._rows[name].write(stored.data)
        except OSError as error:  # of a file that has no name
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self.shapes[name] = (before[0] + len(stored), *stored.shape[1:])

    def add_text(self, name: str, text: str) -> None:
        """One more row of an array of texts, which stay in memory."""
        self._texts.setdefault(name, []).append(text)

    def write(self) -> None:
        """Make the file of all that was added, whole or not at all."""
        with whole_file(self.path) as file, zipfile.ZipFile(file, "w") as archive:
            for name, texts in self._texts.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array(member, np.array(texts))
            for name, rows in self._rows.items():
                header = {
                    "descr": self.dtype.str, "fortran_order": False, "shape": self.shapes[name]
                }  # fmt: skip
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    npy.write_array_header_1_0(member, header)
                    rows.seek(0)
                    shutil.copyfileobj(rows, member, 1 << 20)
