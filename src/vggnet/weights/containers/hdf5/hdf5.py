"""HDF5 in plain Python: a file's arrays and attributes by path, and the way back through h5py.

In: the bytes of a file, mapped. Out: its `Objects`. The library behind h5py is C and has had faults
of memory safety on hostile files, and pyfive inflates without bounds; so structure is read here, as
far as h5py writes it by default and in new files: superblocks of any version, groups as symbol
tables or as links. Source: the HDF5 File Format Specification, II to IV.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vggnet.atomic import whole_path
from vggnet.weights.containers import StoredArray
from vggnet.weights.containers.hdf5.hdf5_data import (
    NOWHERE,
    BoundedReader,
    ElementType,
    NotRead,
    element_type,
    shape_of,
    stored_array,
    unpack,
)
from vggnet.weights.containers.storage.stored import most_inflated

SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LONGEST_PATH = 1000
_DATASPACE, _LINK_INFO, _DATATYPE, _LINK, _LAYOUT, _FILTERS, _ATTRIBUTE = 1, 2, 3, 6, 8, 11, 12
_CONTINUATION, _SYMBOL_TABLE, _ATTRIBUTE_INFO = 16, 17, 21
_SHARED = 2  # a message's flag: its content lies elsewhere
_ELSEWHERE = "is stored as by libver='latest'"


@dataclass(frozen=True, eq=False)
class Objects:
    """Arrays by path, in the file's order, and the attributes of groups by path ("" is the root).

    Attributes are strings, numbers, and lists of these; those of other types are left out.
    """

    arrays: dict[str, StoredArray] = field(default_factory=dict)
    attributes: dict[str, dict[str, object]] = field(default_factory=dict)


class _Message(NamedTuple):
    kind: int
    flags: int
    data: memoryview


def read_objects(data: NDArray[np.uint8], where: str, growth: int | None = None) -> Objects:
    """All that lies in the bytes of an HDF5 file. Links to other places or files are left out.

    `growth` is how many bytes the arrays in chunks may grow to together, where that does not follow
    from the size of `data`. `where` begins every error, those of loading too. Raises ValueError for
    damaged bytes and for a data set that is neither numbers nor opaque bf16, and NotRead, which is
    one, for a way of storing that is not read.
    """
    growth = most_inflated(data.size) if growth is None else growth
    reader, objects = BoundedReader(data, growth), Objects()
    place = ""
    try:
        pending = [("", _root(reader))]
        groups = set()
        while pending:
            place, address = pending.pop()
            messages = _messages(reader, address)
            kinds = {message.kind for message in messages}
            attributes = _attributes(reader, messages)
            if _LAYOUT in kinds:
                objects.arrays[place] = _array(reader, f"{where}: {place}", messages, attributes)
                continue
            objects.attributes[place] = attributes
            if address in groups or len(place) > _LONGEST_PATH:
                raise ValueError("groups that hold themselves, or lie too deep in each other")
            groups.add(address)
            inner = [(f"{place}/{name}".lstrip("/"), to) for name, to in _links(reader, messages)]
            pending += reversed(inner)
    except (ValueError, OverflowError) as error:
        if str(error).startswith(f"{where}: "):
            raise
        at = f" at {place[-200:]!r}" if place else ""
        if isinstance(error, NotRead):
            raise NotRead(f"{where}: HDF5 of a form that is not read here{at}: {error}") from None
        raise ValueError(f"{where}: damaged HDF5{at}: {error}") from None
    return objects


def _root(reader: BoundedReader) -> int:
    """The address of the root group, from the superblock."""
    reader.expect(SIGNATURE, 0)
    (version,) = reader.unpack("B", 8)
    if version in (0, 1):
        sizes, base = reader.unpack("BB", 13), 24 + 4 * version
        end, root = base + 16, base + 40
    elif version in (2, 3):
        sizes, base = reader.unpack("BB", 9), 12
        end, root = base + 16, base + 24
    else:
        raise NotRead(f"superblock of version {version}")
    (start,), (length,) = reader.unpack("Q", base), reader.unpack("Q", end)
    if sizes != (8, 8) or start:
        raise NotRead(f"addresses of {sizes} bytes, counted from byte {start:,}")
    if length > len(reader.data):
        raise ValueError(f"cut short: {len(reader.data):,} bytes of {length:,}")
    return int(reader.unpack("Q", root)[0])


def _messages(reader: BoundedReader, address: int) -> list[_Message]:
    """The messages of an object's header, those in its continuations too."""
    messages: list[_Message] = []
    if reader.read(address, 4).tobytes() == b"OHDR":
        version, flags = reader.unpack("BB", address + 4)
        start = address + 6 + (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(reader.read(start, width), "little")
        head, extra = "BHB", 2 if flags & 4 else 0
        blocks = [(start + width, size)]
    else:
        version, _, _, size = reader.unpack("BBH4xI", address)
        if version != 1:
            raise ValueError(f"no object at byte {address:,}")
        head, extra = "HHB3x", 0
        blocks = [(address + 16, size)]
    head_size = 4 if head == "BHB" else 8
    while blocks:
        offset, size = blocks.pop(0)
        end = offset + size
        while offset + head_size + extra <= end:
            kind, length, flags = reader.unpack(head, offset)
            offset += head_size + extra
            if offset + length > end:
                raise ValueError(f"a message at byte {offset:,} goes beyond its block")
            message = _Message(kind, flags, reader.read(offset, length))
            offset += length
            if kind != _CONTINUATION:
                messages.append(message)
                continue
            more, size = unpack("QQ", message.data)
            if head_size == 4:  # a signature before, a checksum after
                reader.expect(b"OCHK", more)
                more, size = more + 4, size - 8
            blocks.append((more, size))
    return messages


def _only(messages: list[_Message], kind: int) -> memoryview | None:
    """The content of the message of a kind, None where there is none."""
    for message in messages:
        if message.kind == kind:
            if message.flags & _SHARED:
                raise NotRead("a type that data sets share")
            return message.data
    return None


def _needed(messages: list[_Message], kind: int) -> memoryview:
    message = _only(messages, kind)
    if message is None:
        raise ValueError(f"message {kind} is missing")
    return message


def _array(
    reader: BoundedReader, where: str, messages: list[_Message], attributes: Mapping[str, object]
) -> StoredArray:
    kind = element_type(_needed(messages, _DATATYPE))
    if kind.dtype == np.dtype("V2") and attributes.get("dtype") == "bfloat16":
        kind = ElementType("bf16", np.dtype("<u2"))  # Keras 3 writes it so
    if kind.meaning not in ("number", "bf16"):
        raise ValueError("its elements are not numbers")
    shape = shape_of(_needed(messages, _DATASPACE))
    layout, filters = _needed(messages, _LAYOUT), _only(messages, _FILTERS)
    return stored_array(reader, where, kind, shape, layout, filters)


def _links(reader: BoundedReader, messages: list[_Message]) -> Iterator[tuple[str, int]]:
    """Name and address of each object in a group."""
    for message in messages:
        if message.kind == _SYMBOL_TABLE:
            yield from _symbols(reader, *unpack("QQ", message.data))
        elif message.kind == _LINK:
            _, flags = unpack("BB", message.data)
            offset = 2
            kind = unpack("B", message.data, offset)[0] if flags & 8 else 0
            offset += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
            width = 1 << (flags & 3)
            length = int.from_bytes(message.data[offset : offset + width], "little")
            offset += width
            name = bytes(message.data[offset : offset + length]).decode()
            if kind == 0:
                yield _name(name), unpack("Q", message.data, offset + length)[0]
        elif message.kind == _LINK_INFO:
            _, flags = unpack("BB", message.data)
            if unpack("Q", message.data, 10 if flags & 1 else 2)[0] != NOWHERE:
                raise NotRead(f"its list of members {_ELSEWHERE}")


def _name(name: str) -> str:
    if not name or "/" in name or not name.isprintable() or len(name) > _LONGEST_PATH:
        raise ValueError(f"an object is called {name[:100]!r}")
    return name


def _symbols(reader: BoundedReader, tree: int, heap: int) -> Iterator[tuple[str, int]]:
    """The members of a group of the old style: a tree of tables, and a heap of names."""
    reader.expect(b"HEAP", heap)
    size, _, start = reader.unpack("QQQ", heap + 8)
    pending: list[tuple[int, int | None]] = [(tree, None)]
    while pending:
        address, expected = pending.pop()
        reader.expect(b"TREE", address)
        kind, level, used = reader.unpack("BBH", address + 4)
        if kind != 0 or expected not in (None, level):
            raise ValueError(f"a tree of names with a node of kind {kind}, level {level}")
        children = reader.unpack(f"{2 * used}Q", address + 24)[1::2]
        if level:
            pending += [(child, level - 1) for child in reversed(children)]
            continue
        for table in children:
            reader.expect(b"SNOD", table)
            for place in range(reader.unpack("H", table + 6)[0]):
                offset, object_, cached = reader.unpack("QQI", table + 8 + 40 * place)
                if cached == 2:
                    continue  # a link to a path
                if offset >= size:
                    raise ValueError("a name lies outside its heap")
                name = bytes(reader.read(start + offset, min(size - offset, _LONGEST_PATH)))
                yield _name(name.partition(b"\0")[0].decode()), object_


def _attributes(reader: BoundedReader, messages: list[_Message]) -> dict[str, object]:
    found = {}
    for message in messages:
        if message.kind == _ATTRIBUTE:
            name, value = _attribute(reader, message.data)
            if value is not None:
                found[name] = value
        elif message.kind == _ATTRIBUTE_INFO:
            _, flags = unpack("BB", message.data)
            if unpack("Q", message.data, 4 if flags & 1 else 2)[0] != NOWHERE:
                raise NotRead(f"its list of attributes {_ELSEWHERE}")
    return found


def _attribute(reader: BoundedReader, message: memoryview) -> tuple[str, object]:
    """Name and value; the value is None where it is of a type that is not read."""
    version, flags, *sizes = unpack("BBHHH", message)
    if version not in (1, 2, 3):
        raise NotRead(f"an attribute of version {version}")
    offset, parts = 9 if version == 3 else 8, []
    for size in sizes:
        parts.append(message[offset : offset + size])
        offset += -(-size // 8) * 8 if version == 1 else size
    name = bytes(parts[0]).partition(b"\0")[0].decode()
    if version > 1 and flags & 3:
        return name, None  # a type or a shape that lies elsewhere
    kind, shape = element_type(parts[1]), shape_of(parts[2])
    size = kind.dtype.itemsize * math.prod(shape)
    if kind.meaning in ("bf16", "opaque", "other") or len(shape) > 1:
        return name, None
    if size > len(message) - offset:
        raise ValueError(f"attribute {name[:100]!r} is cut short")
    reader.spend(math.prod(shape))
    elements = np.frombuffer(message[offset : offset + size], kind.dtype).tolist()
    if kind.meaning == "text":
        elements = [bytes(element).rstrip(b"\0").decode() for element in elements]
    elif kind.meaning == "pointer":
        elements = [_pointed(reader, *element).decode() for element in elements]
    return name, elements if shape else elements[0]


def _pointed(reader: BoundedReader, length: int, heap: int, index: int) -> bytes:
    """The string of an element that lies in a global heap."""
    if length == 0:
        return b""
    reader.expect(b"GCOL", heap)
    offset, end = heap + 16, heap + reader.unpack("Q", heap + 8)[0]
    while offset + 16 <= end:
        found, size = reader.unpack("H6xQ", offset)
        if found == index and size >= length:
            return bytes(reader.read(offset + 16, length))
        if found == 0:
            break
        offset += 16 + -(-size // 8) * 8
    raise ValueError(f"no string {index} in the heap at byte {heap:,}")


def write(
    path: str | os.PathLike[str],
    arrays: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Writes arrays by path, and attributes by the path of their group, whole or not at all.

    Groups are made as the paths need them. Raises ValueError where h5py is missing.
    """
    path = Path(path)
    try:
        import h5py
    except ModuleNotFoundError:
        raise ValueError(f"{path}: writing HDF5 needs h5py: pip install 'vggnet[keras]'") from None
    with whole_path(path) as partial, h5py.File(partial, "w") as root:
        for group, values in (attributes or {}).items():
            root.require_group(group or "/").attrs.update(values)
        for name, array in arrays.items():
            root.create_dataset(name, data=array)
