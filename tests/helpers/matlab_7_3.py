"""MATLAB's files of version 7.3, as `save -v7.3` writes them: HDF5 behind a header of 512 bytes.

Numbers are compressed, with their axes the other way round; text is numbers; cells hold references
to what lies in "#refs#"; a structure is a group, and of several each field holds references.
"""

from itertools import count
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_CLASSES = {
    "f4": "single",
    "f8": "double",
    "u1": "uint8",
    "u2": "uint16",
    "i4": "int32",
    "i8": "int64",
}


class _File:
    def __init__(self, file: h5py.File) -> None:
        self.file, self.number = file, count()

    def put(self, name: str, value: Any) -> h5py.Dataset | h5py.Group:
        if isinstance(value, dict):
            return self.group(name, {key: (self.put, each) for key, each in value.items()})
        if isinstance(value, list) and isinstance(value[0], dict):  # several structures
            fields = {key: [each[key] for each in value] for key in value[0]}
            return self.group(name, {key: (self.refer, each) for key, each in fields.items()})
        if isinstance(value, np.ndarray) and value.dtype == object:
            return self.marked(self.refer(name, value), "cell")
        if isinstance(value, str):
            letters = np.frombuffer(value.encode("utf-16-le"), "<u2")[:, None]
            made = self.numbers(name, letters, "char")
            made.attrs["MATLAB_int_decode"] = np.int32(2)
            return made
        array = np.atleast_2d(value)
        return self.numbers(name, array.T, _CLASSES[array.dtype.str[1:]])

    def group(self, name: str, members: dict[str, Any]) -> h5py.Group:
        made = self.marked(self.file.create_group(name), "struct")
        for key, (put, value) in members.items():
            put(f"{name}/{key}", value)
        return made

    def numbers(self, name: str, array: np.ndarray, kind: str) -> h5py.Dataset:
        if array.size:
            return self.marked(
                self.file.create_dataset(name, data=array, chunks=True, compression="gzip"), kind
            )
        made = self.marked(self.file.create_dataset(name, data=np.uint64(array.shape[::-1])), kind)
        made.attrs["MATLAB_empty"] = np.uint8(1)
        return made

    def refer(self, name: str, values: Any) -> h5py.Dataset:
        values = np.array(values, object) if isinstance(values, list) else values
        values = values.reshape(1, -1) if values.ndim < 2 else values
        stored = np.empty(values.shape[::-1], h5py.ref_dtype)
        for place, value in np.ndenumerate(values):
            stored[place[::-1]] = self.put(f"#refs#/{next(self.number)}", value).ref
        return self.file.create_dataset(name, data=stored)

    def marked(self, made: Any, kind: str) -> Any:
        made.attrs["MATLAB_class"] = np.bytes_(kind)
        return made


def write(path: Path, variables: dict[str, Any], **options: Any) -> Path:
    with h5py.File(path, "w", userblock_size=512, **options) as file:
        made = _File(file)
        for name, value in variables.items():
            made.put(name, value)
    text = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, HDF5 schema 1.00 ."
    with path.open("r+b") as raw:
        raw.write(text.ljust(124) + b"\0\2IM")
    return path
