"""Protocol buffers as they are written: Caffe and ONNX files.

In: fields by number, of which arrays are parts that stay where they are. Out: a file. Source: the
encoding page of protobuf.dev; protobuf.py reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vggnet.atomic import whole_file
from vggnet.weights.containers.protobuf.protobuf import FIXED32, LENGTH, VARINT
from vggnet.weights.containers.storage.mapped import release

LARGEST_FILE = 2**31 - 1  # bytes, beyond which no other reader goes

Part = bytes | NDArray[np.generic]  # of a message; an array is made contiguous when it is written


def integer(number: int, value: int) -> bytes:
    """A field that holds an integer, a Boolean or an enumeration's number."""
    return _tag(number, VARINT) + _encode(value & (1 << 64) - 1)


def packed(number: int, values: Iterable[int]) -> bytes:
    """A field that holds integers, none below 0, one behind the other."""
    return _delimited(number, b"".join(map(_encode, values)))


def real(number: int, value: float) -> bytes:
    """A field that holds one float32."""
    return _tag(number, FIXED32) + struct.pack("<f", value)


def text(number: int, value: str) -> bytes:
    """A field that holds a string."""
    return _delimited(number, value.encode())


def _delimited(number: int, content: bytes) -> bytes:
    return _tag(number, LENGTH) + _encode(len(content)) + content


def nested(number: int, parts: Iterable[Part]) -> list[Part]:
    """A field that holds a message, or packed numbers, of these parts; none of them is copied."""
    parts = list(parts)
    return [_tag(number, LENGTH) + _encode(size(parts)), *parts]


def size(parts: Iterable[Part]) -> int:
    """How many bytes the parts are."""
    return sum(len(part) if isinstance(part, bytes) else part.nbytes for part in parts)


def write(path: Path, parts: Iterable[Part]) -> None:
    """Writes the parts as a file, whole or not at all; no two arrays are copied at a time.

    Raises ValueError for a file that would be too large for protocol buffers.
    """
    parts = list(parts)
    if size(parts) > LARGEST_FILE:
        raise ValueError(f"{path}: protocol buffers end at 2 GiB; write another format")
    with whole_file(path) as file:
        for part in parts:
            file.write(part if isinstance(part, bytes) else np.ascontiguousarray(part).data)
            if not isinstance(part, bytes):
                release(part)


def _tag(number: int, wire_type: int) -> bytes:
    return _encode(number << 3 | wire_type)


def _encode(value: int) -> bytes:
    """An unsigned integer, seven bits a byte, the lowest first."""
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
