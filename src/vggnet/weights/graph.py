"""The net that a file's own graph spells out, where its names alone would not tell.

In: the metadata of a container: the nodes of an ONNX graph, or the layers of a Caffe net, in order.
Out: a Drawing: a Sketch and where each layer's arrays lie. Exporters name arrays as they like, but
a chain of convolutions, ReLUs and pools is the same chain everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from typing import Any

from vggnet.weights.containers import Contents, StoredArray, caffe, onnx
from vggnet.weights.layouts import Layout
from vggnet.weights.naming import Sketch, Unfit


@dataclass(frozen=True)
class Source:
    """Where an array lies: its name in the file, and how it is laid out.

    `divisor` names the array of one number by which Caffe divides what its batch norms measured.
    """

    name: str
    layout: Layout
    divisor: str = ""


Sources = Mapping[tuple[str, str], Source]  # by a layer's name in the file, and part


@dataclass(frozen=True)
class Drawing:
    """A net as its file draws it. `remark` says why its head is left out, or nothing."""

    sketch: Sketch
    sources: Sources
    remark: str = ""


def drawn_net(contents: Contents) -> Drawing | None:
    """What the file's graph says; None for a file without one. Raises Unfit where it is no VGG."""
    steps: Any = contents.metadata
    if contents.container == onnx.NAME:
        return _onnx(steps["nodes"], contents.arrays)
    if contents.container == caffe.NAME:
        return _caffe(steps["layers"], contents.arrays)
    return None


def usual_convention(contents: Contents) -> str:
    """The convention whose exporters leave such names in a graph; torch's where there are none."""
    names = " ".join(list(contents.arrays)[:100])
    if re.search(r"block\d_conv\d", names):
        return "keras"
    return "oxford" if re.search(r"conv\d_\d", names) else "torchvision"


@dataclass
class _Chain:
    """Collects a net's layers in order, each checked to follow the one before as in a VGG."""

    stages: list[list[str]] = field(default_factory=lambda: [[]])
    norms: list[str] = field(default_factory=list)
    matrices: list[str] = field(default_factory=list)
    lrn: set[str] = field(default_factory=set)
    average: bool = False
    linear: str = ""  # the layer that no ReLU has followed yet
    sources: dict[tuple[str, str], Source] = field(default_factory=dict)

    def add(self, layer: str, layout: Layout, weight: str, bias: str, matrix: bool) -> None:
        if self.linear or (self.matrices and not matrix):
            raise Unfit(f"no ReLU lies between {self.linear or self.matrices[-1]} and {layer}")
        if matrix and not self.matrices and self.stages[-1] and not self.average:
            raise Unfit(f"no pool lies before {layer}")
        (self.matrices if matrix else self.stages[-1]).append(layer)
        self.linear = layer
        self.sources[layer, "weight"] = Source(weight, layout)
        if bias:
            self.sources[layer, "bias"] = Source(bias, layout)

    def normalise(self, layer: str, names: Sequence[str]) -> None:
        if not self.stages[-1] or self.linear != self.stages[-1][-1]:
            raise Unfit(f"{layer} follows no convolution")
        self.norms.append(layer)
        for part, name in zip(("weight", "bias", "running_mean", "running_var"), names,
                              strict=False):  # fmt: skip
            self.sources[layer, part] = Source(name, "OIHW")

    def rectify(self) -> None:
        self.linear = ""

    def pool(self) -> None:
        if self.linear or not self.stages[-1]:
            raise Unfit("a pool follows no ReLU")
        self.stages.append([])

    def respond(self) -> None:
        if self.linear or not self.stages[-1]:
            raise Unfit("local response normalisation follows no ReLU")
        self.lrn.add(self.stages[-1][-1])

    def drawing(self, fault: str = "") -> Drawing:
        """The net, without its FC layers where they are no VGG's (`fault`)."""
        if self.matrices and not fault and self.linear != self.matrices[-1]:
            fault = f"{self.matrices[-1]} is not the last layer"
        sketch = Sketch(
            tuple(tuple(stage) for stage in self.stages if stage),
            tuple(self.norms),
            () if fault else tuple(self.matrices),
            lrn=frozenset(self.lrn),
            average=self.average and not fault,
        )
        layers = {*sketch.convolutions, *sketch.norms, *sketch.matrices}
        kept = {key: source for key, source in self.sources.items() if key[0] in layers}
        return Drawing(sketch, kept, f"its head is left out: {fault}" if fault else "")


