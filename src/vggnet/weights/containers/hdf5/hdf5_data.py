"""HDF5's numbers: from the messages that describe a data set to a `StoredArray`.

In: the bytes of a file, and where its messages lie. Out: element types, shapes, and arrays: views
of the file where a data set is stored in one piece, else decoded from its chunks (gzip, shuffle and
Fletcher's checksum, which is not compared). Source: the HDF5 File Format Specification, III.A.1 and
IV.A.2.b to IV.A.2.l. Only what h5py writes by default is read; the rest is refused by name.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers import StoredArray
from vggnet.weights.containers.storage import stored
from vggnet.weights.containers.storage.stored import Block

NOWHERE = 2**64 - 1  # the address of what was never stored
_MOST_WORK = 200_000  # messages, links, chunks ...; a VGG has about two thousand
_BYTES_PER_STEP = 64
_DEFLATE, _SHUFFLE, _CHECKSUM = 1, 2, 3
_IEEE = {2: (15, 10, 5, 0, 10, 15), 4: (31, 23, 8, 0, 23, 127), 8: (63, 52, 11, 0, 52, 1023)}
_BRAIN = (15, 7, 8, 0, 7, 127)  # bf16


class NotRead(ValueError):
    """A way of storing that is sound, and not read here; h5py may read it."""


class BoundedReader:
    """The bytes of a file, of which no more structure is read than a net may have.

    Trees and lists in a damaged file may lead in circles: the work is counted, and ends. So are
    the bytes that compressed arrays grow to, of which there may be `growth`.
    """

    def __init__(self, data: NDArray[np.uint8], growth: int = 0) -> None:
        self.data = data
        self._growth = growth
        self._view = data.data.toreadonly()
        self._work = 0

    def read(self, offset: int, size: int) -> memoryview:
        """`size` bytes at `offset`. Raises ValueError beyond the file's end, or after much work."""
        if offset + size > len(self._view):
            raise ValueError(f"{size:,} bytes at byte {offset:,} go beyond the end of the file")
        self.spend(1 + size // _BYTES_PER_STEP)
        return self._view[offset : offset + size]

    def spend(self, steps: int) -> None:
        """Counts work. Raises ValueError where it is more than any net's file takes."""
        self._work += steps
        if self._work > _MOST_WORK:
            raise ValueError("its structure leads in circles, or is far larger than a net's")

    def grow(self, num_bytes: int) -> None:
        """Counts bytes of arrays that are not stored in one piece. Raises ValueError."""
        self._growth -= num_bytes
        if self._growth < 0:
            raise ValueError(f"it would grow to {num_bytes:,} bytes, out of all proportion")

    def unpack(self, layout: str, offset: int) -> tuple[Any, ...]:
        """The little-endian numbers of a `struct` format at `offset`."""
        return struct.unpack("<" + layout, self.read(offset, struct.calcsize("<" + layout)))

    def expect(self, signature: bytes, offset: int) -> None:
        """Raises ValueError where a structure does not begin with its signature."""
        if self.read(offset, len(signature)) != signature:
            raise ValueError(f"no {signature.decode()} at byte {offset:,}")


def unpack(layout: str, message: memoryview, offset: int = 0) -> tuple[Any, ...]:
    """The little-endian numbers of a `struct` format in a message."""
    try:
        return struct.unpack_from("<" + layout, message, offset)
    except struct.error:
        raise ValueError(f"a message of {len(message)} bytes is too short") from None


@dataclass(frozen=True)
class ElementType:
    """The type of an element: `dtype` as stored, and what its bytes mean.

    "pointer" is a string of any length that lies elsewhere, "opaque" is bytes without a meaning.
    """

    meaning: Literal["number", "bf16", "text", "pointer", "opaque", "other"]
    dtype: np.dtype[Any]


def element_type(message: memoryview) -> ElementType:
    """The type that a datatype message describes; "other" where it is one that no weight has."""
    version_and_class, bits, size = unpack("B3sI", message)
    kind, order = version_and_class & 15, "><"[not bits[0] & 1]
    if kind == 0 and size in (1, 2, 4, 8):
        return ElementType("number", np.dtype(f"{order}{'iu'[not bits[0] & 8]}{size}"))
    if kind == 1:
        offset, precision, exponent, *fields = unpack("HHBBBBI", message, 8)
        described = (bits[1], exponent, fields[0], offset + fields[1], fields[2], fields[3])
        if precision == 8 * size and described == _IEEE.get(size):
            return ElementType("number", np.dtype(f"{order}f{size}"))
        if size == 2 and precision == 16 and described == _BRAIN:
            return ElementType("bf16", np.dtype(f"{order}u2"))
    if kind == 3 and 0 < size < 2**16:
        return ElementType("text", np.dtype(f"S{size}"))
    if kind == 5 and 0 < size < 2**16:
        return ElementType("opaque", np.dtype(f"V{size}"))
    if kind == 9 and bits[0] & 15 == 1:
        return ElementType("pointer", np.dtype("<u4,<u8,<u4"))  # length, heap, index in it
    return ElementType("other", np.dtype("V1"))


def shape_of(message: memoryview) -> tuple[int, ...]:
    """The shape that a dataspace message describes; (0,) where it says that there is nothing."""
    version, num_axes, _, kind = unpack("BBBB", message)
    if version not in (1, 2) or num_axes > 32:
        raise ValueError(f"a shape of version {version} with {num_axes} axes")
    if version == 2 and kind == 2:
        return (0,)
    shape = unpack(f"{num_axes}Q", message, 8 if version == 1 else 4)
    if math.prod(max(1, side) for side in shape) >= 2**48:
        raise ValueError(f"a shape of {shape}")
    return shape


def stored_array(
    reader: BoundedReader,
    where: str,
    kind: ElementType,
    shape: tuple[int, ...],
    layout: memoryview,
    filters: memoryview | None,
) -> StoredArray:
    """The array of a data set whose messages these are; `where` begins the errors of loading."""
    version, storage = unpack("BB", layout)
    if version not in (3, 4):
        raise NotRead(f"a layout of version {version}")
    if storage == 2:
        return _chunked(reader, where, kind, shape, layout, filters)
    if storage == 0:
        (size,) = unpack("H", layout, 2)
        flat = np.frombuffer(layout[4 : 4 + size], np.uint8)
    elif storage == 1:
        address, size = unpack("QQ", layout, 2)
        flat = reader.data[address : address + size]
    else:
        raise NotRead(f"storage of class {storage}")
    is_bf16 = kind.meaning == "bf16"
    return stored.stored_array(where, Block.of(where, flat), kind.dtype, shape, bfloat16=is_bf16)


def _chunked(
    reader: BoundedReader,
    where: str,
    kind: ElementType,
    shape: tuple[int, ...],
    layout: memoryview,
    filters: memoryview | None,
) -> StoredArray:
    version, _, num_axes, address = unpack("BBBQ", layout)
    if version != 3:
        raise NotRead("chunks of libver='latest'")
    *chunk, itemsize = unpack(f"{num_axes}I", layout, 11)
    if len(chunk) != len(shape) or itemsize != kind.dtype.itemsize or 0 in chunk:
        raise ValueError(f"chunks of {chunk} x {itemsize} bytes in an array of {shape}")
    grid = [-(-side // step) for side, step in zip(shape, chunk, strict=True)]
    padded = math.prod(grid) * math.prod(chunk) * itemsize
    reader.grow(padded)
    steps = _filters(filters)
    is_bf16 = kind.meaning == "bf16"
    native = np.dtype(np.float32) if is_bf16 else kind.dtype.newbyteorder("=")

    def load() -> NDArray[Any]:
        try:
            array = np.empty(shape, kind.dtype)
            chunks = _chunks(BoundedReader(reader.data), address, len(chunk))
            missing = math.prod(grid)
            seen = set()
            for corner, mask, data in chunks:
                inside = all(
                    place % step == 0 and place < side
                    for place, step, side in zip(corner, chunk, shape, strict=True)
                )
                if not inside or corner in seen:
                    raise ValueError(f"a chunk at {corner}")
                seen.add(corner)
                missing -= 1
                plain = _decoded(data, mask, steps, math.prod(chunk) * itemsize, itemsize)
                window = tuple(
                    slice(place, place + step) for place, step in zip(corner, chunk, strict=True)
                )
                part = array[window]
                whole = np.frombuffer(plain, kind.dtype).reshape(chunk)
                part[...] = whole[tuple(slice(side) for side in part.shape)]
            if missing:
                raise ValueError(f"{missing} of its {math.prod(grid)} chunks are missing")
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        return stored.widen_bfloat16(array) if is_bf16 else array.astype(native, copy=False)

    return StoredArray(shape, native, load)


def _filters(message: memoryview | None) -> tuple[int, ...]:
    """What was done to each chunk when it was written, in that order."""
    if message is None:
        return ()
    version, number = unpack("BB", message)
    if version not in (1, 2):
        raise NotRead(f"filters of version {version}")
    offset, found = 8 if version == 1 else 2, []
    for _ in range(number):
        (name,) = unpack("H", message, offset)
        if name not in (_DEFLATE, _SHUFFLE, _CHECKSUM):
            raise NotRead(f"compression {name}")
        found.append(name)
        named = version == 1
        length = unpack("H", message, offset + 2)[0] if named else 0
        (values,) = unpack("H", message, offset + (6 if named else 4))
        offset += (8 if named else 6) + -(-length // 8) * 8 + 4 * (values + (named and values % 2))
    return tuple(found)


def _chunks(
    reader: BoundedReader, root: int, num_axes: int
) -> Iterator[tuple[tuple[int, ...], int, memoryview]]:
    """Corner, mask of skipped filters, and bytes of each chunk, from the tree that lists them."""
    entry = struct.Struct(f"<II{num_axes + 1}QQ")
    pending: list[tuple[int, int | None]] = [] if root == NOWHERE else [(root, None)]
    while pending:
        address, expected = pending.pop()
        reader.expect(b"TREE", address)
        kind, level, used = reader.unpack("BBH", address + 4)
        if kind != 1 or expected not in (None, level):
            raise ValueError(f"a tree of chunks with a node of kind {kind}, level {level}")
        for place in range(used):
            offset = address + 24 + place * entry.size
            size, mask, *corner, child = reader.unpack(entry.format[1:], offset)
            if level:
                pending.append((child, level - 1))
                continue
            if child + size > len(reader.data):
                raise ValueError(f"a chunk at byte {child:,} goes beyond the end of the file")
            yield tuple(corner[:-1]), mask, reader.data[child : child + size].data


def _decoded(
    data: memoryview, mask: int, steps: Sequence[int], size: int, itemsize: int
) -> bytes | memoryview:
    """The `size` bytes of a chunk before what was done to it when it was written."""
    if len(data) > size + size // 8 + 64:
        raise ValueError(f"{len(data):,} bytes for a chunk of {size:,}")
    plain: bytes | memoryview = data
    for place in reversed(range(len(steps))):
        if mask >> place & 1:
            continue
        if steps[place] == _DEFLATE:
            try:
                plain = zlib.decompressobj().decompress(plain, size + 5)
            except zlib.error as error:
                raise ValueError(f"a chunk's gzip: {error}") from None
        elif steps[place] == _SHUFFLE:
            whole = len(plain) // itemsize * itemsize
            planes = np.frombuffer(plain[:whole], np.uint8).reshape(itemsize, -1)
            plain = planes.T.tobytes() + bytes(plain[whole:])
        else:
            plain = plain[:-4]
    if len(plain) != size:
        raise ValueError(f"a chunk of {len(plain):,} bytes instead of {size:,}")
    return plain
