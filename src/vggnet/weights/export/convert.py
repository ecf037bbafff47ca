"""A net in another convention: what its arrays are called there, how they lie, what they expect.

In: `Weights`. Out: a weight file for another library, and what could not be kept, in words.
What is only renamed, transposed or put in another order of colours keeps every bit. A range of
pixels is folded into the first convolution, in float64 and rounded once; a mean is not, for beyond
the picture's edge a convolution sees zeros, which are the mean: it stays what it was.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from vggnet.layers import Layer
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import files, own_file
from vggnet.weights.containers import keras_files, numpy_files, safetensors_files, torch_files
from vggnet.weights.export.caffe_network import write_caffe
from vggnet.weights.export.onnx_network import write_onnx
from vggnet.weights.export.read_back import lost
from vggnet.weights.named import load_weights
from vggnet.weights.own_file import StoredType
from vggnet.weights.recognition.conventions import CONVENTIONS, Convention
from vggnet.weights.recognition.layouts import in_layout
from vggnet.weights.recognition.naming import Unfit
from vggnet.weights.recognition.stated import properties
from vggnet.weights.rewrite import fold_batch_norm
from vggnet.weights.weights import Weights, check_state

# What can be written: the suffixes of its files, and the types of numbers that they hold.
TARGETS: dict[str, tuple[tuple[str, ...], tuple[StoredType, ...]]] = {
    "vggnet": ((".safetensors",), ("fp32", "bf16", "fp16")),
    "torchvision": ((".pth", ".pt", ".bin", ".safetensors"), ("fp32", "bf16", "fp16")),
    "timm": ((".safetensors", ".bin", ".pth"), ("fp32", "bf16", "fp16")),
    "keras": ((".h5",), ("fp32",)),
    "frossard": ((".npz",), ("fp32", "fp16")),
    "tensorflow-vgg": ((".npy",), ("fp32", "fp16")),
    "caffe": ((".caffemodel",), ("fp32",)),
    "onnx": ((".onnx",), ("fp32",)),
}


def convert(
    source: str | os.PathLike[str] | Weights,
    target: str | os.PathLike[str],
    to: str | None = None,
    dtype: StoredType = "fp32",
) -> list[str]:
    """Writes weights as another library's file, whole or not at all; what it does not keep, if any.

    `source` is a `Weights` or what `vggnet.weights.load` takes. `to` is whose file it becomes, one
    of TARGETS, by default the first of them whose files have the suffix of `target`; `dtype` is the
    type of the stored numbers. Beside a `.caffemodel` the `.prototxt` is written. The result says,
    in a few words each, what the new file does not keep, and at last the options with which it is
    read nevertheless. Raises ValueError, in one line that begins with the path, for a suffix or
    type of numbers that such a file does not have, and for a net that it cannot express; and what
    `load` does.
    """
    path = Path(target)
    to = to or _usual_target(path)
    if to not in TARGETS:
        raise ValueError(f"{path}: convert to one of {', '.join(TARGETS)}, not {to!r}")
    suffixes, dtypes = TARGETS[to]
    if path.suffix not in suffixes:
        raise ValueError(
            f"{path}: the suffix for {to} is {' or '.join(suffixes)}; --to says whose file "
            f"to write: {', '.join(TARGETS)}"
        )
    if dtype not in dtypes:
        raise ValueError(f"{path}: files for {to} hold {', '.join(dtypes)}, not {dtype}")
    weights = source if isinstance(source, Weights) else load_weights(source)
    try:
        ready, remarks = _write(path, weights, to, dtype)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(str(path)) else f"{path}: {text}") from None
    if to == "vggnet":
        return remarks
    try:
        return [*remarks, *lost(ready, files.inspect(path))]
    except ValueError as error:  # a net that is no VGG, in a file that has a graph
        return [*remarks, f"vggnet does not read it back: {str(error).removeprefix(f'{path}: ')}"]


def _usual_target(path: Path) -> str:
    for to, (suffixes, _) in TARGETS.items():
        if path.suffix in suffixes:
            return to
    known = dict.fromkeys(suffix for suffixes, _ in TARGETS.values() for suffix in suffixes)
    raise ValueError(f"{path}: files that can be written end in {', '.join(known)}")


@np.errstate(all="ignore")  # what folding makes infinite is found by the check after it
def _write(path: Path, weights: Weights, to: str, dtype: StoredType) -> tuple[Weights, list[str]]:
    """What the file holds, and remarks on what was done to it."""
    if to == "vggnet":
        own_file.save(path, weights, dtype)
        return weights, []
    if to == "onnx":
        write_onnx(path, weights.spec, weights.state, properties(weights))
        is_usual = weights.preprocessing.colour_order == "RGB"
        return weights, [] if is_usual else ["it wants B, G, R, as before"]
    check_state(weights.spec, weights.state, str(path))
    if to == "caffe":
        ready, remarks = in_convention(weights, CONVENTIONS["oxford"])
        check_state(ready.spec, ready.state, str(path))
        write_caffe(path, path.with_suffix(".prototxt"), ready.spec, ready.state)
        return ready, remarks
    convention = CONVENTIONS[to]
    weights, remarks = _folded(weights, convention)
    stored_names(weights.spec, convention)  # raises where there are none
    ready, more = in_convention(weights, convention)
    check_state(ready.spec, ready.state, str(path))
    arrays = stored_arrays(ready, convention)
    if dtype != "fp32":
        arrays = {name: _narrowed(path, name, array, dtype) for name, array in arrays.items()}
    if to == "keras":
        keras_files.write(path, _by_layer(arrays), properties=properties(ready))
    elif to == "frossard":
        numpy_files.write(path, arrays)
    elif to == "tensorflow-vgg":
        numpy_files.write_dictionary(path, arrays)
    elif path.suffix == ".safetensors":
        codes = dict.fromkeys(arrays, "BF16") if dtype == "bf16" else None
        safetensors_files.write(path, arrays, properties(ready) | {"format": "pt"}, codes)
    else:
        torch_files.write(path, arrays, bfloat16=dtype == "bf16")
    return ready, remarks + more


def _folded(weights: Weights, convention: Convention) -> tuple[Weights, list[str]]:
    """Without batch norm, where the convention has no names for it."""
    if not weights.spec.batch_norm or convention.forms[0].scheme.has_norms:
        return weights, []
    spec, arrays = fold_batch_norm(weights.spec, weights.state)
    remark = f"batch norm is folded into the convolutions: {convention.name} files have none"
    return replace(weights, spec=spec, state=arrays), [remark]


def _narrowed(path: Path, name: str, array: np.ndarray, dtype: StoredType) -> np.ndarray:
    narrow = own_file.narrow(array, dtype)
    if dtype == "fp16" and not np.isfinite(narrow).all():
        raise ValueError(f"{path}: too large for fp16: {name}; write fp32")
    return narrow


def _by_layer(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Keras's arrays by layer and the rest of their names."""
    layers: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, _, rest = name.partition("/")
        layers.setdefault(layer, {})[rest] = array
    return layers


