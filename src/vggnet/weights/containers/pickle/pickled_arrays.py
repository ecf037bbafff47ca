"""NumPy's arrays, types and numbers in pickles, rebuilt without calling any function of NumPy's.

In: what a pickle gives to numpy.dtype, _reconstruct, _frombuffer and scalar. Out: arrays that are
views of the pickle's bytes. Only numbers and, for arrays of Python objects, lists of what else the
pickle holds. Source: the __reduce__ and __setstate__ of NumPy's ndarray and dtype.
"""

from __future__ import annotations

from math import prod
from reprlib import repr as short_repr

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers.pickle.long_text import LongText, TextBlock
from vggnet.weights.containers.pickle.pickles import Global, Instance, globals_of
from vggnet.weights.containers.storage.stored import (
    Block,
    Loadable,
    numeric_dtype,
    stored_array,
    whole_numbers,
)


class _DataType(Instance):
    """numpy.dtype: numbers, or "O8" for Python objects."""

    def __init__(self, text: object, *flags: object) -> None:
        if isinstance(text, bytes):  # of Python 2
            text = text.decode("latin-1")
        self.of_objects = isinstance(text, str) and text in ("O", "O4", "O8")
        self.dtype = np.dtype(np.uint8) if self.of_objects else numeric_dtype(text)

    def set_state(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) < 8:
            raise ValueError("numpy.dtype of a state that it cannot have")
        order, *parts = state[1:5]
        if isinstance(order, bytes):
            order = order.decode("latin-1")
        if not isinstance(order, str) or any(part is not None for part in parts):
            raise ValueError("numpy.dtype of something else than numbers")
        if not self.of_objects:
            self.dtype = numeric_dtype(order + self.dtype.str[1:])

    def value(self, source: str) -> object:
        return "object" if self.of_objects else self.dtype.name


class _Array(Instance):
    """numpy.ndarray: its bytes, which may still lie in the file as text, or a list of objects."""

    def __init__(self) -> None:
        self.state: tuple[object, ...] | None = None

    def set_state(self, state: object) -> None:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise ValueError("numpy.ndarray of a state that it cannot have")
        *what, data = state[-4:]  # before them stands a version
        self.state = (*what, data if isinstance(data, list | LongText) else _as_bytes(data))

    def value(self, source: str) -> object:
        if self.state is None:
            raise ValueError(f"{source}: damaged: an array without numbers")
        shape, data_type, fortran_order, data = self.state
        if not isinstance(data_type, _DataType) or not isinstance(shape, tuple):
            raise ValueError(f"{source}: damaged: an array without a type or shape")
        if data_type.of_objects:
            return _objects(source, shape, data)
        dtype = data_type.dtype
        if isinstance(data, LongText):
            num_bytes = prod(whole_numbers(source, "shape", shape)) * dtype.itemsize
            block: Loadable = TextBlock(source, data, num_bytes)
        elif isinstance(data, np.ndarray):
            block = Block.of(source, data)
        else:
            raise ValueError(f"{source}: damaged: a list in place of numbers")
        return stored_array(source, block, dtype, shape, fortran_order=fortran_order is True)


def _objects(source: str, shape: tuple[object, ...], items: object) -> object:
    """The one object of an array of no dimensions, which is how np.save writes a dictionary."""
    if not isinstance(items, list):
        raise ValueError(f"{source}: damaged: an array of objects without objects")
    if prod(whole_numbers(source, "shape", shape)) != len(items):
        raise ValueError(f"{source}: damaged: {len(items)} objects for shape {short_repr(shape)}")
    return items if shape else items[0]


def _as_bytes(data: object) -> NDArray[np.uint8]:
    """Bytes of Python 3, a string of Python 2, or what lies in the file."""
    if isinstance(data, np.ndarray):
        return data
    if isinstance(data, str):
        try:
            data = data.encode("latin-1")
        except UnicodeEncodeError:
            raise ValueError("text in place of numbers") from None
    if not isinstance(data, bytes):
        raise ValueError("no numbers")
    return np.frombuffer(data, np.uint8)


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    if kind is not NUMPY["numpy.ndarray"]:
        raise ValueError("arrays of a class other than numpy.ndarray are not read")
    return _Array()


def _from_buffer(data: object, data_type: object, shape: object, order: object) -> _Array:
    array = _Array()
    array.set_state((shape, data_type, isinstance(order, str) and order == "F", data))
    return array


def _scalar(data_type: object, data: object = b"") -> object:
    if not isinstance(data_type, _DataType) or data_type.of_objects:
        raise ValueError("no number")
    bytes_ = _as_bytes(data)
    if bytes_.size != data_type.dtype.itemsize:
        raise ValueError(f"{bytes_.size} bytes for a {data_type.dtype.name}")
    return bytes_.view(data_type.dtype)[0].item()


NUMPY: dict[str, Global] = globals_of([
    ("numpy.ndarray", None),
    ("numpy.dtype", _DataType),
    *((f"numpy.{core}.{name}", function)
      for core in ("core", "_core")
      for name, function in (("multiarray._reconstruct", _reconstruct),
                             ("multiarray.scalar", _scalar),
                             ("numeric._frombuffer", _from_buffer))),
])  # fmt: skip
