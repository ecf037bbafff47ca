"""Pickles as Python 2 wrote them, in whose protocols bytes are strings. For torch.save as well.

`torch.save(tree, path, pickle_module=python_2_pickles)` writes what torch wrote there.
"""

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar


class Pickler(pickle._Pickler):  # the standard library's own, in Python
    """Writes bytes as Python 2's `str`: as its repr in protocol 0, else as they are."""

    dispatch: ClassVar[dict[type, Callable[..., None]]] = dict(pickle._Pickler.dispatch)

    def _save_string(self, text: bytes) -> None:
        if not self.bin:
            self.write(pickle.STRING + repr(text)[1:].encode() + b"\n")
        elif len(text) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(text)]) + text)
        else:
            self.write(pickle.BINSTRING + len(text).to_bytes(4, "little") + text)
        self.memoize(text)

    dispatch[bytes] = _save_string


def dump(value: object, file: Any, protocol: int = 2) -> None:
    Pickler(file, protocol).dump(value)


def dumps(value: object, protocol: int = 2) -> bytes:
    file = io.BytesIO()
    dump(value, file, protocol)
    return file.getvalue()
