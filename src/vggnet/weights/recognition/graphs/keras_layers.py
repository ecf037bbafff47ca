"""A Keras model's configuration -> its layers in the order in which a picture passes them.

In: the parsed JSON of Keras 1, 2 or 3, with models inside models. Out: one KerasLayer a layer; a
model that branches is none of ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vggnet.weights.recognition.naming import Unfit

_DEEPEST = 10
_OF_KERAS_1 = {"Convolution2D": "Conv2D"}
REVERSED = "reversed channels"  # what stands for the nodes that turn R, G, B round


@dataclass(frozen=True)
class KerasLayer:
    """One layer: its class, what is set in it, and the names of the models around it and itself.

    `constants` holds the numbers that an operation takes beside the layer before it.
    """

    class_name: str
    settings: Mapping[str, Any]
    names: tuple[str, ...]
    constants: object = None

    @property
    def kind(self) -> str:
        return _OF_KERAS_1.get(self.class_name, self.class_name)

    @property
    def name(self) -> str:
        return self.names[-1]

    @property
    def path(self) -> str:
        return "/".join(self.names)

    @property
    def outermost(self) -> str:
        return self.names[0]

    @property
    def depth(self) -> int:
        """In how many models it lies."""
        return len(self.names)

    @property
    def activation(self) -> str:
        """What it ends in: "linear", "relu", ...; of anything unusual, what it is called."""
        if self.kind == "Softmax":
            return "softmax"
        if self.kind == "ReLU":
            unusual = [
                k for k in ("max_value", "negative_slope", "threshold") if self.settings.get(k)
            ]
            return f"ReLU with {unusual[0]} {self.settings[unusual[0]]}" if unusual else "relu"
        found = self.settings.get("activation", "linear")
        if isinstance(found, Mapping):  # a function, or a layer
            inner = found.get("config")
            found = inner if isinstance(inner, str) else found.get("class_name")
            found = {"ReLU": "relu", "Softmax": "softmax"}.get(str(found), found)
        return "linear" if found is None else str(found)

    def numbers(self, setting: str) -> list[Any]:
        """A setting as a list: itself, or the one number that it is."""
        found = self.settings.get(setting)
        return found if isinstance(found, list) else [found]

    def check(self, expected: Mapping[str, int]) -> None:
        """Raises Unfit where a setting is there and another, in rows or columns."""
        for setting, value in expected.items():
            if setting in self.settings and set(map(str, self.numbers(setting))) != {str(value)}:
                raise Unfit(
                    f"the {setting} of {self.name} is {self.settings[setting]}, not {value}"
                )


def layers_in_order(model: object) -> list[KerasLayer]:
    """The layers of a model and of those inside. Raises Unfit where they are no chain."""
    return list(_layers(model, ()))


def _layers(model: object, around: tuple[str, ...]) -> Iterator[KerasLayer]:
    if len(around) > _DEEPEST:
        raise Unfit(f"models lie in models, more than {_DEEPEST} deep")
    inner = _settings(model)
    for layer in _path(inner) if "output_layers" in inner else _listed(inner):
        settings = _settings(layer)
        names = (*around, str(settings.get("name", layer.get("name", ""))))
        if "layers" in settings:
            yield from _layers(layer, names)
            continue
        shape = settings.get("batch_input_shape")
        if shape is not None and layer["class_name"] != "InputLayer":  # of a Sequential's first
            yield KerasLayer("InputLayer", {"batch_input_shape": shape}, names)
        yield KerasLayer(str(layer["class_name"]), settings, names, layer.get("inbound_nodes"))


def _settings(layer: object) -> Mapping[str, Any]:
    found = layer.get("config") if isinstance(layer, Mapping) else None
    if isinstance(found, list):  # a Sequential of Keras 1 and early 2
        return {"layers": found}
    if not isinstance(found, Mapping):
        raise Unfit("its configuration has a layer without settings")
    return found


def _listed(inner: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    layers = inner.get("layers")
    if not isinstance(layers, list) or not all(
        isinstance(each, Mapping) and "class_name" in each for each in layers
    ):
        raise Unfit("its configuration lists no layers")
    return layers


def _path(inner: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The layers from a model's input to its output, which must be one way."""
    layers = {str(each.get("name")): each for each in _listed(inner)}
    outputs = _names(inner["output_layers"])
    if len(outputs) != 1:
        raise Unfit(f"it has {len(outputs)} outputs ({', '.join(outputs)}), not one")
    path: list[Mapping[str, Any]] = []
    name = outputs[0]
    while True:
        layer = layers.get(name)
        if layer is None or len(path) > len(layers):
            raise Unfit(f"its configuration leads to {name}, and not on")
        before = _names(layer.get("inbound_nodes"))
        if len(before) > 1:
            layer, before = _reversal(layer, [layers.get(each) for each in before])
        path.append(layer)
        if not before:
            return path[::-1]
        name = before[0]


def _reversal(
    stack: Mapping[str, Any], slices: list[Mapping[str, Any] | None]
) -> tuple[Mapping[str, Any], list[str]]:
    """What Keras's `preprocess_input` leaves in a model: channels 2, 1 and 0, put together.

    Out: one layer that stands for them, and the layer before. Raises Unfit for any other nodes that
    take several.
    """
    name = stack.get("name")
    found = [each for each in slices if each is not None and each["class_name"] == "GetItem"]
    taken = [_last_number(each.get("inbound_nodes")) for each in found]
    before = {one for each in found for one in _names(each.get("inbound_nodes"))}
    is_last = stack["class_name"] == "Stack" and _settings(stack).get("axis") in (-1, 3)
    if not is_last or taken != [2, 1, 0] or len(slices) != 3 or len(before) != 1:
        joined = ", ".join(str(each.get("name")) for each in slices if each)
        raise Unfit(f"{name} joins {joined}: it is no chain of layers")
    return {"class_name": REVERSED, "config": {"name": name}}, list(before)


def _last_number(value: object) -> object:
    """The last plain value in nested lists and arguments: which channel a node takes."""
    while isinstance(value, list | Mapping):
        inner = value.get("args") if isinstance(value, Mapping) else value
        value = inner[-1] if isinstance(inner, list) and inner else None
    return value


def _names(value: object) -> list[str]:
    """The layers that are meant in the nodes of a layer, or in a model's outputs, each once.

    Keras 3 has tensors with a history, Keras 1 and 2 lists such as ["fc1", 0, 0, {}].
    """
    found: dict[str, None] = {}
    pending = [value]
    while pending:
        each = pending.pop()
        if isinstance(each, Mapping):
            history = each.get("config", {}).get("keras_history") if _is_tensor(each) else None
            pending += [history] if history else [each.get("args"), each.get("kwargs")]
        elif isinstance(each, list) and len(each) >= 3 and _is_name(each):
            found[each[0]] = None
        elif isinstance(each, list):
            pending += each[::-1]
    return list(found)


def _is_tensor(value: Mapping[str, Any]) -> bool:
    return value.get("class_name") == "__keras_tensor__" and isinstance(value.get("config"), dict)


def _is_name(value: list[Any]) -> bool:
    return isinstance(value[0], str) and value[0] != "_CONSTANT_VALUE" and all(
        type(number) is int for number in value[1:3]
    )  # fmt: skip
