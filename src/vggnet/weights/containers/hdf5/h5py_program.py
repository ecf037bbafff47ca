"""The program of the process in which h5py reads a file; see h5py_process.

In: "hdf5" or "matlab", a file, and the file to write. Out: HDF5 of the plainest form: of HDF5 the
same groups, arrays and attributes; of MATLAB 7.3 the numbered arrays, in HDF5's order of axes, and
a "tree" of all variables as JSON, in which {"#": 3} is array 3. What is read is bounded: no more
numbers than a file of its size may hold, no link to another file, no value of any other kind.
A fault is one line on standard error and status 1. Source: MATLAB's 7.3 files, as its own
attributes (MATLAB_class, MATLAB_empty, MATLAB_sparse) describe them.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vggnet.printable import printable
from vggnet.weights.containers.storage.stored import most_inflated

_MOST_OBJECTS = 100_000  # a VGG with its thousand classes has about 10,000
_DEEPEST = 16  # groups, cells and structures in each other
_PIECE = 1 << 24  # bytes that are copied at a time
_FAULTS = (OSError, RuntimeError, TypeError, ValueError, KeyError)  # of h5py
_WHOLE_NUMBERS = (
    "logical",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
)


class _Copy:
    """A file in the making, of which no more is made than the source may hold."""

    def __init__(self, source: Path, target: h5py.File) -> None:
        self.target = target
        self.bytes_left = most_inflated(source.stat().st_size)
        self.objects_left = _MOST_OBJECTS

    def count(self, depth: int) -> None:
        self.objects_left -= 1
        if self.objects_left < 0 or depth > _DEEPEST:
            raise ValueError(f"more than {_MOST_OBJECTS:,} objects, or more than {_DEEPEST} deep")

    def spend(self, dataset: h5py.Dataset) -> None:
        """Raises ValueError for numbers that are not in the file, or more than it may hold."""
        if dataset.is_virtual or dataset.external:
            raise ValueError("its numbers lie in another file")
        shape = dataset.shape or ()
        if dataset.chunks:
            shape = [-(-n // c) * c for n, c in zip(shape, dataset.chunks, strict=True)]
        self.bytes_left -= math.prod(shape) * dataset.dtype.itemsize
        if self.bytes_left < 0:
            raise ValueError("it would grow out of all proportion to its size")
        if dataset.size and not dataset.id.get_storage_size():
            raise ValueError("an array that was never written")

    def array(self, dataset: h5py.Dataset, name: str) -> h5py.Dataset:
        """Copies numbers, or bf16 of Keras, which is opaque to HDF5."""
        kind = dataset.dtype.kind
        if kind not in "iuf" and (kind != "V" or dataset.dtype.names):
            raise ValueError("its elements are not numbers")
        self.spend(dataset)
        if not dataset.shape:  # one number, or none
            return self.target.create_dataset(name, data=dataset[()])
        made = self.target.create_dataset(name, dataset.shape, dataset.dtype)
        rows = max(1, _PIECE // max(1, dataset.nbytes // max(1, len(dataset))))
        if dataset.chunks:  # each is decoded once
            rows = -(-rows // dataset.chunks[0]) * dataset.chunks[0]
        for start in range(0, len(dataset), rows):
            piece = dataset[start : start + rows]
            try:
                made[start : start + rows] = piece
            except OSError:
                folder = Path(self.target.filename).parent.parent
                raise ValueError(
                    f"no room for it in {folder}, the folder for temporary files; TMPDIR names "
                    "another"
                ) from None
        return made

    def group(self, group: h5py.Group, path: str, depth: int, above: tuple[int, ...]) -> None:
        """Copies all that lies in a group of the file itself, and what it says of that."""
        address = h5py.h5o.get_info(group.id).addr
        if address in above:
            raise ValueError("groups that hold themselves")
        made = self.target.require_group(path or "/")
        _copy_attributes(group, made)
        for name in group:
            self.count(depth)
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            inner, item = f"{path}/{name}", group[name]
            if isinstance(item, h5py.Group):
                self.group(item, inner, depth + 1, (*above, address))
            elif isinstance(item, h5py.Dataset):
                try:
                    _copy_attributes(item, self.array(item, inner))
                except _FAULTS as error:
                    raise ValueError(f"{inner}: {error}") from None


def _copy_attributes(source: Any, target: Any) -> None:
    """Text, numbers, and lists of such; our own reader leaves out all others too."""
    for name in source.attrs:
        try:
            value = source.attrs[name]
            if np.asarray(value).ndim < 2 and np.asarray(value).dtype.kind in "iufSUO":
                target.attrs[name] = value
        except _FAULTS:  # of a type or a length that h5py does not write
            continue


class _Matlab:
    """A file of MATLAB 7.3, whose cells and structures hold references to their values."""

    def __init__(self, file: h5py.File, copy: _Copy) -> None:
        self.file, self.copy = file, copy
        self.num_arrays = 0

    def tree(self) -> dict[str, object]:
        return self.fields(self.file, 0)

    def fields(self, group: h5py.Group, depth: int) -> dict[str, Any]:
        return {
            name: self.value(group[name], depth + 1)
            for name in group
            if not name.startswith("#") and isinstance(group.get(name, getlink=True), h5py.HardLink)
        }

    def value(self, item: Any, depth: int) -> object:
        """Text, list, dictionary, or the number of an array; None where it is none of these."""
        self.copy.count(depth)
        kind = item.attrs.get("MATLAB_class", b"")
        kind = kind.decode("latin-1") if isinstance(kind, bytes) else ""
        if isinstance(item, h5py.Group):
            if kind not in ("struct", "") or "MATLAB_sparse" in item.attrs:
                return None
            return self.structure(item, depth)
        if not isinstance(item, h5py.Dataset) or item.attrs.get("MATLAB_empty", 0):
            return {"char": "", "cell": [], "struct": {}}.get(kind)
        if h5py.check_ref_dtype(item.dtype) is h5py.Reference:
            return self.referred(item, depth)
        if kind == "char" and item.dtype.kind == "u":
            return self.text(item)
        if kind in ("double", "single", *_WHOLE_NUMBERS) and item.dtype.kind in "iuf":
            name = str(self.num_arrays)
            self.num_arrays += 1
            self.copy.array(item, name)
            return {"#": int(name)}
        return None

    def structure(self, group: h5py.Group, depth: int) -> object:
        """Of several structures, each field is a list of references without a class."""
        fields = self.fields(group, depth)
        several = bool(fields) and all(
            isinstance(group[name], h5py.Dataset)
            and h5py.check_ref_dtype(group[name].dtype) is h5py.Reference
            and "MATLAB_class" not in group[name].attrs
            for name in fields
        )
        if not several:
            return fields
        return [
            dict(zip(fields, values, strict=True)) for values in zip(*fields.values(), strict=True)
        ]

    def referred(self, dataset: h5py.Dataset, depth: int) -> list[object]:
        """The values in MATLAB's order, which is the file's, whose axes are the other way round."""
        self.copy.spend(dataset)
        references = np.asarray(dataset[()]).reshape(-1)
        return [self.value(self.file[each], depth + 1) if each else None for each in references]

    def text(self, dataset: h5py.Dataset) -> object:
        """A string, or a list of one a row, whose ends are cut of blanks."""
        self.copy.spend(dataset)
        letters = np.atleast_2d(np.asarray(dataset[()])).T
        rows = [row.astype("<u2").tobytes().decode("utf-16-le", "replace") for row in letters]
        return rows[0] if len(rows) == 1 else [row.rstrip() for row in rows]


def main(form: str, source: Path, target: Path) -> None:
    """Writes `target`. Raises ValueError, or what h5py raises, where the file cannot be read."""
    with h5py.File(source) as file, h5py.File(target, "w") as made:
        copy = _Copy(source, made)
        if form == "hdf5":
            copy.group(file, "", 1, ())
            return
        text = json.dumps(_Matlab(file, copy).tree()).encode()
        made.create_dataset("tree", data=np.frombuffer(text, np.uint8))


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except Exception as error:
        print(printable(str(error) or type(error).__name__), file=sys.stderr)
        sys.exit(1)
