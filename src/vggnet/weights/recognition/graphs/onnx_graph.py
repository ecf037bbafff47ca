"""The nodes of an ONNX graph as a chain of layers.

In: the nodes of a file, in its order, the shapes of its inputs, and its arrays. Out: a Drawing.
Followed is the tensor that the first convolution takes: back to the picture, and on to the scores.
Source: ONNX's operator reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.recognition.graphs.chain import Chain, Drawing, near, square_side
from vggnet.weights.recognition.layouts import Layout
from vggnet.weights.recognition.naming import Unfit

Node = Mapping[str, Any]

_PASSED = {"Dropout", "Identity", "Flatten", "Reshape", "Cast", "Squeeze", "Unsqueeze"}
_CHANNELS_FIRST = {"Conv", "BatchNormalization", "LRN", "MaxPool", "GlobalAveragePool"}
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]  # how a Transpose moves the channels

# Attributes: what they are where a node does not give them, and what they must be.
_UNSET = {"group": 1, "dilations": [1, 1], "strides": [1, 1], "pads": [0, 0, 0, 0], "alpha": 1.0,
          "beta": 1.0, "transA": 0, "training_mode": 0}  # fmt: skip
_CONVOLUTION = {"group": 1, "dilations": [1, 1], "strides": [1, 1]}
_POOL = {"kernel_shape": [2, 2], "strides": [2, 2], "dilations": [1, 1], "pads": [0, 0, 0, 0]}
_PRODUCT = {"alpha": 1.0, "beta": 1.0, "transA": 0}
_KRIZHEVSKY = {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0}  # alpha over all five channels


def onnx_net(contents: Contents) -> Drawing:
    """Raises Unfit where the graph is no VGG's."""
    metadata: Any = contents.metadata
    nodes, arrays = metadata["nodes"], contents.arrays
    chain, tensor, channels_last = Chain(_input_size(nodes, metadata["inputs"])), "", False
    same = {name: name for name in arrays}  # by what Identity nodes call an array
    for place, node in enumerate(nodes):
        kind, inputs, outputs = node["op_type"], node["inputs"], node["outputs"]
        if kind == "Identity" and inputs and inputs[0] in same:
            same.update(dict.fromkeys(outputs[:1], same[inputs[0]]))
        if tensor not in inputs if tensor else kind != "Conv":
            continue  # shapes that are computed beside the net
        weights = [same[name] for name in inputs if name in same]
        try:
            if kind == "Transpose" and node["attributes"].get("perm") in (_TO_LAST, _TO_FIRST):
                channels_last = node["attributes"]["perm"] == _TO_LAST
            else:
                _step(chain, node, weights, arrays, channels_last)
        except Unfit as fault:
            if any(later["op_type"] == "Conv" for later in nodes[place:]):
                raise
            return chain.drawing(str(fault))
        tensor = outputs[0] if outputs else tensor
    return chain.drawing()


def _input_size(nodes: Sequence[Node], inputs: Mapping[str, Sequence[object]]) -> int | None:
    """What the graph says of the side of its picture, which must reach the first convolution as it
    is, or turned from channels last."""
    makers = {output: node for node in nodes for output in node["outputs"]}
    first = next((node["inputs"] for node in nodes if node["op_type"] == "Conv"), ())
    tensor, axes = next(iter(first), ""), [0, 1, 2, 3]
    while node := makers.pop(tensor, None):
        turn = node["attributes"].get("perm")
        if node["op_type"] == "Transpose" and turn in (_TO_LAST, _TO_FIRST):
            axes = [turn[axis] for axis in axes]
        elif node["op_type"] not in ("Cast", "Identity"):
            raise Unfit(
                f"the graph prepares the picture itself ({node['op_type']}), and vggnet would do "
                "so again; export the net alone"
            )
        tensor = next(iter(node["inputs"]), "")
    if axes not in ([0, 1, 2, 3], _TO_FIRST):
        raise Unfit("rows, columns and channels of the picture are in another order")
    shape = inputs.get(tensor, ())
    return square_side(shape[axis] for axis in axes[2:]) if len(shape) == 4 else None


