"""The steps of a pickle, one by one, with their arguments.

In: the bytes of a pickle. Out: pairs such as ("BININT1", 7) up to the last step; a long string of
bytes or text is given as a view of the input, as it is. Source: the standard library's pickletools,
whose table of opcodes is used.
"""

from __future__ import annotations

import ast
import pickletools
import re
from collections.abc import Iterator
from typing import IO, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers.pickle.long_text import LongText
from vggnet.weights.containers.storage.mapped import release

LONGEST_TEXT = 1 << 16  # bytes that are decoded where they are met
_SMALLEST_PIECE, _LARGEST_PIECE = 1 << 6, 1 << 20  # bytes that a line's end is looked for in
_LARGEST_BITS = 128  # of a whole number
_OPCODES = {opcode.code.encode("latin-1"): opcode for opcode in pickletools.opcodes}
_LONG_DATA = {"BINSTRING": 4, "BINBYTES": 4, "BINBYTES8": 8, "BYTEARRAY8": 8, "BINUNICODE": 4,
              "BINUNICODE8": 8}  # bytes of the length before it  # fmt: skip
_PYTHON_2_STRING = re.compile(
    r"'(?:[ -&(-\[\]-~]|\\[\\'\"nrt]|\\x[0-9a-f]{2})*'"
    r'|"(?:[ !#-\[\]-~]|\\[\\\'"nrt]|\\x[0-9a-f]{2})*"'
)


class Steps:
    """Where a pickle is read; for pickletools also the file that it reads arguments from.

    Every method raises ValueError, in one line that begins with `source`, for a damaged pickle.
    """

    def __init__(self, data: NDArray[np.uint8], source: str, begin: int) -> None:
        self.data, self.source = data, source
        self.position = self.step_begin = begin

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        while (opcode := self.opcode()).name != "STOP":
            yield opcode.name, self.argument(opcode)

    def fault(self, text: str) -> NoReturn:
        raise ValueError(f"{self.source}: damaged pickle, byte {self.step_begin}: {text}")

    def opcode(self) -> pickletools.OpcodeInfo:
        self.step_begin = self.position
        opcode = _OPCODES.get(self.read(1))
        if opcode is None:
            self.fault("no such opcode")
        return opcode

    def take(self, length: int) -> NDArray[np.uint8]:
        rest = self.data.size - self.position
        if not 0 <= length <= rest:
            self.fault(f"{length} bytes wanted of {rest}")
        self.position += length
        return self.data[self.position - length : self.position]

    def read(self, length: int) -> bytes:
        return self.take(length).tobytes()

    def line(self) -> NDArray[np.uint8]:
        """What stands before the end of a line, of any length."""
        begin, length, piece = self.position, -1, _SMALLEST_PIECE
        while length < 0:
            if begin >= self.data.size:
                self.fault("a line without end")
            looked_at = self.data[begin : begin + piece]
            length = looked_at.tobytes().find(b"\n")
            if piece == _LARGEST_PIECE:
                release(looked_at)
            end, begin, piece = begin + length, begin + piece, min(2 * piece, _LARGEST_PIECE)
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    def readline(self) -> bytes:
        line = self.line()
        if line.size > LONGEST_TEXT:
            self.fault(f"a line of more than {LONGEST_TEXT:,} bytes")
        return line.tobytes() + b"\n"

    def python_2_string(self, line: NDArray[np.uint8]) -> str | LongText:
        if line.size > LONGEST_TEXT:
            if line[0] != line[-1] or line[0] not in b"'\"":
                self.fault("no string")
            return LongText(line[1:-1], "python 2")
        text = line.tobytes().decode("ascii").strip()
        if not _PYTHON_2_STRING.fullmatch(text):
            self.fault("no string")
        return str(ast.literal_eval(text))

    def argument(self, opcode: pickletools.OpcodeInfo) -> Any:
        name = opcode.name
        if name in _LONG_DATA:
            length = self.read(_LONG_DATA[name])
            return self.take(int.from_bytes(length, "little", signed=name == "BINSTRING"))
        if opcode.arg is None:
            return None
        try:
            # The standard library's own readers warn of escapes that no writer writes.
            if name in ("GLOBAL", "INST"):
                return " ".join(self.readline().decode().strip() for _ in ("module", "name"))
            if name == "PERSID":
                return self.readline().decode().strip()
            if name == "UNICODE":
                line = self.line()
                if line.size > LONGEST_TEXT:
                    return LongText(line, "python 3")
                return line.tobytes().decode("raw-unicode-escape")
            if name == "STRING":
                return self.python_2_string(self.line())
            argument = opcode.arg.reader(cast("IO[bytes]", self))
        except UnicodeDecodeError:
            self.fault("no text")
        except ValueError as error:
            if str(error).startswith(self.source):
                raise
            self.fault(f"no argument of {name}")
        if isinstance(argument, int) and argument.bit_length() > _LARGEST_BITS:
            self.fault("a whole number without measure")
        return argument
