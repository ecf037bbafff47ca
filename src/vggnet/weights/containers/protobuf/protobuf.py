"""Protocol buffers on the wire: what Caffe and ONNX files are made of.

In: the bytes of a message, mapped. Out: its fields by number; numbers that lie one after the other
are views of those bytes, whether packed or each behind its own tag. A message inside another is
parsed when it is asked for, so nesting goes as deep as the caller's own code. Groups, which neither
Caffe nor ONNX has, are refused. Source: the encoding page of protobuf.dev.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from reprlib import repr as short_repr
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5  # the wire types that are read
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}
MOST_FIELDS = 100_000  # in a file, all messages together; a VGG has a few thousand

Bytes = NDArray[np.uint8]


class Field(NamedTuple):
    """One field, or a run of fixed-size ones with the same tag.

    `value` is a varint's number (64 bits, unsigned), the bytes of a length-delimited field, or for
    fixed sizes a view of shape (length of the run, 4 or 8). `place` is where the value lies.
    """

    number: int
    wire_type: int
    value: int | Bytes
    place: int


def fields(data: Bytes, start: int = 0, cut: bool = False) -> Iterator[Field]:
    """The fields of a message, in its order; `start` is where it lies in the file.

    With `cut` the data are the beginning of a longer message: a field that goes beyond them is
    given as far as it goes, and is the last. Raises ValueError, with the place, for other bytes.
    """
    view = np.ascontiguousarray(data).data
    place = 0
    while place < data.size:
        try:
            tag, after = _varint(view, place)
            number, wire_type = tag >> 3, tag & 7
            if not 0 < number < 1 << 29:
                raise ValueError(f"field number {number}")
            value: int | Bytes
            if wire_type == VARINT:
                value, end = _varint(view, after)
            elif wire_type == LENGTH:
                length, after = _varint(view, after)
                end = after + length
                value = data[after:end]
            elif wire_type in _FIXED_SIZES:
                value = _run(data[place:], after - place, _FIXED_SIZES[wire_type])
                end = place + max(1, len(value)) * (after - place + _FIXED_SIZES[wire_type])
            else:
                raise ValueError(f"wire type {wire_type}")
            if end > data.size and not cut:
                excess = end - data.size
                raise ValueError(f"field {number} goes {excess:,} bytes beyond its message")
        except _Ended as error:
            if cut:
                return
            raise ValueError(f"{error} at byte {start + place}") from None
        except ValueError as error:
            raise ValueError(f"{error} at byte {start + place}") from None
        yield Field(number, wire_type, value, start + after)
        place = end


class _Ended(ValueError):
    """The data end within a number."""


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    """The number that begins at `place`, seven bits a byte, and where the next thing begins."""
    if place < len(view) and view[place] < 0x80:  # as most are
        return view[place], place + 1
    value = 0
    for index, byte in enumerate(view[place : place + 10]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if value >> 64:
                raise ValueError("a number of more than 64 bits")
            return value, place + index + 1
    if place + 10 <= len(view):
        raise ValueError("a number of more than 10 bytes")
    raise _Ended("the message ends within a number")


def _run(data: Bytes, tag_size: int, size: int) -> Bytes:
    """The values, (n, size), of the fields of `size` bytes with the tag that `data` begins with.

    Looks in growing blocks, so that the time taken is that of the run and not of the data.
    """
    step = tag_size + size
    most = data.size // step
    rows = data[: most * step].reshape(most, step)
    end, block = 1, 16
    while end < most:
        differs = (rows[end : end + block, :tag_size] != rows[0, :tag_size]).any(axis=1)
        if differs.any():
            most = end + int(differs.argmax())
        end, block = end + block, min(2 * block, 1 << 20)
    return rows[:most, tag_size:]


class _Budget:
    """Counts what was parsed, so that a file of tiny fields is refused before it takes long."""

    def __init__(self) -> None:
        self.left = MOST_FIELDS

    def spend(self, number: int) -> None:
        self.left -= number
        if self.left < 0:
            raise ValueError(f"more than {MOST_FIELDS:,} fields")


class Message:
    """The fields of one message by number. Raises ValueError, with the place, for damaged bytes."""

    def __init__(self, data: Bytes, start: int = 0, budget: _Budget | None = None) -> None:
        self._budget = budget or _Budget()
        self._fields: dict[int, list[Field]] = {}
        for field in fields(data, start):
            self._budget.spend(1)
            self._fields.setdefault(field.number, []).append(field)

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    def _values(self, number: int) -> Iterator[tuple[Bytes, int]]:
        """The bytes of each field of that number, and where they lie."""
        for field in self._fields.get(number, ()):
            if field.wire_type != LENGTH or isinstance(field.value, int):
                raise _mistyped(field)
            yield field.value, field.place

    def messages(self, number: int) -> Iterator[Message]:
        """The messages in the fields of that number, each parsed when it is reached."""
        for value, place in self._values(number):
            yield Message(value, place, self._budget)

    def message(self, number: int) -> Message:
        """The last message of that number, or one without fields."""
        found = list(self.messages(number))
        return found[-1] if found else Message(np.empty(0, np.uint8))

    def content(self, number: int) -> Bytes:
        """The last bytes of that number, or none."""
        return [np.empty(0, np.uint8), *(value for value, _ in self._values(number))][-1]

    def texts(self, number: int) -> list[str]:
        """The strings of that number; bytes that are no UTF-8 are escaped."""
        return [value.tobytes().decode(errors="backslashreplace")
                for value, _ in self._values(number)]  # fmt: skip

    def text(self, number: int) -> str:
        """The last string of that number, or ""."""
        return ["", *self.texts(number)][-1]

    def varints(self, number: int) -> NDArray[np.int64]:
        """The integers of that number, packed or not."""
        pieces = [np.empty(0, np.int64)]
        for field in self._fields.get(number, ()):
            if isinstance(field.value, int):
                pieces.append(np.array([field.value], np.uint64).view(np.int64))
            elif field.wire_type == LENGTH:
                pieces.append(decode_varints(field.value))
            else:
                raise _mistyped(field)
        return np.concatenate(pieces)

    def integers(self, number: int) -> list[int]:
        """The same as Python's integers: shapes and settings, which are few, not data."""
        found = self.varints(number)
        self._budget.spend(found.size)
        return [int(value) for value in found]

    def integer(self, number: int, default: int = 0) -> int:
        """The last integer of that number."""
        return [default, *self.integers(number)][-1]

    def shape(self, number: int) -> tuple[int, ...]:
        """The integers of that number as a shape. Raises ValueError where they are none."""
        return check_shape(self.integers(number))

    def numbers(self, number: int, dtype: str) -> NDArray[np.generic]:
        """The fixed-size numbers of that field, packed or not: a view where they lie together."""
        pieces: list[NDArray[np.generic]] = []
        for field in self._fields.get(number, ()):
            size = np.dtype(dtype).itemsize
            if isinstance(field.value, int):
                raise _mistyped(field)
            if field.wire_type == LENGTH and field.value.size % size == 0:
                pieces.append(field.value.view(dtype))
            elif _FIXED_SIZES.get(field.wire_type) == size:
                pieces.append(field.value.view(dtype)[:, 0])
            else:
                raise _mistyped(field)
        if len(pieces) == 1:
            return pieces[0]
        return np.concatenate(pieces) if pieces else np.empty(0, dtype)