_PASSED = {"Dropout", "Identity", "Flatten", "Reshape", "Cast", "Squeeze", "Unsqueeze"}
# ONNX's attributes: what they are where a node does not give them, and what they must be.
_UNSET = {"group": 1, "dilations": [1, 1], "strides": [1, 1], "pads": [0, 0, 0, 0]}
_CONVOLUTION = {"group": 1, "dilations": [1, 1], "strides": [1, 1]}
_POOL = {"kernel_shape": [2, 2], "strides": [2, 2], "dilations": [1, 1], "pads": [0, 0, 0, 0]}

_KRIZHEVSKY = {"size": 5, "alpha": 5e-4, "beta": 0.75, "bias": 2.0}  # alpha over all five channels


def _onnx(nodes: Sequence[Mapping[str, Any]], arrays: Mapping[str, StoredArray]) -> Drawing:
    """Follows the tensor that the first convolution gives."""
    chain, tensor, channels_last = _Chain(), "", False
    same = {name: name for name in arrays}  # by what Identity nodes call an array
    for place, node in enumerate(nodes):
        kind, inputs, outputs = node["op_type"], node["inputs"], node["outputs"]
        if kind == "Identity" and inputs and inputs[0] in same:
            same.update(dict.fromkeys(outputs[:1], same[inputs[0]]))
        if tensor not in inputs if tensor else kind != "Conv":
            continue  # what is done to the picture first; shapes that are computed beside the net
        weights = [same[name] for name in inputs if name in same]
        try:
            if kind == "Transpose" and node["attributes"].get("perm") == [0, 2, 3, 1]:
                channels_last = True
            else:
                _onnx_step(chain, node, weights, arrays, channels_last)
        except Unfit as fault:
            if any(later["op_type"] == "Conv" for later in nodes[place:]):
                raise
            return chain.drawing(str(fault))
        tensor = outputs[0] if outputs else tensor
    return chain.drawing()


