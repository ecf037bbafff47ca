"""MATLAB's `.mat` of versions 5 to 7.3: numbers, text, cells and structures, as MatConvNet's nets.

In: a file. Out: its arrays, views where the file is not compressed. A layer of MatConvNet gives
"conv1_1/0" and "conv1_1/1", whether the file calls them weights{1} and weights{2} or filters and
biases; a variable keeps its name; what lies deeper is joined by "/". SciPy's reader, in C, ends the
process on cells that are nested too deep, so the format is read here. Version 7.3 is HDF5, which
h5py reads in a process of its own, where it is installed.
Source: MathWorks' MAT-File Format, chapter 1; MatConvNet's vl_simplenn.m.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.hdf5 import hdf5
from vggnet.weights.containers.hdf5.h5py_process import rewritten
from vggnet.weights.containers.storage.flatten import flatten
from vggnet.weights.containers.storage.mapped import map_file, release
from vggnet.weights.containers.storage.stored import Block, most_inflated, stored_array

NAME = "MATLAB"
_HEADER = 128  # bytes
_ORDERS = {b"IM": "<", b"MI": ">"}
_MATRIX, _COMPRESSED = 14, 15  # types of an element
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
           13: "u8"}  # fmt: skip
_ENCODINGS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CELL, _STRUCTURE, _TEXT = 1, 2, 4  # classes of a matrix
_NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip
_COMPLEX = 0x0800
_DEEPEST = 16  # cells and structures in each other
_MOST_ELEMENTS = 100_000  # a VGG with its thousand classes has about 10,000
_LONGEST_NAME = 100  # MATLAB allows 63
_FEW = 1000  # numbers that are metadata, where they are not a variable or a layer's

Bytes = NDArray[np.uint8]


def recognises(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least 128, is one of versions 5 to 7.3."""
    return head.startswith(b"MATLAB ") and head[126:128] in _ORDERS


def read(path: Path) -> Contents:
    """The arrays of a file, in MATLAB's shapes and MATLAB's order in memory.

    Metadata: what else there is, as strings, numbers, lists and dictionaries, where what lies in
    the structures `net` and `meta` is taken out of them: MatConvNet's `normalization`, whose
    averageImage is given as the mean of each channel, and `classes`.
    Raises ValueError, in one line that begins with the path, for a damaged file, one that would
    grow out of all proportion, and one of version 7.3 where h5py is missing.
    """
    data = map_file(path)
    try:
        if data[124:128].tobytes() in (b"\0\2IM", b"\2\0MI"):
            variables = _variables_of_7_3(path)
        else:
            variables = _Reader(path, data).variables()
        for outer in ("net", "meta"):
            if isinstance(inner := variables.get(outer), dict):
                variables = inner | {key: variables[key] for key in variables if key != outer}
        tree: dict[str, object] = {}
        metadata: dict[str, object] = {}
        for name, value in variables.items():
            if name == "layers" and isinstance(value, list):
                tree |= _layers(value)
            elif isinstance(value, StoredArray):
                tree[name] = value
            else:
                metadata[name] = _plain(value, name, tree)
        arrays, _ = flatten(tree, str(path), "/", NAME)
    except (ValueError, OverflowError) as error:
        if str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: damaged MATLAB file: {error}") from None
    return Contents(NAME, arrays, metadata)


