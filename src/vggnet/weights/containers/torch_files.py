"""PyTorch's files, read and written without PyTorch: the zip and the stream that was before it.

In: a `.pth`, `.pt` or `.bin` file that torch.save wrote. Out: its tensors as views of the mapped
file, by name; nested dictionaries are joined by "." ("state_dict.features.0.weight"). A zip holds
`data.pkl` and a member for each storage; the stream of 2017 holds five pickles and after them the
storages, each with its length before it. Only data is unpickled: tensors, arrays and plain values.
Source: torch/serialization.py and torch/_utils.py of PyTorch 0.3 and 2.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.atomic import whole_file
from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.pickle import pickle_writer, pickles
from vggnet.weights.containers.pickle.pickled_arrays import NUMPY
from vggnet.weights.containers.pickle.pickles import Global, Instance, globals_of
from vggnet.weights.containers.storage import zips
from vggnet.weights.containers.storage.flatten import flatten
from vggnet.weights.containers.storage.mapped import map_file
from vggnet.weights.containers.storage.stored import Block, stored_array

NAME = "PyTorch"

# Of the stream, in its first pickle: as protocols from 2 on have it, and as 0 and 1.
_MAGICS = (bytes.fromhex("6cfc9c46f9206aa85019"), b"L119547037146038801333356L")
_ADVICE = (
    "only tensors and plain containers are read; load it in PyTorch, if you trust it, and save the "
    "state_dict() alone"
)
_FIRST_MEMBERS = ("/", "/data.pkl", "/constants.pkl", "/version", "/byteorder", "/.format_version")

# The types of numbers: what torch calls them, and what they are in the file.
_TYPES: dict[str, np.dtype] = {
    name: np.dtype(code)
    for name, code in {
        "float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "int64": "<i8",
        "int32": "<i4", "int16": "<i2", "int8": "i1", "uint64": "<u8", "uint32": "<u4",
        "uint16": "<u2", "uint8": "u1", "bool": "?",
    }.items()
}  # fmt: skip
_STORAGES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16", "LongStorage": "int64", "IntStorage": "int32",
    "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}  # fmt: skip
_STORAGE_OF = {type_: storage for storage, type_ in _STORAGES.items() if storage[0] != "U"}


def recognises(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least 64, may be one of PyTorch's."""
    first = zips.first_member(head)
    return any(magic in head[:32] for magic in _MAGICS) or (
        not first.endswith(".npy") and (first.endswith(_FIRST_MEMBERS) or "/data/" in first)
    )


def read(path: Path) -> Contents:
    """What a file of either form holds; plain values are its metadata.

    Raises ValueError, in one line that begins with the path, for a damaged file and for one that
    holds anything else than data, which is named.
    """
    is_zip = map_file(path)[:4].tobytes() == b"PK\3\4"
    tree = _read_zip(path) if is_zip else _read_stream(path)
    arrays, metadata = flatten(tree, str(path), ".", path.stem)
    return Contents(NAME, arrays, metadata)


def write(path: Path, arrays: Mapping[str, NDArray[Any]], bfloat16: bool = False) -> None:
    """Writes a dictionary of tensors that torch.load takes with weights_only=True.

    `bfloat16` says that arrays of uint16 hold the bits of bfloat16. Raises ValueError for an array
    of numbers that torch has no storage for.
    """
    for name, array in arrays.items():
        if _type_of(array, bfloat16) not in _STORAGE_OF:
            raise ValueError(f"{path}: {name} is {array.dtype}, which the format does not hold")
    tree = pickle_writer.dictionary(
        (pickle_writer.text(name), _tensor(str(key), array, bfloat16))
        for key, (name, array) in enumerate(arrays.items())
    )
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        pickled = b"".join(pickle_writer.program(tree))
        zips.write_member(archive, "archive/data.pkl", [pickled], len(pickled))
        zips.write_member(archive, "archive/byteorder", [b"little"], 6)
        for key, array in enumerate(arrays.values()):
            stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            data = stored.reshape(-1).view(np.uint8).data
            zips.write_member(archive, f"archive/data/{key}", [data], stored.nbytes)
        zips.write_member(archive, "archive/version", [b"3\n"], 2)


