"""Any weight file that is known to us -> a network ready to use, and what the file was taken for.

In: a path. Out: `Weights`, and a `Recognition` that says container, convention and configuration.
The container is told by the file's content and not by its suffix. Only what a net uses is read:
arrays that are in the canonical layout stay views of the mapped file, the others are copied one by
one, and the memory of each is given back before the next is touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vggnet.preprocess import ColourOrder
from vggnet.weights import own_file
from vggnet.weights.containers import Contents, safetensors_files
from vggnet.weights.recognition.layouts import canonical_view, in_order
from vggnet.weights.weights import Weights, check_state

if TYPE_CHECKING:
    from vggnet.weights.recognition.recognise import Recognition


class Container(Protocol):
    """What a module of containers/ has to read with."""

    NAME: str

    def recognises(self, head: bytes) -> bool: ...
    def read(self, path: Path) -> Contents: ...


_HEAD = 4096  # bytes of a file that containers are told by


def containers() -> Iterator[Container]:
    """Every container that is read, in the order in which they are asked.

    The one of our own files is first, so that they are read without importing the others; protocol
    buffers, which have no magic number, come last.
    """
    yield safetensors_files
    from vggnet.weights.containers import (
        caffe_files,
        keras_files,
        matlab_files,
        numpy_files,
        onnx_files,
        torch_files,
    )

    yield from (keras_files, torch_files, numpy_files, matlab_files, onnx_files, caffe_files)


def load(
    path: str | os.PathLike[str],
    convention: str | None = None,
    colour: ColourOrder | None = None,
    net: str | None = None,
) -> Weights:
    """The weights in a file of any container and convention that are known.

    `convention` and `colour` say what the file is where it does not show it, or shows it wrongly.
    Of several nets in it `net` names the one that is read, as `inspect` gives their names ("model",
    "model_ema"); else it is the one with the most arrays, and of several such the first.
    A net of one unit, which answers yes or no by a sigmoid, is given two classes, no and yes: their
    logits are 0 and its own, so that the soft-max gives 1 - p and p. What a Spec cannot say of a
    head is left out, and `Weights.notes` says so.
    Raises ValueError, in one line that begins with the path, for a file that cannot be read, is
    damaged, holds NaN or infinity, or is no VGG's.
    """
    path = Path(path)
    contents = read(path)
    if _is_ours(contents) and convention in (None, "vggnet"):
        return _ours(path, colour, net)
    from vggnet.weights.recognition.recognise import recognise

    recognition = recognise(contents, str(path), convention, colour, net)
    return weights_of(contents, recognition, str(path))


def inspect(
    path: str | os.PathLike[str],
    convention: str | None = None,
    colour: ColourOrder | None = None,
    net: str | None = None,
) -> Recognition:
    """What `load` would take the file for, from its names, shapes and first convolution alone."""
    from vggnet.weights.recognition.recognise import Recognition, recognise

    path = Path(path)
    contents = read(path)
    if _is_ours(contents) and convention in (None, "vggnet"):
        ours = _ours(path, colour, net)
        return Recognition(
            contents.container, "vggnet", ours.spec, ours.preprocessing, {}, ours.labels,
            "certain", True, ("vggnet wrote it, and all of this in it",), (), True, True,
        )  # fmt: skip
    return recognise(contents, str(path), convention, colour, net)


def read(path: Path) -> Contents:
    """What the file holds, in its own names. Raises ValueError as `load` does."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe may never answer
            raise ValueError(f"{path}: not a file on a disk; save what it gives in one first")
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror or error}") from None
    if not head:
        raise ValueError(f"{path}: empty file")
    for container in containers():
        if container.recognises(head):
            return container.read(path)
    names = ", ".join(container.NAME for container in containers())
    raise ValueError(f"{path}: none of the formats that are read: {names}")


@np.errstate(all="ignore")  # what is not finite is found at the end
def weights_of(contents: Contents, recognition: Recognition, path: str) -> Weights:
    """The net as `recognition` reads it. Raises ValueError as `load` does."""
    spec = recognition.spec
    arrays: dict[str, NDArray[np.float32]] = {}
    for layer in spec.layers:
        for part, shape in (layer.parameter_shapes | layer.buffer_shapes).items():
            name = f"{layer.name}.{part}"
            source = recognition.sources[name]
            array = contents.arrays[source.name].load()
            if source.divisor:
                array = _divided(array, contents, source.divisor, path)
            if source.added:
                array = array + source.added
            shape = (shape[0] - source.second, *shape[1:])
            if part == "weight" and layer.kind in ("conv", "fc"):
                kernel = shape if layer.kind == "conv" else (shape[0], *layer.input)
                array = canonical_view(array, kernel, source.layout)
            else:
                array = array.reshape(shape)
            values = in_order(array).reshape(shape)
            if source.second:
                values = np.concatenate([np.zeros_like(values), values])
            arrays[name] = values
    check_state(spec, arrays, path)
    try:
        return Weights(
            spec,
            arrays,
            recognition.preprocessing,
            recognition.labels,
            {"convention": recognition.convention, "evidence": list(recognition.evidence)},
            recognition.notes,
        )
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _divided(array: NDArray[Any], contents: Contents, divisor: str, path: str) -> NDArray[Any]:
    """What a batch norm measured, as Caffe scales it: 0 stands for a norm that saw no batch."""
    number = contents.arrays[divisor].load()
    if number.size != 1:
        raise ValueError(f"{path}: {divisor} is {number.shape}, not one number")
    return array / number.reshape(()) if number.any() else np.zeros_like(array)


def _is_ours(contents: Contents) -> bool:
    return "vggnet_format" in contents.metadata


def _ours(path: Path, colour: ColourOrder | None, net: str | None) -> Weights:
    """What is in a file of our own, which says all but what is asked for."""
    if net is not None:
        raise ValueError(f"{path}: vggnet wrote it, with one net; leave --net out")
    weights = own_file.load(path)
    if colour is None:
        return weights
    return replace(weights, preprocessing=replace(weights.preprocessing, colour_order=colour))