def _variables_of_7_3(path: Path) -> dict[str, object]:
    """As `_Reader` gives them, from what h5py_program writes."""
    arrays = hdf5.read_objects(rewritten(path, "matlab", "MATLAB 7.3"), str(path)).arrays

    def value(node: object) -> object:
        if isinstance(node, list):
            return [value(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "#" not in node:
            return {key: value(each) for key, each in node.items()}
        array = arrays[str(node["#"])]
        return StoredArray(array.shape[::-1], array.dtype, lambda: array.load().T)

    tree = json.loads(arrays["tree"].load().tobytes())
    return {name: value(node) for name, node in tree.items() if node is not None}


def _layers(layers: list[object]) -> dict[str, object]:
    """Arrays by layer and number, of MatConvNet's list."""
    arrays: dict[str, object] = {}
    names: set[str] = set()
    for index, layer in enumerate(layers):
        if not isinstance(layer, dict):
            continue
        name = layer.get("name") or f"layer {index + 1}"
        if not isinstance(name, str) or name in names:
            raise ValueError(f"layer {index + 1} has no name of its own")
        names.add(name)
        weights = layer.get("weights", [layer.get("filters"), layer.get("biases")])
        if isinstance(weights, list) and any(isinstance(each, StoredArray) for each in weights):
            arrays[name] = {str(i): each for i, each in enumerate(weights) if each is not None}
    return arrays


def _plain(value: object, path: str, tree: dict[str, object]) -> object:
    """A value for metadata. An array too large for it goes into `tree`; its path stands for it."""
    if isinstance(value, dict):
        return {key: _plain(each, f"{path}/{key}", tree) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, f"{path}/{i}", tree) for i, each in enumerate(value)]
    if not isinstance(value, StoredArray):
        return value
    size = math.prod(value.shape)
    if path.endswith("/averageImage") and len(value.shape) == 3 and size:
        with np.errstate(all="ignore"):  # a mean that is not finite is passed over
            return value.load().mean((0, 1), np.float64).tolist()
    if size > _FEW:
        tree[path] = value
        return path
    array = value.load()
    if size == 1:
        return array.item()
    return array.reshape(-1).tolist() if size == max(value.shape) else array.tolist()


class _Element(NamedTuple):
    kind: int
    data: Bytes
    end: int  # where the next one begins


class _Reader:
    """Walks over the elements of a file, of which there may not be more than a net has."""

    def __init__(self, path: Path, data: Bytes) -> None:
        if (mark := data[126:128].tobytes()) not in _ORDERS:
            raise ValueError("its header is cut off")
        self._path, self._data, self._order = path, data, _ORDERS[mark]
        self._num_elements = 0
        self._growth = most_inflated(data.size)  # bytes that may yet be inflated

    def variables(self) -> dict[str, object]:
        """Values by name: arrays, text, lists, dictionaries; those of other kinds are left out."""
        found: dict[str, object] = {}
        place = _HEADER
        while place < self._data.size:
            element = self._element(self._data, place)
            place = element.end
            if element.kind == _COMPRESSED:
                element = self._element(self._inflated(element.data), 0)
            if element.kind == _MATRIX:
                name, value = self._matrix(element.data, "", 0)
                if value is not None and name:
                    found[name] = value
        return found

    def _count(self, number: int) -> None:
        self._num_elements += number
        if self._num_elements > _MOST_ELEMENTS:
            raise ValueError(f"it has more than {_MOST_ELEMENTS:,} elements")

    def _element(self, data: Bytes, place: int) -> _Element:
        self._count(1)
        if place + 8 > data.size:
            raise ValueError("it ends within an element")
        kind, size = data[place : place + 8].view(f"{self._order}u4").tolist()
        begin, end = place + 8, place + 8 + size
        if kind >> 16:  # of up to four bytes, which lie in the tag
            kind, size = kind & 0xFFFF, min(kind >> 16, 4)
            begin, end = place + 4, place + 8
        elif kind != _COMPRESSED:
            end += -size % 8
        if begin + size > data.size:
            raise ValueError(f"an element of {size:,} bytes goes beyond what it lies in")
        return _Element(kind, data[begin : begin + size], end)

    def _inflated(self, data: Bytes) -> Bytes:
        """A compressed element as the element that it was."""
        where = str(self._path)
        tag = Block(where, data[2:], self._growth, True).head(8)
        size = 8 + int(tag.view(f"{self._order}u4")[1])
        self._growth -= size
        if self._growth < 0:
            raise ValueError("it would grow out of all proportion to its size")
        inflated = Block(where, data[2:], size, True).head(size)
        if zlib.adler32(inflated.data) != int.from_bytes(data[-4:].tobytes(), "big"):
            raise ValueError("the checksum of a compressed element is another")
        release(data)
        return inflated

    def _matrix(self, data: Bytes, path: str, depth: int) -> tuple[str, object]:
        """Name and value of an array of any class; None for one of a class that is not read."""
        if data.size == 0:
            return "", None
        if depth > _DEEPEST:
            raise ValueError(f"cells or structures lie more than {_DEEPEST} deep in each other")
        flags = self._element(data, 0)
        sides = self._element(data, flags.end)
        named = self._element(data, sides.end)
        rest = data[named.end :]
        flag = self._first(flags, "u4")
        shape = tuple(self._array(sides, "i4").tolist())
        name = named.data.tobytes().decode("latin-1")
        path = path or name
        if not 2 <= len(shape) <= 32 or min(shape) < 0 or len(name) > _LONGEST_NAME:
            raise ValueError(f"{path[:100]} has the shape {shape[:32]}")
        kind, length = flag & 0xFF, math.prod(shape)
        if kind in _NUMBERS and not flag & _COMPLEX:
            return name, self._numbers(rest, shape, np.dtype(_NUMBERS[kind]), path)
        if kind == _TEXT:
            return name, self._text(rest, shape)
        if kind == _CELL:
            return name, list(self._values(rest, path, length, depth))
        if kind == _STRUCTURE:
            return name, self._structure(rest, path, length, depth)
        return name, None

    def _array(self, element: _Element, code: str) -> NDArray[Any]:
        """The numbers of a short element of one type."""
        dtype = np.dtype(f"{self._order}{code}")
        if _STORED.get(element.kind) != code or element.data.size % dtype.itemsize:
            raise ValueError(f"an element of type {element.kind} where {code} belongs")
        return element.data.view(dtype)

    def _first(self, element: _Element, code: str) -> int:
        return next(iter(self._array(element, code).tolist()), 0)

    def _numbers(
        self, data: Bytes, shape: tuple[int, ...], dtype: np.dtype[Any], path: str
    ) -> StoredArray:
        """The array, whose numbers may be stored in fewer bytes than its class has."""
        element = self._element(data, 0)
        if element.kind not in _STORED:
            raise ValueError(f"{path} has numbers of type {element.kind}")
        where = f"{self._path}: {path}"
        stored = np.dtype(f"{self._order}{_STORED[element.kind]}")
        array = stored_array(
            where, Block.of(where, element.data), stored, shape, fortran_order=True
        )
        return StoredArray(shape, dtype, lambda: array.load().astype(dtype, "K", copy=False))

    def _text(self, data: Bytes, shape: tuple[int, ...]) -> object:
        """A string, or a list of one a row, whose ends are cut of blanks."""
        element = self._element(data, 0)
        encoding = _ENCODINGS.get(element.kind, "")
        if not encoding:
            raise ValueError(f"text of type {element.kind}")
        if encoding in ("utf-16", "utf-32"):
            encoding += "-le" if self._order == "<" else "-be"
        text = element.data.tobytes().decode(encoding)
        num_rows = shape[0]
        if num_rows <= 1:
            return text
        self._count(num_rows)
        return [text[row::num_rows].rstrip() for row in range(num_rows)]

    def _values(self, data: Bytes, path: str, number: int, depth: int) -> Iterator[object]:
        """The values of matrices that lie one after the other."""
        place = 0
        for index in range(number):
            element = self._element(data, place)
            place = element.end
            if element.kind != _MATRIX:
                raise ValueError(f"{path} holds an element of type {element.kind}")
            yield self._matrix(element.data, f"{path}/{index}", depth + 1)[1]

    def _structure(self, data: Bytes, path: str, number: int, depth: int) -> object:
        """Values by field, and a list of such where there is more than one."""
        width = self._element(data, 0)
        fields = self._element(data, width.end)
        length = self._first(width, "i4")
        if length < 1:
            raise ValueError(f"{path} has field names of {length} bytes")
        text = fields.data.tobytes()
        names = [
            text[start : start + length].partition(b"\0")[0].decode("latin-1")
            for start in range(0, len(text), length)
        ]
        self._count(len(names) + number)
        values = self._values(data[fields.end :], path, number * len(names), depth)
        structures = [{name: next(values) for name in names} for _ in range(number)]
        return structures[0] if number == 1 else structures