class _Storage(Instance):
    """The numbers that one or several tensors lie in: a block, or a part of another storage.

    The stream gives the block at its end only.
    """

    def __init__(self, type_: str, num_elements: int, whole: _Storage | None = None) -> None:
        self.type, self.num_elements = type_, num_elements
        self.whole = self if whole is None else whole
        self.begin = 0  # in elements of the whole
        self.block: Block | None = None
        self.big_endian = False

    def set_state(self, state: object) -> None:
        raise ValueError("a storage has no state")

    def value(self, source: str) -> StoredArray:
        return self.array(source, self.type, 0, (self.num_elements,), (1,))

    def array(
        self, source: str, type_: str, offset: int, shape: Sequence[object],
        strides: Sequence[object],
    ) -> StoredArray:  # fmt: skip
        """Offset and strides in elements of the type."""
        block = self.whole.block
        if block is None:
            raise ValueError(f"{source}: damaged: the file does not hold its storage")
        dtype = _TYPES[type_].newbyteorder(">" if self.whole.big_endian else "<")
        return stored_array(
            source, block, dtype, shape, bfloat16=type_ == "bfloat16",
            offset=self.begin + offset, strides=strides,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, repr=False)
class _Tensor(Instance):
    storage: _Storage
    type: str
    offset: int
    shape: tuple[object, ...]
    strides: tuple[object, ...]

    def set_state(self, state: object) -> None:
        """What a parameter has beside its numbers is of use in training alone."""

    def value(self, source: str) -> StoredArray:
        return self.storage.array(source, self.type, self.offset, self.shape, self.strides)


class _Storages:
    """The storages that a pickle refers to, by key."""

    def __init__(self) -> None:
        self.by_key: dict[str, _Storage] = {}

    def __call__(self, identity: object) -> _Storage:
        """Of a persistent id: ("storage", type, key, device, number of elements[, part])."""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6):
            raise ValueError("it refers to something else than a storage")
        _, kind, key, _, num_elements, part = (*identity, None)[:6]
        storage = kind.name.rpartition(".")[2] if isinstance(kind, Global) else ""
        if storage not in _STORAGES or not isinstance(key, str) or type(num_elements) is not int:
            raise ValueError("it refers to a storage of no known type")
        type_ = _STORAGES[storage]
        known = self.by_key.setdefault(key, _Storage(type_, num_elements))
        if (known.type, known.num_elements) != (type_, num_elements):
            raise ValueError(f"two descriptions of storage {short_repr(key)}")
        if part is None:
            return known
        # Old files: (key, offset, number of elements) of the part that is meant.
        if (
            not isinstance(part, tuple)
            or len(part) != 3
            or [type(item) for item in part[1:]] != [int, int]
        ):
            raise ValueError("a part of a storage without bounds")
        view = _Storage(type_, part[2], known)
        view.begin = part[1]
        return view


def _read_zip(path: Path) -> object:
    members = zips.members(path)
    prefixes = [name[: -len("data.pkl")] for name in members if name.endswith("/data.pkl")]
    if len(prefixes) != 1:
        raise ValueError(f"{path}: not a file of PyTorch: {len(prefixes)} data.pkl in it")
    (prefix,) = prefixes
    if f"{prefix}constants.pkl" in members:
        raise ValueError(
            f"{path}: a TorchScript program; load it with torch.jit.load in PyTorch and save its "
            "state_dict()"
        )
    storages = _Storages()
    pickled = members[f"{prefix}data.pkl"].load()
    tree, _ = pickles.load(pickled, str(path), _KNOWN, storages, _ADVICE)
    order = members.get(f"{prefix}byteorder")
    for key, storage in storages.by_key.items():
        storage.block = members.get(f"{prefix}data/{key}")
        storage.big_endian = order is not None and order.head(3).tobytes() == b"big"
        if storage.block is not None:
            _check_length(path, key, storage, storage.block.num_bytes)
    return tree


