"""Numbers that a pickle holds as text: every array in protocols 0 to 2 of Python 3, and in 0 of 2.

In: the text as it lies in the pickle, one letter a byte, in UTF-8 (protocols 1 and 2), with escapes
of Python 3 (0) or 2 (0). Out: its bytes, decoded piece by piece when they are asked for, so that a
file of half a gigabyte needs no copy of its text. Source: the standard library's pickle.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers.storage.mapped import release

_PIECE = 1 << 16  # bytes of text that are decoded at a time
_LONGEST_ESCAPE = 10  # characters: \U0010ffff


@dataclass(frozen=True, eq=False)
class LongText:
    """Text that is not decoded before it is known what for.

    `escapes` is what stands for letters that are not themselves: "utf-8", "python 3" (\\u005c) or
    "python 2" (\\x00, \\n).
    """

    data: NDArray[np.uint8]
    escapes: Literal["utf-8", "python 3", "python 2"]

    def pieces(self) -> Iterator[bytes]:
        """The letters as bytes. What was read of a mapped file is given back.

        Raises ValueError where it is no text, or has letters that are no bytes.
        """
        decode = _DECODERS[self.escapes]
        begin = 0
        while begin < self.data.size:
            piece = self.data[begin : begin + _PIECE]
            decoded, length = decode(piece.tobytes(), begin + _PIECE >= self.data.size)
            if not length:
                raise ValueError("no text")
            yield decoded
            release(piece)
            begin += length


@dataclass(frozen=True, eq=False)
class TextBlock:
    """The `num_bytes` bytes that a text stands for; a `stored.Loadable`."""

    source: str
    text: LongText
    num_bytes: int

    def __post_init__(self) -> None:
        if self.num_bytes > self.text.data.size:
            raise ValueError(
                f"{self.source}: damaged: {self.num_bytes:,} bytes in a text of "
                f"{self.text.data.size:,}"
            )

    def load(self) -> NDArray[np.uint8]:
        """All of it, read-only. Raises ValueError where the text has more or fewer letters."""
        decoded: NDArray[np.uint8] = np.empty(self.num_bytes, np.uint8)
        end = 0
        try:
            for piece in self.text.pieces():
                if end + len(piece) <= self.num_bytes:
                    decoded[end : end + len(piece)] = np.frombuffer(piece, np.uint8)
                end += len(piece)
        except (ValueError, Warning):  # the standard library warns of escapes that nobody writes
            raise ValueError(f"{self.source}: damaged: text in place of numbers") from None
        if end != self.num_bytes:
            raise ValueError(f"{self.source}: damaged: {end:,} bytes instead of {self.num_bytes:,}")
        decoded.flags.writeable = False
        return decoded


def _utf_8(text: bytes, is_last: bool) -> tuple[bytes, int]:
    """As the standard library decodes it, in half the time where every second letter has two bytes.

    Those are 0xC2 or 0xC3 and then 0x80 to 0xBF, which stand for 0x80 to 0xBF and 0xC0 to 0xFF.
    """
    if not is_last and text[-1] >= 0xC0:
        text = text[:-1]
    found = np.frombuffer(text, np.uint8)
    first = found & 0xFE == 0xC2
    second = found & 0xC0 == 0x80
    if not np.array_equal(found >= 0xC0, first) or second[0] or first[-1]:
        raise ValueError("letters that are no bytes")
    if not np.array_equal(first[:-1], second[1:]):
        raise ValueError("no UTF-8")
    letters = found.copy()
    letters[1:] += (found[:-1] == 0xC3).view(np.uint8) << 6
    return letters.take(np.flatnonzero(~first)).tobytes(), len(text)


def _python_3(text: bytes, is_last: bool) -> tuple[bytes, int]:
    if not is_last:
        text = text[: _end_of_escapes(text)]
    return text.decode("raw-unicode-escape").encode("latin-1"), len(text)


def _python_2(text: bytes, is_last: bool) -> tuple[bytes, int]:
    if not is_last:
        text = text[: _end_of_escapes(text)]
    return codecs.escape_decode(text)[0], len(text)


def _end_of_escapes(text: bytes) -> int:
    """Where the last escape begins, if `text` may hold a part of it only; else the end.

    Two backslashes are one letter, so of a row of them an odd number begins an escape.
    """
    last = text.rfind(b"\\", -_LONGEST_ESCAPE)
    row = last + 1 - len(text[: last + 1].rstrip(b"\\"))
    return last if row % 2 else len(text)


_DECODERS: dict[str, Callable[[bytes, bool], tuple[bytes, int]]] = {
    "utf-8": _utf_8,
    "python 3": _python_3,
    "python 2": _python_2,
}