def check_shape(sides: Sequence[int]) -> tuple[int, ...]:
    """The sides as a shape. Raises ValueError where no array has it."""
    in_range = len(sides) <= 32 and all(0 <= side < 1 << 31 for side in sides)
    if not in_range or math.prod(max(side, 1) for side in sides) > 1 << 48:  # whatever it holds
        raise ValueError(f"no array has the shape {short_repr(sides)}")
    return tuple(sides)


def _mistyped(field: Field) -> ValueError:
    return ValueError(
        f"field {field.number} of wire type {field.wire_type}, or of a wrong length, at byte "
        f"{field.place}"
    )


def decode_varints(data: Bytes) -> NDArray[np.int64]:
    """Packed varints as an array. Raises ValueError where they are damaged."""
    pieces = [np.empty(0, np.uint64)]
    while data.size:  # by blocks, since there is more to write down of a byte than it holds
        last = np.flatnonzero(data[: 1 << 20] < 0x80)
        sizes = np.diff(last, prepend=-1)
        if last.size == 0 or sizes.max() > 10:
            raise ValueError("packed integers are cut off or longer than 10 bytes")
        first = last - sizes + 1
        values = np.zeros(last.size, np.uint64)
        for index in range(int(sizes.max())):
            longer = sizes > index
            bits = (data[first[longer] + index] & 0x7F).astype(np.uint64)
            values[longer] |= bits << np.uint64(7 * index)
        pieces.append(values)
        data = data[last[-1] + 1 :]
    return np.concatenate(pieces).view(np.int64)
