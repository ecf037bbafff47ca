"""NumPy's files: `.npz`, an array a member, and `.npy`, one array or a pickled dictionary of them.

In: either, also of Python 2. Out: arrays by member name, or by the keys of the dictionary, joined
by "/" ("conv1_1/0", "conv1_1/weights"); a single array by the file's name without its suffix. Views
of the mapped file where members are not compressed. NumPy's own reader takes the header of an array
for a Python literal, and a literal may be made to exhaust the stack; here three patterns read it.
Source: the documentation of numpy.lib.format.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.atomic import whole_file
from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.pickle import pickle_writer, pickles
from vggnet.weights.containers.pickle.pickled_arrays import NUMPY
from vggnet.weights.containers.storage import zips
from vggnet.weights.containers.storage.flatten import flatten
from vggnet.weights.containers.storage.mapped import map_file
from vggnet.weights.containers.storage.stored import Block, numeric_dtype, stored_array

NAME = "NumPy"

_MAGIC = b"\x93NUMPY"
_MAX_PICKLES = 16
_LONGEST_HEADER = 10_000  # bytes, NumPy's own bound
_DESCRIPTION = re.compile(r"'descr': *(?:'([^']*)'|\[)")
_ORDER = re.compile(r"'fortran_order': *(True|False)")
_SHAPE = re.compile(r"'shape': *\(([0-9L, ]*)\)")  # Python 2 may mark whole numbers with an L


def recognises(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least 64, may be one of NumPy's."""
    return head.startswith(_MAGIC) or zips.first_member(head).endswith(".npy")


def read(path: Path) -> Contents:
    """What a file of either form holds.

    Raises ValueError, in one line that begins with the path, for a damaged file, for arrays of
    anything else than numbers, and for pickles that hold more than arrays and plain values.
    """
    mapped = map_file(path)
    if mapped[: len(_MAGIC)].tobytes() == _MAGIC:
        block = Block.of(str(path), mapped)
        return Contents(NAME, *_arrays(str(path), block, path.stem))
    arrays: dict[str, StoredArray] = {}
    metadata: dict[str, object] = {}
    num_pickles = 0
    for member, block in zips.members(path).items():
        if not member.endswith(".npy"):
            continue
        name = member.removesuffix(".npy")
        if not name.isprintable():
            raise ValueError(f"{path}: {short_repr(name)} cannot be a name")
        num_pickles += _read_header(f"{path}: {name}", block)[0].endswith("O")
        if num_pickles > _MAX_PICKLES:  # each may take as long as it is allowed to
            raise ValueError(f"{path}: more than {_MAX_PICKLES} pickled members")
        found, others = _arrays(f"{path}: {name}", block, "")
        arrays |= {f"{name}/{inner}" if inner else name: array for inner, array in found.items()}
        metadata |= {f"{name}/{inner}" if inner else name: x for inner, x in others.items()}
    return Contents(NAME, arrays, metadata)


