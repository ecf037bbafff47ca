"""safetensors: a JSON header and the numbers after it.

In and out: arrays by name, views of the mapped file when read, and text by name as metadata. The
library of the format checks the header: lengths, offsets, overlaps. Source: the format's README.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vggnet.atomic import whole_file
from vggnet.printable import printable
from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.storage.mapped import map_file
from vggnet.weights.containers.storage.stored import Block, stored_array

NAME = "safetensors"

_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "|i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
CODES = {np.dtype(type_): code for code, type_ in _TYPES.items() if code != "BF16"}
_ALIGNMENT = 8  # of the numbers in the file
_MOST_ENTRIES = 50_000  # a VGG has fewer than two hundred


def recognises(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least 64, may be a safetensors file."""
    return head[8:].lstrip(b" ")[:1] == b"{" and int.from_bytes(head[:8], "little") < 1 << 40


def read(path: Path) -> Contents:
    """What the file holds. Raises ValueError, in one line that begins with the path.

    That is for a file that cannot be read or is damaged, and for numbers of a type NumPy lacks,
    but for bf16, which is widened.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(
            f"{path}: damaged or not a safetensors file: {printable(str(error))}"
        ) from None
    except OSError as error:
        reason = error.strerror or ("no such file" if not path.exists() else "cannot be read")
        raise ValueError(f"{path}: {reason}") from None
    mapped = map_file(path)
    start = 8 + int.from_bytes(mapped[:8].tobytes(), "little")
    text = mapped[8:start].tobytes()
    if text.count(b"{") > _MOST_ENTRIES + 2:  # two of them are the header's and the metadata's
        raise ValueError(f"{path}: more than {_MOST_ENTRIES:,} entries")
    header: dict[str, Any] = json.loads(text)
    arrays = {
        name: _array(path, name, entry, mapped[start:])
        for name, entry in header.items()
        if name != "__metadata__"
    }
    return Contents(NAME, arrays, metadata)


def write(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
    codes: Mapping[str, str] | None = None,
) -> None:
    """Writes contiguous or other arrays, with the format's code of their type or the one given.

    A code is given where NumPy lacks the type: "BF16" for an array of uint16 that holds its bits.
    Raises ValueError for a type that the format lacks.
    """
    header: dict[str, object] = {}
    if metadata:
        header["__metadata__"] = dict(metadata)
    end = 0
    for name, array in arrays.items():
        code = (codes or {}).get(name) or CODES.get(array.dtype.newbyteorder("<"))
        if code is None:
            raise ValueError(f"{path}: {name} is {array.dtype}, which the format does not hold")
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    with whole_file(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for array in arrays.values():
            stored = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            file.write(stored.reshape(-1).view(np.uint8).data)


def _array(
    path: Path, name: str, entry: Mapping[str, Any], numbers: NDArray[np.uint8]
) -> StoredArray:
    code, (begin, end) = entry["dtype"], entry["data_offsets"]
    source = f"{path}: {printable(name)}"
    if code not in _TYPES:
        raise ValueError(f"{source} is {code}, not {', '.join(_TYPES)}")
    if not 0 <= begin <= end <= numbers.size:
        raise ValueError(f"{source} lies outside the file")
    block = Block.of(source, numbers[begin:end])
    dtype = np.dtype(_TYPES[code])
    return stored_array(source, block, dtype, entry["shape"], bfloat16=code == "BF16")