def _onnx_step(chain: _Chain, node: Mapping[str, Any], weights: Sequence[str],
               arrays: Mapping[str, StoredArray], channels_last: bool) -> None:  # fmt: skip
    kind, attributes = node["op_type"], node["attributes"]
    layer = node["name"] or next(iter(weights), "") or kind
    bias = weights[1] if len(weights) > 1 else ""
    if kind == "Conv" and weights:
        sides = arrays[weights[0]].shape[2:]
        _check(node, _CONVOLUTION)
        if str(attributes.get("auto_pad", "NOTSET")) in ("NOTSET", "VALID"):
            _check(node, {"pads": [side // 2 for side in (*sides, *sides)]})
        chain.add(weights[0], "OIHW", weights[0], bias, matrix=False)
    elif kind in ("Gemm", "MatMul") and weights:
        transposed = bool(attributes.get("transB"))
        if transposed and channels_last and not chain.matrices:
            raise Unfit(f"{layer} takes rows of channels last")
        layout: Layout = "OIHW" if transposed else "HWIO" if channels_last else "IHWO"
        chain.add(weights[0], layout, weights[0], bias, matrix=True)
    elif kind == "Add" and weights and chain.linear:
        chain.sources.setdefault((chain.linear, "bias"), Source(weights[0], "OIHW"))
    elif kind == "BatchNormalization" and len(weights) == 4:
        chain.normalise(weights[0], weights)
    elif kind == "Relu":
        chain.rectify()
    elif kind == "LRN":
        for name, value in _KRIZHEVSKY.items():
            if not _near(attributes.get(name, 0), value):
                raise Unfit(f"the {name} of {layer} is {attributes.get(name)}, not {value}")
        chain.respond()
    elif kind == "MaxPool":
        _check(node, _POOL)
        chain.pool()
    elif kind == "AveragePool":  # the adaptive one of torchvision, where it changes nothing
        _check(node, {"kernel_shape": [1, 1], "strides": [1, 1]})
    elif kind in ("GlobalAveragePool", "ReduceMean"):
        chain.average = True
    elif kind not in _PASSED and not (kind == "Softmax" and chain.matrices):
        raise Unfit(f"{kind} is no layer of a VGG")


def _check(node: Mapping[str, Any], expected: Mapping[str, object]) -> None:
    """Raises Unfit where an attribute is another."""
    for name, value in expected.items():
        found = node["attributes"].get(name, _UNSET.get(name))
        if found != value:
            raise Unfit(f"the {name} of {node['op_type']} {node['name']} are {found}, not {value}")


def _caffe(layers: Sequence[Mapping[str, Any]], arrays: Mapping[str, StoredArray]) -> Drawing:
    """The layers of a net in the file's order."""
    chain = _Chain()
    convolutions = [index for index, each in enumerate(layers) if each["type"] == "Convolution"]
    for place, layer in enumerate(layers):
        try:
            _caffe_step(chain, layer, layers[place + 1 : place + 2], arrays)
        except Unfit as fault:
            if place <= convolutions[-1] if convolutions else True:
                raise
            return chain.drawing(str(fault))
    return chain.drawing()


def _caffe_step(chain: _Chain, layer: Mapping[str, Any], following: Sequence[Mapping[str, Any]],
                arrays: Mapping[str, StoredArray]) -> None:  # fmt: skip
    kind, name, settings = layer["type"], layer["name"], layer["settings"]
    blobs = [f"{name}/{index}" for index in range(3) if f"{name}/{index}" in arrays]
    if kind in ("Convolution", "InnerProduct"):
        if len(blobs) != 2:
            raise Unfit(f"{name} lacks weights or biases")
        if kind == "Convolution" and settings:  # weights alone may be kept
            side = arrays[blobs[0]].shape[-1]
            _check_settings(layer, {"stride": 1, "pad": side // 2}, {"stride": 1, "pad": 0})
        chain.add(name, "OIHW", blobs[0], blobs[1], matrix=kind == "InnerProduct")
    elif kind == "BatchNorm" and len(blobs) == 3:
        chain.normalise(name, ())
        for blob, part in zip(blobs, ("running_mean", "running_var"), strict=False):
            chain.sources[name, part] = Source(blob, "OIHW", blobs[2])
    elif kind == "Scale" and chain.norms and len(blobs) == 2:
        for blob, part in zip(blobs, ("weight", "bias"), strict=True):
            chain.sources[chain.norms[-1], part] = Source(blob, "OIHW")
    elif kind == "ReLU":
        chain.rectify()
    elif kind == "Pooling" and settings.get("global_pooling") and settings.get("pool") == "AVE":
        chain.average = True
    elif kind == "Pooling":
        if settings:
            _check_settings(layer, {"pool": "MAX", "kernel_size": 2, "stride": 2}, {"pool": "MAX"})
        chain.pool()
    elif kind == "LRN":
        if settings:
            _check_lrn(layer, following)
        chain.respond()
    elif blobs:
        raise Unfit(f"{name} is a layer of type {kind}, which no VGG has")


def _check_lrn(layer: Mapping[str, Any], following: Sequence[Mapping[str, Any]]) -> None:
    """(2 + 5e-4 / 5 s)^-0.75, from which 2^-0.75 may be taken out into a Power layer."""
    settings = layer["settings"]
    constant = settings.get("k", 1.0)
    after = [each["settings"].get("scale", 1.0) for each in following if each["type"] == "Power"]
    known = (
        settings.get("local_size", 5) == 5
        and _near(settings.get("beta", 0.75), 0.75)
        and (_near(constant, 2) if not after else _near(constant, 1) and _near(after[0], 2**-0.75))
        and _near(settings.get("alpha", 1.0), 5e-4 / 2 * constant)
    )
    if not known:
        raise Unfit(f"{layer['name']} is not the LRN of Krizhevsky et al. 2012")


def _near(found: object, expected: float) -> bool:
    return isinstance(found, int | float) and isclose(found, expected, rel_tol=1e-5)


def _check_settings(layer: Mapping[str, Any], expected: Mapping[str, object],
                    unset: Mapping[str, object]) -> None:  # fmt: skip
    for name, value in expected.items():
        found = layer["settings"].get(name, unset.get(name))
        if found not in (value, [value, value]):
            raise Unfit(f"the {name} of {layer['name']} is {found}, not {value}")