def in_convention(weights: Weights, convention: Convention) -> tuple[Weights, list[str]]:
    """The net as the convention's users feed it, and remarks on what differs from either.

    Colours and range become the convention's. What is in its own already is not touched. Raises
    ValueError for a net without conv1_1, which takes the change.
    """
    if "conv1_1.weight" not in weights.state:
        raise ValueError(f"{weights.spec.name} has no conv1_1, whose colours could be turned")
    remarks: list[str] = []
    ours, theirs = weights.preprocessing, convention.preprocessing
    preprocessing = replace(ours, colour_order=theirs.colour_order)
    weight_OIYX = weights.state["conv1_1.weight"]
    if ours.colour_order != theirs.colour_order:
        weight_OIYX = weight_OIYX[:, ::-1]
    factor = _slope(ours) / _slope(theirs)
    if not np.allclose(factor, 1, rtol=1e-9):
        in_order = factor if theirs.colour_order == "RGB" else factor[::-1]
        weight_OIYX = (weight_OIYX * in_order[:, None, None]).astype(np.float32)
        preprocessing = replace(
            preprocessing,
            scale=theirs.scale,
            mean=tuple(float(each) for each in _mean_pixel(ours) * theirs.scale),  # type: ignore[arg-type]
            std=theirs.std,
        )
        remarks.append(
            "the range of the pixels is folded into conv1_1, which is rounded by it: "
            f"{_listed(factor)} for R, G, B"
        )
    mean, usual = _mean_pixel(ours), _mean_pixel(theirs)
    if not np.allclose(mean, usual, rtol=0, atol=1e-3):
        remarks.append(
            f"it wants its own mean, R, G, B {_listed(mean)} of 0..255, and not {_listed(usual)}, "
            f"which is usual in {convention.name} files"
        )
    arrays = {**weights.state, "conv1_1.weight": weight_OIYX}
    return replace(weights, state=arrays, preprocessing=preprocessing), remarks


