"""A network as an ONNX file, which any runtime can take.

In: a Spec and its canonical state. Out: a file that maps "images" to "logits", with any number of
pictures, and any picture size where the spec has it; the arrays bear the state's names. It is
written by containers/onnx_files.py: the `onnx` package is not needed. Source: ONNX's operator
reference, opset 13.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from vggnet.layers import BATCH_NORM_EPSILON, Kind, Layer
from vggnet.spec import Spec
from vggnet.weights.containers import onnx_files
from vggnet.weights.containers.onnx_files import Attribute, Graph, Node
from vggnet.weights.weights import State, check_state

_OPERATORS: dict[Kind, str] = {
    "conv": "Conv", "batchnorm": "BatchNormalization", "relu": "Relu", "lrn": "LRN",
    "maxpool": "MaxPool", "avgpool": "GlobalAveragePool", "fc": "Gemm",
}  # fmt: skip


def write_onnx(
    path: str | os.PathLike[str],
    spec: Spec,
    state: State,
    properties: Mapping[str, str] | None = None,
) -> None:
    """Writes the network as float32; of a net without a head the output is named "features".

    The soft-max is left out: the file gives what `Engine` gives. `properties` go along as the
    model's metadata. Raises ValueError for a state that does not fit the spec.
    """
    check_state(spec, state, os.fspath(path))
    onnx_files.write(path, onnx_graph(spec, state), properties)


def onnx_graph(spec: Spec, state: State) -> Graph:
    """The nodes up to the logits, with views of the state's arrays."""
    result = "logits" if spec.num_classes else "features"
    nodes: list[Node] = []
    name, flat = "images", False
    for layer in spec.layers:
        if layer.kind in ("dropout", "softmax"):
            continue
        if layer.kind == "fc" and not flat:
            nodes.append(Node("Flatten", [name], ["flat"]))
            name, flat = "flat", True
        arrays = [f"{layer.name}.{part}" for part in layer.parameter_shapes | layer.buffer_shapes]
        output = result if layer.name == spec.logits_layer else layer.name
        nodes.append(Node(_OPERATORS[layer.kind], [name, *arrays], [output], _attributes(layer)))
        name = output
    size = ("height", "width") if spec.any_size else (spec.input_size, spec.input_size)
    channels, *sides = next(each for each in spec.layers if each.name == spec.logits_layer).output
    map_size: tuple[int | str, ...] = tuple(sides)
    if spec.any_size and "avgpool" not in spec.tokens:
        map_size = ("rows", "columns")
    return Graph(
        spec.name,
        nodes,
        {each: state[each] for each in spec.state_shapes},
        {"images": ("N", 3, *size)},
        {result: ("N", channels) if flat else ("N", channels, *map_size)},
    )


def _attributes(layer: Layer) -> dict[str, Attribute]:
    kernel, strides = [layer.kernel] * 2, [layer.stride] * 2
    if layer.kind == "conv":
        return {"kernel_shape": kernel, "strides": strides, "pads": [layer.padding] * 4}
    if layer.kind == "batchnorm":
        return {"epsilon": BATCH_NORM_EPSILON}
    if layer.kind == "lrn":  # ONNX divides alpha by the number of channels that are summed over
        return {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0}
    if layer.kind == "maxpool":
        return {"kernel_shape": kernel, "strides": strides}
    return {"transB": 1} if layer.kind == "fc" else {}
