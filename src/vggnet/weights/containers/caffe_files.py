"""Caffe's `.caffemodel`: a NetParameter in protocol buffers, and the prototxt that goes with it.

In and out: layers with their blobs. An array is named by its layer and its place there, "conv1_1/0"
(weights) and "conv1_1/1" (biases), and has the shape that the file gives: of four numbers, such as
(1, 1, 4096, 25088) for an FC layer, in files before 2014. Read are the layers of 2013 ("V1") and
today's; written are today's. Source of the field numbers: caffe.proto of BVLC/caffe.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.protobuf import protobuf
from vggnet.weights.containers.protobuf import protobuf_writer as wire
from vggnet.weights.containers.protobuf.protobuf import LENGTH, VARINT, Message
from vggnet.weights.containers.protobuf.protobuf_writer import Part
from vggnet.weights.containers.storage.mapped import map_file

NAME = "caffemodel"

Setting = bool | int | float | str  # a string is an enumerator's name
Settings = Mapping[str, Setting]

# The fields of a NetParameter, and the wire types that they come in.
_NET = {1: LENGTH, 2: LENGTH, 3: LENGTH, 4: VARINT, 5: VARINT, 6: LENGTH, 7: VARINT, 8: LENGTH,
        100: LENGTH}  # fmt: skip
_V1_LAYERS, _LAYERS = 2, 100
_V1_TYPES = {1: "Accuracy", 4: "Convolution", 5: "Data", 6: "Dropout", 8: "Flatten", 9: "HDF5Data",
             12: "ImageData", 14: "InnerProduct", 15: "LRN", 17: "Pooling", 18: "ReLU",
             20: "Softmax", 21: "SoftmaxWithLoss", 22: "Split", 23: "TanH", 24: "WindowData",
             26: "Power", 29: "MemoryData", 32: "DummyData", 36: "Silence"}  # fmt: skip


class _Kind(NamedTuple):
    """What is set in layers of a type: the message that holds it, its numbers in a layer of today
    and (0: none) of 2013, and the fields in there."""

    message: str
    number: int
    v1_number: int
    fields: dict[str, int]


_CONVOLUTION = {"num_output": 1, "pad": 3, "kernel_size": 4, "group": 5, "stride": 6, "pad_h": 9,
                "pad_w": 10, "stride_h": 13, "stride_w": 14, "dilation": 18}  # fmt: skip
_POOLING = {"pool": 1, "kernel_size": 2, "stride": 3, "pad": 4, "kernel_h": 5, "kernel_w": 6,
            "stride_h": 7, "stride_w": 8, "pad_h": 9, "pad_w": 10, "global_pooling": 12,
            "round_mode": 13}  # fmt: skip
_LRN = {"local_size": 1, "alpha": 2, "beta": 3, "norm_region": 4, "k": 5}
_PRODUCT = {"num_output": 1, "axis": 5, "transpose": 6}
_KINDS = {
    "BatchNorm": _Kind("batch_norm_param", 139, 0, {"use_global_stats": 1, "eps": 3}),
    "Convolution": _Kind("convolution_param", 106, 10, _CONVOLUTION),
    "Dropout": _Kind("dropout_param", 108, 12, {"dropout_ratio": 1}),
    "InnerProduct": _Kind("inner_product_param", 117, 17, _PRODUCT),
    "LRN": _Kind("lrn_param", 118, 18, _LRN),
    "Pooling": _Kind("pooling_param", 121, 19, _POOLING),
    "Power": _Kind("power_param", 122, 21, {"power": 1, "scale": 2, "shift": 3}),
    "ReLU": _Kind("relu_param", 123, 30, {"negative_slope": 1}),
    "Scale": _Kind("scale_param", 142, 0, {"bias_term": 4}),
}
_FLOATS = {
    "alpha",
    "beta",
    "dropout_ratio",
    "eps",
    "k",
    "negative_slope",
    "power",
    "scale",
    "shift",
}
_ENUMERATORS = {0: "MAX", 1: "AVE"}  # of `pool`


@dataclass(frozen=True)
class CaffeLayer:
    """A layer to write: `type` in Caffe's words, the names of what it takes (`bottom`) and gives
    (`top`, the layer's own name unless it works in place), and what is set in it.

    Raises ValueError for a setting that is not known of the type.
    """

    name: str
    type: str
    bottom: str
    top: str
    settings: Settings = field(default_factory=dict)
    blobs: Sequence[NDArray[np.floating]] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        known = _KINDS[self.type].fields if self.type in _KINDS else {}
        unknown = [name for name in self.settings if name not in known]
        if unknown:
            raise ValueError(f"layer {self.name!r}: {self.type} has no {', '.join(unknown)}")


def recognises(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least 64, may be a NetParameter.

    Protocol buffers have no magic number: the fields must be those of a net, and its first layer
    must begin as layers do.
    """
    try:
        for each in protobuf.fields(np.frombuffer(head, np.uint8), cut=True):
            if _NET.get(each.number) != each.wire_type:
                return False
            if isinstance(each.value, int):
                continue
            content = each.value.tobytes()
            if each.number in (1, 3) and not content.decode(errors="replace").isprintable():
                return False
            if each.number in (_V1_LAYERS, _LAYERS):
                first = next(protobuf.fields(each.value, cut=True), None)
                return first is not None and first.wire_type == LENGTH and first.number <= 4
    except ValueError:
        pass
    return False


def read(path: str | os.PathLike[str]) -> Contents:
    """The blobs of a net, as float32 or (`double_data`) float64.

    `metadata` has the net's "layers" in order, each {"name", "type", "settings"}, and the
    "input_shape" where the file gives one. Settings are those that the file has of the ones that
    can be written ("pad", "kernel_size", "pool"); one that has several values is a list.
    Raises ValueError, beginning with the path, for a file that is damaged or no NetParameter.
    """
    path = Path(path)
    data = map_file(path)
    arrays: dict[str, StoredArray] = {}
    layers: list[dict[str, object]] = []
    try:
        net = Message(data)
        for name, kind, settings, blobs in _layers(net):
            layers.append({"name": name, "type": kind, "settings": settings})
            for index, blob in enumerate(blobs):
                if f"{name}/{index}" in arrays:
                    raise ValueError(f"two layers with blobs are named {short_repr(name)}")
                try:
                    arrays[f"{name}/{index}"] = _blob(blob)
                except ValueError as error:
                    raise ValueError(f"blob {index} of {short_repr(name)}: {error}") from None
        if not layers:
            raise ValueError("it has no layers")
        metadata: dict[str, object] = {"layers": layers}
        input_shape = _input_shape(net)
    except ValueError as error:
        raise ValueError(f"{path}: not a Caffe model, or damaged: {error}") from None
    if input_shape:
        metadata["input_shape"] = list(input_shape)
    return Contents(NAME, arrays, metadata)


def _layers(net: Message) -> Iterator[tuple[str, str, dict[str, object], Iterator[Message]]]:
    """Name, type, settings and blobs of each layer."""
    for layer in net.messages(_V1_LAYERS):
        if 1 in layer:
            raise ValueError("it has the layers of 2012 (V0); run upgrade_net_proto_binary on it")
        number = layer.integer(5)
        kind = _V1_TYPES.get(number, f"V1 type {number}")
        yield layer.text(4), kind, _settings_of(layer, kind, True), layer.messages(6)
    for layer in net.messages(_LAYERS):
        kind = layer.text(2)
        yield layer.text(1), kind, _settings_of(layer, kind, False), layer.messages(7)


def _settings_of(layer: Message, kind: str, v1: bool) -> dict[str, object]:
    settings: dict[str, object] = {}
    if kind not in _KINDS:
        return settings
    message = layer.message(_KINDS[kind].v1_number if v1 else _KINDS[kind].number)
    for name, number in _KINDS[kind].fields.items():
        if number not in message:
            continue
        values: list[Any]
        if name in _FLOATS:
            values = [float(each) for each in message.numbers(number, "<f4")]
        else:
            values = message.integers(number)
        if name == "pool":
            values = [_ENUMERATORS.get(each, each) for each in values]
        settings[name] = values[0] if len(values) == 1 else values
    return settings


def _blob(blob: Message) -> StoredArray:
    numbers = blob.numbers(8, "<f8") if 8 in blob else blob.numbers(5, "<f4")
    if any(number in blob for number in (1, 2, 3, 4)):
        sides = [blob.integer(number) for number in (1, 2, 3, 4)]
        shape = protobuf.check_shape(sides)
    else:
        shape = blob.message(7).shape(1)
    if math.prod(shape) != numbers.size:
        raise ValueError(f"its shape is {shape}, and it holds {numbers.size:,} numbers")
    return StoredArray(shape, numbers.dtype, _reshaped(numbers, shape))


def _reshaped(numbers: NDArray[Any], shape: tuple[int, ...]) -> Callable[[], NDArray[Any]]:
    return lambda: numbers.reshape(shape)


def _input_shape(net: Message) -> tuple[int, ...]:
    """What the first input is declared to be: in the net, or in a layer of type Input."""
    if 4 in net:
        return net.shape(4)
    for shape in net.messages(8):
        return shape.shape(1)
    for layer in net.messages(_LAYERS):
        for shape in layer.message(143).messages(1):
            return shape.shape(1)
    return ()


def write(
    path: str | os.PathLike[str],
    name: str,
    input_shape: Sequence[int],
    layers: Sequence[CaffeLayer],
) -> None:
    """Writes a net, whole or not at all: its input is named "data", its blobs are float32."""
    parts: list[Part] = [wire.text(1, name), wire.text(3, "data")]
    parts += wire.nested(8, [wire.packed(1, input_shape)])
    for layer in layers:
        parts += wire.nested(_LAYERS, _layer(layer))
    wire.write(Path(path), parts)


def _layer(layer: CaffeLayer) -> list[Part]:
    parts: list[Part] = [
        wire.text(1, layer.name),
        wire.text(2, layer.type),
        wire.text(3, layer.bottom),
        wire.text(4, layer.top),
    ]
    for blob in layer.blobs:
        numbers = wire.nested(5, [np.asarray(blob, "<f4")])
        parts += wire.nested(7, [*numbers, *wire.nested(7, [wire.packed(1, blob.shape)])])
    if layer.settings:
        kind = _KINDS[layer.type]
        settings = [_setting(kind.fields[name], v) for name, v in layer.settings.items()]
        parts += wire.nested(kind.number, settings)
    return parts


def _setting(number: int, value: Setting) -> bytes:
    if isinstance(value, float):
        return wire.real(number, value)
    if isinstance(value, str):
        value = next(each for each, name in _ENUMERATORS.items() if name == value)
    return wire.integer(number, value)


def prototxt(name: str, input_shape: Sequence[int], layers: Sequence[CaffeLayer]) -> str:
    """The same net in text, without blobs: what Caffe and OpenCV want beside a `.caffemodel`."""
    dims = " ".join(f"dim: {side}" for side in input_shape)
    lines = [f"name: {_quoted(name)}", 'input: "data"', f"input_shape {{ {dims} }}"]
    for layer in layers:
        lines.append("layer {")
        for key in ("name", "type", "bottom", "top"):
            lines.append(f"  {key}: {_quoted(getattr(layer, key))}")
        if layer.settings:
            settings = " ".join(f"{k}: {_spelled(v)}" for k, v in layer.settings.items())
            lines.append(f"  {_KINDS[layer.type].message} {{ {settings} }}")
        lines.append("}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _spelled(value: Setting) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
