"""A trained network as one file that explains itself.

In and out: a `Weights` value and a safetensors file whose metadata holds all of it but the arrays:
spec, preprocessing, labels, how it was trained.
Formats of numbers: fp32, bf16 (fp32's upper half), fp16 (IEEE half precision).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vggnet.class_lists import Label
from vggnet.preprocess import Preprocess
from vggnet.printable import printable
from vggnet.spec import Spec
from vggnet.versions import checked, latest
from vggnet.weights.containers import StoredArray, safetensors_files
from vggnet.weights.containers.storage.stored import widen_bfloat16
from vggnet.weights.weights import Weights, check_state, is_finite

StoredType = Literal["fp32", "bf16", "fp16"]  # of the numbers in a file; engines have a precision

# The fields of the metadata, each with the version that brought it.
_SINCE = dict.fromkeys(("spec", "preprocess", "labels", "training"), 1)
_CODES: dict[StoredType, str] = {
    "fp32": "F32",
    "bf16": "BF16",
    "fp16": "F16",
}  # safetensors' own names


def save(path: str | os.PathLike[str], weights: Weights, dtype: StoredType = "fp32") -> None:
    """Writes the weights to `path` whole or not at all: a reader never sees half a file.

    `dtype` is the precision of the stored numbers; bf16 and fp16 are rounded to nearest, ties to
    even. Raises ValueError that names the arrays which are not finite, before or after rounding.
    """
    if dtype not in _CODES:
        raise ValueError(f"dtype {dtype!r} must be one of {', '.join(_CODES)}")
    path = Path(path)
    check_state(weights.spec, weights.state, str(path))
    stored = {name: narrow(weights.state[name], dtype) for name in weights.spec.state_shapes}
    overflown = [name for name, array in stored.items() if not is_finite(_widen(array))]
    if overflown:
        raise ValueError(f"{path}: too large for {dtype}: {', '.join(overflown)}; save as fp32")
    codes = dict.fromkeys(stored, _CODES[dtype])
    safetensors_files.write(path, stored, _metadata(weights), codes)


def load(path: str | os.PathLike[str]) -> Weights:
    """The weights that `save` wrote. Arrays stored as fp32 are read-only views of the mapped file.

    bf16 and fp16 are widened to float32. Raises ValueError, in one line that begins with the path,
    for a file that cannot be read, is damaged, is not one of ours or does not fit its own spec.
    """
    path = Path(path)
    contents = safetensors_files.read(path)
    fields = _read_metadata(path, contents.metadata)
    state = {name: _loaded(path, name, array) for name, array in contents.arrays.items()}
    check_state(fields["spec"], state, str(path))
    try:
        return Weights(state=state, **fields)
    except ValueError as error:
        raise ValueError(f"{path}: {printable(str(error))}") from None


def _metadata(weights: Weights) -> dict[str, str]:
    fields: dict[str, object] = {
        "vggnet_format": latest(_SINCE),
        "spec": weights.spec.to_json(),
        "preprocess": weights.preprocessing.to_json(),
        "labels": [label.to_json() for label in weights.labels],
        "training": dict(weights.training),
    }
    return {name: json.dumps(value, allow_nan=False) for name, value in fields.items()}


def _read_metadata(path: Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of Weights but the state."""
    if "vggnet_format" not in metadata:
        raise ValueError(f"{path}: a safetensors file, but not one that vggnet wrote")
    try:
        found = {name: json.loads(text) for name, text in metadata.items()}
        found = checked("it", {"version": found.pop("vggnet_format"), **found}, _SINCE)
        if not isinstance(found["labels"], list) or not isinstance(found["training"], dict):
            raise ValueError("labels must be a list and training a dictionary")
        return {
            "spec": Spec.from_json(found["spec"]),
            "preprocessing": Preprocess.from_json(found["preprocess"]),
            "labels": tuple(Label.from_json(label) for label in found["labels"]),
            "training": found["training"],
        }
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: broken metadata: {printable(str(error))}") from None


def _loaded(path: Path, name: str, stored: StoredArray) -> np.ndarray:
    """An array as float32, of a file of ours, which holds no other numbers than `save` writes."""
    if stored.dtype not in (np.float32, np.float16):
        code = safetensors_files.CODES[stored.dtype]
        raise ValueError(f"{path}: {printable(name)} is {code}, not {', '.join(_CODES.values())}")
    return np.require(stored.load().astype(np.float32, copy=False), requirements="A")


def narrow(array: np.ndarray, dtype: StoredType) -> np.ndarray:
    """A contiguous array as it is stored: float32, float16, or the bits of bf16 as uint16."""
    with np.errstate(over="ignore"):  # the caller names the arrays that overflow
        if dtype == "fp16":
            return np.ascontiguousarray(array, "<f2")
        array = np.ascontiguousarray(array, "<f4")
    if dtype == "fp32":
        return array
    bits = array.view(np.uint32)
    # To nearest: half of the last kept place is added; to even: a little less where it is even.
    return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype("<u2")


def _widen(array: np.ndarray) -> np.ndarray:
    """The float32 values of a stored array; float32 itself is not copied."""
    if array.dtype.kind == "u":
        return widen_bfloat16(array)
    return array.astype(np.float32, copy=False)
