"""Bytes of a file that hold an array's numbers, checked against what the file says of them.

In: a `Block`, which is a stretch of the mapped file, as it is or deflated, and the type, shape and
strides that the file gives. Out: a StoredArray whose `load` is a view of the block, or the numbers
decoded. Nothing outside the block is ever read, and nothing is decoded beyond what it may hold.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from reprlib import repr as short_repr
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers import StoredArray

_MAX_DIMENSIONS = 32  # NumPy's own bound before its second version
# Weights shrink by a tenth; what grows more than this is an attack, but where it is small: biases
# are often zeros.
_MOST_INFLATED, _SMALL = 16, 1 << 22
_CHUNK = 1 << 16
_NUMERIC = re.compile(r"([<>=|]?)([iu][1248]|f[248]|b1)")


class Loadable(Protocol):
    """What an array's numbers lie in, whole: `num_bytes` bytes once they are loaded."""

    @property
    def num_bytes(self) -> int: ...

    def load(self) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, eq=False)
class Block:
    """A stretch of a mapped file: `num_bytes` bytes once it is inflated, where it is deflated.

    `source` names the file and the part of it, for errors.
    """

    source: str
    data: NDArray[np.uint8]
    num_bytes: int
    deflated: bool = False
    checksum: int = 0  # CRC-32 of the inflated bytes

    @classmethod
    def of(cls, source: str, data: NDArray[np.uint8]) -> Block:
        return cls(source, data, data.size)

    def load(self) -> NDArray[np.uint8]:
        """All of it, read-only. Raises ValueError where it does not inflate to what it says."""
        if not self.deflated:
            return self.data
        inflated = self._inflate(self.num_bytes)
        if zlib.crc32(inflated.data) != self.checksum:
            raise ValueError(f"{self.source}: damaged: its checksum is another")
        return inflated

    def head(self, num_bytes: int) -> NDArray[np.uint8]:
        """The first bytes of it, or all where there are fewer."""
        wanted = min(num_bytes, self.num_bytes)
        return self._inflate(wanted) if self.deflated else self.data[:wanted]

    def _inflate(self, wanted: int) -> NDArray[np.uint8]:
        inflated: NDArray[np.uint8] = np.empty(wanted, np.uint8)
        decoder = zlib.decompressobj(-zlib.MAX_WBITS)
        end = 0
        try:
            for begin in range(0, self.data.size, _CHUNK):
                chunk = self.data[begin : begin + _CHUNK].data
                piece = decoder.decompress(chunk, wanted - end + 1)
                if end + len(piece) > self.num_bytes:
                    raise ValueError(f"{self.source}: damaged: more than {self.num_bytes:,} bytes")
                piece = piece[: wanted - end]
                inflated[end : end + len(piece)] = np.frombuffer(piece, np.uint8)
                end += len(piece)
                if end == wanted < self.num_bytes:
                    break
        except zlib.error:
            raise ValueError(f"{self.source}: damaged: it cannot be inflated") from None
        if end < wanted:
            raise ValueError(f"{self.source}: damaged: {end:,} bytes instead of {wanted:,}")
        inflated.flags.writeable = False
        return inflated


def most_inflated(num_bytes: int) -> int:
    """The bytes that all compressed parts of a file of this size together may grow to."""
    return max(_SMALL, _MOST_INFLATED * num_bytes)


def numeric_dtype(text: object) -> np.dtype:
    """The type of a NumPy description: "<f4", "|u1". Raises ValueError for one without numbers."""
    if not isinstance(text, str) or not (match := _NUMERIC.fullmatch(text)):
        raise ValueError(f"numbers of type {short_repr(text)} are not read")
    order, code = match.groups()
    return np.dtype(f"{order}{code}")


def stored_array(
    source: str,
    block: Loadable,
    dtype: np.dtype,
    shape: Sequence[object],
    *,
    begin: int = 0,
    fortran_order: bool = False,
    bfloat16: bool = False,
    offset: int = 0,
    strides: Sequence[object] | None = None,
) -> StoredArray:
    """An array that lies in a block from byte `begin` on.

    `offset` and `strides` are in elements, as torch has them; without strides the array must fill
    the block. `bfloat16` says that the dtype, uint16, holds the upper halves of float32.
    Raises ValueError, beginning with `source`, where it does not fit.
    """
    sizes = whole_numbers(source, "shape", shape)
    num_bytes, held_bytes = prod(sizes) * dtype.itemsize, block.num_bytes - begin
    # NumPy counts what an array without elements would hold, were its other sides not 0.
    if prod(max(size, 1) for size in sizes) * dtype.itemsize >= 1 << 62:
        raise ValueError(f"{source}: damaged: shape {short_repr(sizes)} is larger than any memory")
    steps = None
    if strides is None:
        if num_bytes != held_bytes:
            raise ValueError(
                f"{source}: damaged: shape {sizes} of {dtype.name} takes {num_bytes:,} bytes, "
                f"and the file holds {held_bytes:,}"
            )
    else:
        wanted = whole_numbers(source, "strides", strides)
        if len(wanted) != len(sizes):
            raise ValueError(f"{source}: damaged: {len(wanted)} strides for shape {sizes}")
        (first,) = whole_numbers(source, "offset", [offset])
        last = first + sum((size - 1) * step for size, step in zip(sizes, wanted, strict=True))
        held = held_bytes // dtype.itemsize
        # One number that many elements share would let a small file ask for any memory.
        if prod(sizes) > held or (num_bytes and last >= held):
            raise ValueError(
                f"{source}: shape {sizes} reaches beyond the {held:,} numbers of its storage"
            )
        # The stride of a side of length 1 means nothing, and may be too large for NumPy.
        steps = [dtype.itemsize * (step if size > 1 else 1)
                 for size, step in zip(sizes, wanted, strict=True)]  # fmt: skip
        if not num_bytes:
            steps, first = None, 0
        offset = first
    native = np.dtype(np.float32) if bfloat16 else dtype.newbyteorder("=")

    def load() -> NDArray[Any]:
        array: NDArray[Any] = np.ndarray(
            sizes, dtype, block.load(), begin + offset * dtype.itemsize, steps,
            "F" if fortran_order else "C",
        )  # fmt: skip
        return widen_bfloat16(array) if bfloat16 else array.astype(native, copy=False)

    return StoredArray(sizes, native, load)


def widen_bfloat16(bits: NDArray[Any]) -> NDArray[np.float32]:
    """The float32 values whose upper halves these uint16 are."""
    return np.asarray(bits.astype(np.uint32) << 16).view(np.float32)


def whole_numbers(source: str, what: str, values: Sequence[object]) -> tuple[int, ...]:
    """The sides or strides of an array. Raises ValueError where they are none, or too many."""
    if len(values) > _MAX_DIMENSIONS:
        raise ValueError(f"{source}: {len(values)} dimensions are more than {_MAX_DIMENSIONS}")
    if any(type(value) is not int or not 0 <= value < 1 << 62 for value in values):
        raise ValueError(f"{source}: damaged: {what} {short_repr(values)}")
    return tuple(values)  # type: ignore[arg-type]
