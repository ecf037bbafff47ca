"""ONNX: a ModelProto in protocol buffers, its arrays and its graph.

In and out: the graph's initialisers and constants by the names that the file gives them, and its
nodes, so that a convention can follow them from the picture on. Tensors may lie as raw bytes or in
their typed fields. Neither is the `onnx` package needed nor is anything computed.
Source of the field numbers: onnx.proto of onnx/onnx.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.containers.protobuf import protobuf
from vggnet.weights.containers.protobuf import protobuf_writer as wire
from vggnet.weights.containers.protobuf.protobuf import LENGTH, VARINT, Message
from vggnet.weights.containers.protobuf.protobuf_writer import Part
from vggnet.weights.containers.storage.mapped import map_file
from vggnet.weights.containers.storage.stored import widen_bfloat16

NAME = "onnx"
IR_VERSION, OPSET = 8, 13  # what is written: ONNX 1.10, of 2021

# The fields of a ModelProto, and the wire types that they come in.
_MODEL = {1: VARINT, 2: LENGTH, 3: LENGTH, 4: LENGTH, 5: VARINT, 6: LENGTH, 7: LENGTH, 8: LENGTH,
          14: LENGTH, 20: LENGTH, 25: LENGTH, 26: LENGTH}  # fmt: skip
_FLOAT, _FLOAT16, _BFLOAT16 = 1, 10, 16
# Of a TensorProto's data types: how raw bytes are read, and the field that holds them otherwise.
_TYPES = {
    1: ("<f4", 4), 2: ("u1", 5), 3: ("i1", 5), 4: ("<u2", 5), 5: ("<i2", 5), 6: ("<i4", 5),
    7: ("<i8", 7), 9: ("?", 5), 10: ("<f2", 5), 11: ("<f8", 10), 12: ("<u4", 11), 13: ("<u8", 11),
    16: ("<u2", 5),
}  # fmt: skip

Attribute = int | float | Sequence[int]


@dataclass(frozen=True)
class Node:
    """One operation of a graph to write, in ONNX's words."""

    op_type: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph to write. Inputs and outputs are float32; a side that is a name has any size."""

    name: str
    nodes: Sequence[Node]
    initialisers: Mapping[str, NDArray[np.floating]] = field(repr=False)
    inputs: Mapping[str, Sequence[int | str]]
    outputs: Mapping[str, Sequence[int | str]]


def recognises(head: bytes) -> bool:
    """Whether a file that begins with these bytes, at least 64, may be a ModelProto.

    Protocol buffers have no magic number: first comes the version, of small numbers, then other
    fields of a model.
    """
    numbers = []
    try:
        for each in protobuf.fields(np.frombuffer(head, np.uint8), cut=True):
            if _MODEL.get(each.number) != each.wire_type:
                return False
            if each.number == 1 and not (isinstance(each.value, int) and 1 <= each.value < 1000):
                return False
            numbers.append(each.number)
    except ValueError:
        return False
    return numbers[:1] == [1] and len(numbers) > 1


def read(path: str | os.PathLike[str]) -> Contents:
    """The initialisers of a graph, and what its Constant nodes hold under their outputs' names.

    `metadata` has "inputs" {name: shape, with names or None for free sides}, "properties" {key:
    text} and "nodes", in the graph's order: each {"op_type", "name", "inputs", "outputs",
    "attributes"}, of which those that are numbers, lists of integers or texts.
    Raises ValueError, beginning with the path, for a file that is damaged, no model or in parts.
    """
    path = Path(path)
    data = map_file(path)
    try:
        model = Message(data)
        if 7 not in model:
            raise ValueError("it has no graph")
        graph = model.message(7)
        arrays: dict[str, StoredArray] = {}
        for tensor in graph.messages(5):
            _add(arrays, tensor.text(8), tensor)
        nodes = []
        for node in graph.messages(1):
            nodes.append(_read_node(node))
            if nodes[-1]["op_type"] == "Constant":
                for tensor in (t for attribute in node.messages(5) for t in attribute.messages(5)):
                    _add(arrays, (node.texts(2) or [""])[0], tensor)
        # Files before IR 4 list the initialisers among the inputs too.
        metadata = {
            "properties": {each.text(1): each.text(2) for each in model.messages(14)},
            "inputs": {name: shape for name, shape in _inputs(graph) if name not in arrays},
            "nodes": nodes,
        }
    except ValueError as error:
        raise ValueError(f"{path}: not an ONNX model, or damaged: {error}") from None
    return Contents(NAME, arrays, metadata)


def _read_node(node: Message) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for attribute in node.messages(5):
        name = attribute.text(1)
        if 8 in attribute:
            attributes[name] = attribute.integers(8)
        elif 3 in attribute:
            attributes[name] = attribute.integer(3)
        elif 2 in attribute:
            attributes[name] = [float(value) for value in attribute.numbers(2, "<f4")][-1]
        elif 4 in attribute:
            attributes[name] = attribute.text(4)
    return {
        "op_type": node.text(4), "name": node.text(3), "inputs": node.texts(1),
        "outputs": node.texts(2), "attributes": attributes,
    }  # fmt: skip


def _inputs(graph: Message) -> Iterator[tuple[str, list[int | str | None]]]:
    """Name and shape of each."""
    for port in graph.messages(11):
        shape = port.message(2).message(1).message(2)
        yield (
            port.text(1),
            [side.integer(1) if 1 in side else side.text(2) or None for side in shape.messages(1)],
        )


def _add(arrays: dict[str, StoredArray], name: str, tensor: Message) -> None:
    try:
        if not name or name in arrays:
            raise ValueError("two have this name" if name else "it has no name")
        arrays[name] = _stored(tensor)
    except ValueError as error:
        raise ValueError(f"initialiser {short_repr(name)}: {error}") from None


def _stored(tensor: Message) -> StoredArray:
    if tensor.integer(14) == 1 or 13 in tensor:
        raise ValueError("it lies in another file; save the model in one, without external data")
    kind, shape = tensor.integer(2), tensor.shape(1)
    if kind not in _TYPES or 3 in tensor:
        raise ValueError(f"data type {kind} is not read, nor are segments; export it in float32")
    numbers = _numbers(tensor, kind)
    if math.prod(shape) != numbers.size:
        raise ValueError(f"its shape is {shape}, and it holds {numbers.size:,} numbers")
    if kind == _BFLOAT16:  # the upper half of a float32
        widened = np.dtype(np.float32)
        return StoredArray(shape, widened, lambda: widen_bfloat16(numbers).reshape(shape))
    return StoredArray(shape, numbers.dtype, lambda: numbers.reshape(shape))


def _numbers(tensor: Message, kind: int) -> NDArray[Any]:
    code, number = _TYPES[kind]
    if 9 in tensor:
        content = tensor.content(9)
        if content.size % np.dtype(code).itemsize:
            raise ValueError(f"{content.size:,} bytes are no whole number of its elements")
        return content.view(code)
    if number in (4, 10):
        return tensor.numbers(number, code)
    values = tensor.varints(number)
    return values.astype("<u2").view(code) if kind in (_FLOAT16, _BFLOAT16) else values.astype(code)


def write(
    path: str | os.PathLike[str],
    graph: Graph,
    properties: Mapping[str, str] | None = None,
) -> None:
    """Writes a graph, whole or not at all, and `properties` beside it; arrays become float32."""
    body: list[Part] = []
    for node in graph.nodes:
        body += wire.nested(1, _node(node))
    body.append(wire.text(2, graph.name))
    for name, array in graph.initialisers.items():
        head = [*(wire.integer(1, side) for side in array.shape), wire.integer(2, _FLOAT)]
        content = wire.nested(9, [np.asarray(array, "<f4")])
        body += wire.nested(5, [*head, wire.text(8, name), *content])
    for number, ports in ((11, graph.inputs), (12, graph.outputs)):
        for name, shape in ports.items():
            body += wire.nested(number, _port(name, shape))
    parts: list[Part] = [wire.integer(1, IR_VERSION), wire.text(2, "vggnet")]
    parts += wire.nested(7, body)
    parts += wire.nested(8, [wire.text(1, ""), wire.integer(2, OPSET)])
    for key, value in (properties or {}).items():
        parts += wire.nested(14, [wire.text(1, key), wire.text(2, value)])
    wire.write(Path(path), parts)


def _node(node: Node) -> list[Part]:
    parts: list[Part] = [wire.text(1, name) for name in node.inputs]
    parts += [wire.text(2, name) for name in node.outputs]
    parts += [wire.text(3, node.outputs[0]), wire.text(4, node.op_type)]
    for name, value in node.attributes.items():
        if isinstance(value, float):
            content = [wire.real(2, value), wire.integer(20, 1)]
        elif isinstance(value, int):
            content = [wire.integer(3, value), wire.integer(20, 2)]
        else:
            content = [*(wire.integer(8, each) for each in value), wire.integer(20, 7)]
        parts += wire.nested(5, [wire.text(1, name), *content])
    return parts


def _port(name: str, shape: Sequence[int | str]) -> list[Part]:
    sides: list[Part] = []
    for side in shape:
        sides += wire.nested(
            1, [wire.text(2, side) if isinstance(side, str) else wire.integer(1, side)]
        )
    tensor = wire.nested(1, [wire.integer(1, _FLOAT), *wire.nested(2, sides)])
    return [wire.text(1, name), *wire.nested(2, tensor)]