def _read_stream(path: Path) -> object:
    mapped, end = map_file(path), 0
    storages = _Storages()
    parts = []
    for _ in ("magic number", "version", "system", "tree", "keys"):
        part, end = pickles.load(mapped, str(path), _KNOWN, storages, _ADVICE, end)
        parts.append(part)
    tree, keys = parts[3:]
    if not isinstance(keys, list) or any(type(key) is not str for key in keys):
        raise ValueError(f"{path}: damaged: no list of its storages")
    for key in keys:
        if key not in storages.by_key:
            raise ValueError(f"{path}: damaged: nothing refers to storage {short_repr(key)}")
        storage = storages.by_key[key]
        count = int.from_bytes(mapped[end : end + 8].tobytes(), "little")
        begin, size = end + 8, _TYPES[storage.type].itemsize
        _check_length(path, key, storage, count * size)
        end = begin + count * size
        if end > mapped.size:
            raise ValueError(
                f"{path}: cut off: {end:,} bytes or more are needed, and there are {mapped.size:,}"
            )
        storage.block = Block.of(f"{path}: storage {key}", mapped[begin:end])
    return tree


def _check_length(path: Path, key: str, storage: _Storage, num_bytes: int) -> None:
    wanted = storage.num_elements * _TYPES[storage.type].itemsize
    if num_bytes != wanted:
        raise ValueError(
            f"{path}: damaged: storage {short_repr(key)} of {wanted:,} bytes has {num_bytes:,}"
        )


def _rebuilt(
    storage: object, offset: object, shape: object, strides: object, *rest: object
) -> _Tensor:
    """A tensor of the first, second or third version, the last of which names its type."""
    if not isinstance(storage, _Storage) or type(offset) is not int:
        raise ValueError("a tensor without storage")
    if not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("a tensor without shape or strides")
    named = rest[2] if len(rest) > 2 else None
    type_ = named.name.removeprefix("torch.") if isinstance(named, Global) else storage.type
    if type_ not in _TYPES:
        raise ValueError(f"numbers of type {type_} are not read")
    return _Tensor(storage, type_, offset, shape, strides)


def _parameter(tensor: object, *_: object) -> _Tensor:
    if not isinstance(tensor, _Tensor):
        raise ValueError("a parameter without a tensor")
    return tensor


def _size(sizes: object = ()) -> tuple[object, ...]:
    if not isinstance(sizes, tuple | list):
        raise ValueError("a size that is no list of numbers")
    return tuple(sizes)  # of which `stored_array` checks each


def _device(kind: object, index: object = 0) -> str:
    if not isinstance(kind, str) or type(index) is not int:
        raise ValueError("a device without a name")
    return kind


_KNOWN = NUMPY | globals_of([
    *((f"torch._utils._rebuild_tensor{version}", _rebuilt) for version in ("", "_v2", "_v3")),
    *((name, _parameter) for name in (
        "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state",
        "torch.nn.parameter.Parameter", "torch.autograd.variable.Variable")),
    ("torch.Size", _size),
    ("torch.device", _device),
    *((f"torch.{type_}", None) for type_ in _TYPES),
    *((f"{module}.{storage}", None)
      for module in ("torch", "torch.cuda", "torch.storage") for storage in _STORAGES),
])  # fmt: skip


def _type_of(array: NDArray[Any], bfloat16: bool) -> str:
    return "bfloat16" if bfloat16 and array.dtype == np.uint16 else array.dtype.name


def _tensor(key: str, array: NDArray[Any], bfloat16: bool) -> pickle_writer.Chunks:
    """A call of torch's own function that makes a tensor of a storage."""
    text, number, sequence = pickle_writer.text, pickle_writer.number, pickle_writer.sequence
    storage = pickle_writer.named("torch", _STORAGE_OF[_type_of(array, bfloat16)])
    strides = [prod(array.shape[axis + 1 :]) for axis in range(array.ndim)]
    hooks = pickle_writer.called(pickle_writer.named("collections", "OrderedDict"), sequence(tuple))
    return pickle_writer.called(
        pickle_writer.named("torch._utils", "_rebuild_tensor_v2"),
        sequence(
            tuple,
            pickle_writer.persistent(
                sequence(tuple, text("storage"), storage, text(key), text("cpu"),
                         number(array.size))
            ),
            number(0),
            sequence(tuple, *map(number, array.shape)),
            sequence(tuple, *map(number, strides)),
            pickle_writer.FALSE,
            hooks,
        ),
    )  # fmt: skip