def stored_arrays(weights: Weights, convention: Convention) -> dict[str, np.ndarray]:
    """The arrays under the convention's names in its layouts, in the spec's order.

    Raises ValueError for a net that it has no names for.
    """
    spec = weights.spec
    names = stored_names(spec, convention)
    arrays = {}
    for layer in spec.layers:
        for part, shape in (layer.parameter_shapes | layer.buffer_shapes).items():
            canonical = f"{layer.name}.{part}"
            array = weights.state[canonical]
            if part == "weight" and layer.kind in ("conv", "fc"):
                matrix = layer.kind == "fc"
                kernel = (shape[0], *layer.input) if matrix else shape
                layout = convention.matrix if matrix else convention.convolution
                is_kernel = convention.kernels == "all" or (
                    convention.kernels == "all but the last" and layer.name != spec.logits_layer
                )
                array = in_layout(array.reshape(kernel), layout, matrix and not is_kernel)
            arrays[names[canonical]] = array
    return arrays


def stored_names(spec: Spec, convention: Convention) -> dict[str, str]:
    """Canonical name -> name in the file. Raises ValueError as `stored_arrays` does."""
    num_matrices = sum(layer.kind == "fc" for layer in spec.layers)
    odd = [layer.name for layer in spec.layers if not _is_plain(layer, num_matrices)]
    try:
        if odd:
            raise Unfit(f"{', '.join(odd)}: no such file says what these layers are")
        return convention.stored_names(spec)
    except Unfit as fault:
        raise ValueError(f"{spec.name} cannot be a {convention.name} file: {fault}") from None


def _is_plain(layer: Layer, num_matrices: int) -> bool:
    """Whether a reader who knows names and shapes alone takes the layer for what it is."""
    if layer.kind == "avgpool":  # before several FC layers it looks as if a pool gave one pixel
        return num_matrices == 1
    if layer.kind == "conv":
        return layer.kernel in (1, 3) and layer.stride == 1 and layer.padding == layer.kernel // 2
    if layer.kind == "maxpool":
        return layer.kernel == layer.stride == 2
    return layer.kind != "lrn"


def _slope(preprocessing: Preprocess) -> np.ndarray:
    """What one step of a pixel, 0..255, is in the input, for R, G, B."""
    return preprocessing.scale / np.array(preprocessing.std)


def _mean_pixel(preprocessing: Preprocess) -> np.ndarray:
    """R, G, B of 0..255 that becomes zero."""
    return np.array(preprocessing.mean) / preprocessing.scale


def _listed(values: np.ndarray) -> str:
    return ", ".join(f"{value:.6g}" for value in values)
