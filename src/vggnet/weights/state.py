"""A trained network as one file that explains itself.

In and out: a `Weights` value (spec, canonical state, preprocessing, labels, how it was trained) and
a safetensors file whose metadata holds all of it but the arrays. The canonical names are those of
the original release: {"conv1_1.weight": (64, 3, 3, 3), "conv1_1.bias": (64,), ...}.
Formats of numbers: fp32, bf16 (fp32's upper half), fp16 (IEEE half precision).
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from vggnet.labels import Label
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec

State = Mapping[str, NDArray[np.floating]]  # by canonical name
Precision = Literal["fp32", "bf16", "fp16"]

FORMAT_VERSION = 1
_CODES: dict[Precision, str] = {
    "fp32": "F32",
    "bf16": "BF16",
    "fp16": "F16",
}  # safetensors' own names
_STORED = {"F32": "<f4", "BF16": "<u2", "F16": "<f2"}


@dataclass(frozen=True, eq=False)
class Weights:
    """A network ready to use: its arrays and everything needed to use them.

    `state` holds float32 arrays by canonical name. `labels` names the classes in order; it is empty
    for a net without a head. `training` is plain JSON: command, commit, data, metrics.
    Raises ValueError where state or labels do not fit the spec.
    """

    spec: Spec
    state: State = field(repr=False)
    preprocess: Preprocess
    labels: tuple[Label, ...] = field(default=(), repr=False)
    training: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        source = f"weights of {self.spec.name!r}"
        check_state(self.spec, self.state, source, finite=False)
        object.__setattr__(self, "labels", tuple(self.labels))
        num_classes = self.spec.num_classes or 0
        if self.labels and len(self.labels) != num_classes:
            raise ValueError(f"{source}: {len(self.labels)} labels for {num_classes} classes")
        misplaced = [i for i, label in enumerate(self.labels) if label.index != i]
        if misplaced:
            i = misplaced[0]
            raise ValueError(f"{source}: label {i} says that its index is {self.labels[i].index}")


def check_state(spec: Spec, state: State, source: str, finite: bool = True) -> None:
    """Raises one ValueError, beginning with `source`, that lists all that does not fit the spec.

    Missing names, extra names, arrays of another shape (both shapes are given), arrays that are not
    floating point and, unless `finite` is False, arrays that hold NaN or infinity.
    """
    expected = spec.state_shapes
    missing = [name for name in expected if name not in state]
    extra = [name for name in state if name not in expected]
    common = [name for name in expected if name in state]
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {expected[name]}"
        for name in common
        if tuple(state[name].shape) != expected[name]
    ]
    not_floats = [f"{n} ({state[n].dtype})" for n in common if state[n].dtype.kind != "f"]
    faults = {"missing": missing, "extra": extra, "misshapen": misshapen, "not floats": not_floats}
    if finite and not not_floats:
        faults["not finite"] = [name for name in common if not _is_finite(state[name])]
    listed = [f"{fault}: {', '.join(names)}" for fault, names in faults.items() if names]
    if listed:
        raise ValueError(f"{source}: does not fit spec {spec.name!r}; {'; '.join(listed)}")


def save(path: str | os.PathLike[str], weights: Weights, dtype: Precision = "fp32") -> None:
    """Writes the weights to `path` whole or not at all: a reader never sees half a file.

    `dtype` is the precision of the stored numbers; bf16 and fp16 are rounded to nearest, ties to
    even. Raises ValueError that names the arrays which are not finite, before or after rounding.
    """
    if dtype not in _CODES:
        raise ValueError(f"dtype {dtype!r} must be one of {', '.join(_CODES)}")
    path = Path(path)
    check_state(weights.spec, weights.state, str(path))
    stored = {name: _narrow(weights.state[name], dtype) for name in weights.spec.state_shapes}
    overflown = [name for name, array in stored.items() if not _is_finite(_widen(array))]
    if overflown:
        raise ValueError(f"{path}: too large for {dtype}: {', '.join(overflown)}; save as fp32")
    header: dict[str, object] = {"__metadata__": _metadata(weights)}
    end = 0
    for name, array in stored.items():
        begin, end = end, end + array.nbytes
        header[name] = {
            "dtype": _CODES[dtype], "shape": list(array.shape), "data_offsets": [begin, end],
        }  # fmt: skip
    text = json.dumps(header, allow_nan=False).encode()
    text += b" " * (-len(text) % 8)  # so that the arrays are aligned in a mapped file
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with partial.open("xb") as file:
            file.write(len(text).to_bytes(8, "little") + text)
            for array in stored.values():
                file.write(array.data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Weights:
    """The weights that `save` wrote. Arrays stored as fp32 are read-only views of the mapped file.

    bf16 and fp16 are widened to float32. Raises ValueError, in one line that begins with the path,
    for a file that cannot be read, is damaged, is not one of ours or does not fit its own spec.
    """
    path = Path(path)
    try:
        with safe_open(path, framework="numpy") as file:  # checks lengths, offsets and overlaps
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged or not a safetensors file: {error}") from None
    except OSError as error:
        reason = error.strerror or ("no such file" if not path.exists() else "cannot be read")
        raise ValueError(f"{path}: {reason}") from None
    fields = _read_metadata(path, metadata)
    state = _map_arrays(path)
    check_state(fields["spec"], state, str(path))
    try:
        return Weights(state=state, **fields)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _metadata(weights: Weights) -> dict[str, str]:
    fields: dict[str, object] = {
        "vggnet_format": FORMAT_VERSION,
        "spec": weights.spec.to_json(),
        "preprocess": weights.preprocess.to_json(),
        "labels": [label.to_json() for label in weights.labels],
        "training": dict(weights.training),
    }
    return {name: json.dumps(value, allow_nan=False) for name, value in fields.items()}


def _read_metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The fields of Weights but the state."""
    if "vggnet_format" not in metadata:
        raise ValueError(f"{path}: a safetensors file, but not one that vggnet wrote")
    try:
        found = {name: json.loads(text) for name, text in metadata.items()}
        version = found["vggnet_format"]
        if version != FORMAT_VERSION:
            raise ValueError(f"format {version}, and this vggnet reads {FORMAT_VERSION}")
        if not isinstance(found["labels"], list) or not isinstance(found["training"], dict):
            raise ValueError("labels must be a list and training a dictionary")
        return {
            "spec": Spec.from_json(found["spec"]),
            "preprocess": Preprocess.from_json(found["preprocess"]),
            "labels": tuple(Label.from_json(label) for label in found["labels"]),
            "training": found["training"],
        }
    except KeyError as error:
        raise ValueError(f"{path}: broken metadata: {error} is missing") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: broken metadata: {error}") from None


def _map_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file whose header safetensors has checked, float32, mapped where possible."""
    mapped = np.memmap(path, mode="r", dtype=np.uint8).view(np.ndarray)
    start = 8 + int.from_bytes(mapped[:8].tobytes(), "little")
    header = json.loads(mapped[8:start].tobytes())
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if entry["dtype"] not in _STORED:
            raise ValueError(f"{path}: {name} is {entry['dtype']}, not {', '.join(_STORED)}")
        begin, end = (start + offset for offset in entry["data_offsets"])
        if not start <= begin <= end <= mapped.size:
            raise ValueError(f"{path}: {name} lies outside the file")
        array = mapped[begin:end].view(_STORED[entry["dtype"]]).reshape(entry["shape"])
        arrays[name] = np.require(_widen(array), requirements="A")
    return arrays


def _narrow(array: np.ndarray, dtype: Precision) -> np.ndarray:
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
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32, copy=False)


def _is_finite(array: np.ndarray) -> bool:
    """By the extremes, so that no array of the same size is made; NaN is its own extreme."""
    with np.errstate(invalid="ignore"):
        # The initial 0 stands for an array without elements, whose shape is another's fault.
        return bool(np.isfinite(array.min(initial=0)) and np.isfinite(array.max(initial=0)))