def write(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an `.npz` without compression, whose numbers lie at multiples of 64 bytes."""
    with whole_file(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            stored = np.ascontiguousarray(array).reshape(array.shape)
            header = _header(stored.dtype.str, stored.shape)
            data = stored.reshape(-1).view(np.uint8).data
            num_bytes = len(header) + stored.nbytes
            zips.write_member(archive, f"{name}.npy", [header, data], num_bytes)


def write_dictionary(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Writes an `.npy` that holds a dictionary of lists of arrays, as Python 2 pickled it.

    "conv1_1/0" and "conv1_1/1" become the list of conv1_1; other names after the "/" become a
    dictionary, and an array without "/" stands alone. It is loaded with
    `np.load(path, encoding="latin1", allow_pickle=True).item()`.
    """
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        group, _, key = name.rpartition("/")
        groups.setdefault(group or name, {})[key if group else ""] = array
    tree = pickle_writer.dictionary(
        (pickle_writer.text(group), _pickled_group(members)) for group, members in groups.items()
    )
    # The array of one object, whose pickle is what such a file holds.
    objects = pickle_writer.sequence(list, tree)
    with whole_file(path) as file:
        file.write(_header("|O", ()))
        for chunk in pickle_writer.program(_pickled_array(objects, "O8", "|", ())):
            file.write(chunk)


def _arrays(
    source: str, block: Block, name: str
) -> tuple[dict[str, StoredArray], dict[str, object]]:
    """The array of a member, or the arrays of the dictionary that it is."""
    description, fortran_order, shape, begin = _read_header(source, block)
    if description in ("|O", "O", "<O", ">O", "=O"):
        tree, _ = pickles.load(block.load()[begin:], source, NUMPY)
        return flatten(tree, source, "/", name)
    try:
        dtype = numeric_dtype(description)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None
    array = stored_array(source, block, dtype, shape, begin=begin, fortran_order=fortran_order)
    return {name: array}, {}


def _read_header(source: str, block: Block) -> tuple[str, bool, tuple[int, ...], int]:
    """Type, order and shape of an array, and where its numbers begin."""
    head = block.head(12 + _LONGEST_HEADER).tobytes()
    if not head.startswith(_MAGIC) or len(head) < 12:
        raise ValueError(f"{source}: not an array of NumPy, or cut off")
    begin = 10 if head[6] == 1 else 12  # the first version has a shorter length of the header
    end = begin + int.from_bytes(head[8:begin], "little")
    text = head[begin:end].decode("latin-1")
    fields = [pattern.search(text) for pattern in (_DESCRIPTION, _ORDER, _SHAPE)]
    if head[6] not in (1, 2, 3) or end > len(head) or None in fields:
        raise ValueError(f"{source}: damaged or cut off: the header of its array")
    description, order, sizes = (field[1] for field in fields if field)
    if description is None:
        raise ValueError(f"{source}: an array of records, not of numbers")
    numbers = [size.strip().removesuffix("L") for size in sizes.split(",") if size.strip()]
    if not all(number.isdecimal() and len(number) < 20 for number in numbers):
        raise ValueError(f"{source}: damaged: the shape of its array")
    return description, order == "True", tuple(map(int, numbers)), end


def _header(description: str, shape: tuple[int, ...]) -> bytes:
    """Ends at a multiple of 64 bytes, as NumPy has it."""
    text = f"{{'descr': '{description}', 'fortran_order': False, 'shape': {shape}, }}"
    length = len(_MAGIC) + 4
    text += " " * (-(length + len(text) + 1) % 64) + "\n"
    return _MAGIC + b"\1\0" + len(text).to_bytes(2, "little") + text.encode("ascii")


def _pickled_group(members: Mapping[str, NDArray[Any]]) -> Iterator[pickle_writer.Chunk]:
    if list(members) == [""]:
        yield from _pickled_numbers(members[""])
    elif list(members) == [str(index) for index in range(len(members))]:
        yield from pickle_writer.sequence(list, *map(_pickled_numbers, members.values()))
    else:
        yield from pickle_writer.dictionary(
            (pickle_writer.text(key), _pickled_numbers(array)) for key, array in members.items()
        )


def _pickled_numbers(array: NDArray[Any]) -> Iterator[pickle_writer.Chunk]:
    stored = np.ascontiguousarray(array)
    data = pickle_writer.byte_string(stored.reshape(-1).view(np.uint8).data)
    order, code = stored.dtype.str[0], stored.dtype.str[1:]
    yield from _pickled_array(data, code, order, array.shape)


def _pickled_array(
    data: pickle_writer.Chunks, code: str, order: str, shape: tuple[int, ...]
) -> Iterator[pickle_writer.Chunk]:
    """The calls that NumPy's own pickles make, by the names that every version of it knows."""
    text, number, sequence = pickle_writer.text, pickle_writer.number, pickle_writer.sequence
    none = pickle_writer.NONE
    flags = number(63 if code == "O8" else 0)  # NumPy's own for Python objects
    dtype = pickle_writer.called(
        pickle_writer.named("numpy", "dtype"),
        sequence(tuple, text(code), number(0), number(1)),
        sequence(tuple, number(3), text(order), none, none, none, number(-1), number(-1), flags),
    )
    return pickle_writer.called(
        pickle_writer.named("numpy.core.multiarray", "_reconstruct"),
        sequence(
            tuple,
            pickle_writer.named("numpy", "ndarray"),
            sequence(tuple, number(0)),
            pickle_writer.byte_string(memoryview(b"b")),
        ),
        sequence(
            tuple,
            number(1),
            sequence(tuple, *map(number, shape)),
            dtype,
            pickle_writer.FALSE,
            data,
        ),
    )