def _step(chain: Chain, node: Node, weights: Sequence[str], arrays: Mapping[str, StoredArray],
          channels_last: bool) -> None:  # fmt: skip
    kind, attributes = node["op_type"], node["attributes"]
    layer = node["name"] or next(iter(weights), "") or kind
    bias = weights[1] if len(weights) > 1 else ""
    if channels_last and kind in _CHANNELS_FIRST:
        raise Unfit(f"{layer} is given channels last")
    if kind == "Conv" and weights:
        sides = arrays[weights[0]].shape[2:]
        _check(node, _CONVOLUTION)
        chain.convolve(weights[0], sides, _padding(attributes, sides), weights[0], bias)
    elif kind in ("Gemm", "MatMul") and weights:
        _check(node, _PRODUCT)
        transposed = bool(attributes.get("transB"))
        if transposed and channels_last and not chain.matrices and not chain.average:
            raise Unfit(f"{layer} takes rows of channels last")
        layout: Layout = "OIHW" if transposed else "HWIO" if channels_last else "IHWO"
        chain.multiply(weights[0], layout, weights[0], bias)
    elif kind == "Add" and weights:
        chain.add(weights[0])
    elif kind == "BatchNormalization" and len(weights) == 4:
        _check(node, {"training_mode": 0})
        parts = dict(zip(("weight", "bias", "running_mean", "running_var"), weights, strict=True))
        chain.normalise(parts, attributes.get("epsilon", 1e-5))
    elif kind == "Relu":
        chain.rectify()
    elif kind == "LRN":
        for name, value in _KRIZHEVSKY.items():
            if not near(attributes.get(name, 0), value):
                raise Unfit(f"the {name} of {layer} is {attributes.get(name)}, not {value}")
        chain.respond()
    elif kind == "MaxPool":
        _check(node, _POOL)
        same_size = str(attributes.get("auto_pad")).startswith("SAME")
        chain.rounds_up |= same_size or bool(attributes.get("ceil_mode"))
        chain.pool()
    elif kind == "AveragePool":  # the adaptive one of torchvision, where it changes nothing
        _check(node, {"kernel_shape": [1, 1], "strides": [1, 1]})
    elif kind == "GlobalAveragePool":
        chain.mean()
    elif kind == "ReduceMean":
        _check_axes(attributes.get("axes"), [arrays[name] for name in weights], channels_last)
        chain.mean()
    elif kind in ("LogSoftmax", "Sigmoid", "Softmax") and chain.matrices:
        chain.answers(layer, kind == "Sigmoid")
    elif kind not in _PASSED:
        raise Unfit(f"{kind} is no layer of a VGG")


def _padding(attributes: Mapping[str, Any], sides: Sequence[int]) -> list[int]:
    """Of all four edges. Strides of 1 are known."""
    kind = str(attributes.get("auto_pad", "NOTSET"))
    if kind.startswith("SAME"):
        return [side // 2 for side in (*sides, *sides)]
    found = attributes.get("pads", [0, 0, 0, 0]) if kind == "NOTSET" else [0, 0, 0, 0]
    if not isinstance(found, list) or len(found) != 4:
        raise Unfit(f"the pads are {found}, not those of four edges")
    return found


def _check_axes(axes: object, arrays: Sequence[StoredArray], channels_last: bool) -> None:
    """Raises Unfit where a mean, whose axes are an attribute or (since opset 18) an array, is over
    others than rows and columns."""
    if arrays:
        axes = arrays[0].load().reshape(-1)[:9].tolist()
    expected = {1, 2} if channels_last else {2, 3}
    if not isinstance(axes, list) or {axis % 4 for axis in axes} != expected:
        raise Unfit(f"a mean is over the axes {axes}, not over rows and columns")


def _check(node: Node, expected: Mapping[str, object]) -> None:
    """Raises Unfit where an attribute is another."""
    for name, value in expected.items():
        found = node["attributes"].get(name, _UNSET.get(name))
        if found != value:
            raise Unfit(f"the {name} of {node['op_type']} {node['name']} are {found}, not {value}")
