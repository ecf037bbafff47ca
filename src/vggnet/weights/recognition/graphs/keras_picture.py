"""What the layers before a Keras model's first convolution make of a picture.

In: layers such as Rescaling, and the operations that `preprocess_input` leaves in a model. Out: a
Preprocess, which does the same to the pixels, so that the net begins at its convolution. Exact, for
all of them are a factor and a sum for each channel, and in place of channels another order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from vggnet.preprocess import Preprocess
from vggnet.weights.recognition.graphs.keras_layers import REVERSED, KerasLayer
from vggnet.weights.recognition.naming import Unfit

_ADDED = {"Add": 1.0, "Subtract": -1.0}
_TIMES = {"Multiply": 1, "TrueDivide": -1, "Divide": -1}  # the exponent of the constant


@dataclass
class Picture:
    """Pixels of 0..255 times `factor` plus `offset`, channel by channel, R first or B first."""

    factor: list[float] = field(default_factory=lambda: [1.0] * 3)
    offset: list[float] = field(default_factory=lambda: [0.0] * 3)
    is_reversed: bool = False
    is_stated: bool = False

    def takes(self, layer: KerasLayer) -> bool:
        """Does what the layer does; False for a layer that is none of these.

        Raises Unfit where its numbers are unusable.
        """
        try:
            return self._takes(layer)
        except OverflowError:
            raise Unfit(f"{layer.name} has numbers beyond all pixels") from None

    def _takes(self, layer: KerasLayer) -> bool:
        kind, settings = layer.kind, layer.settings
        function = settings.get("function")
        if kind == REVERSED or (kind == "SlicingOpLambda" and _reverses(layer.constants)):
            self.factor.reverse()
            self.offset.reverse()
            self.is_reversed = not self.is_reversed
        elif kind == "Rescaling":
            self._apply(layer, settings.get("scale"), settings.get("offset", 0))
        elif kind == "TFOpLambda" and function == "nn.bias_add":
            self._apply(layer, 1, _setting(layer.constants, "bias"))
        elif kind in _ADDED:
            added = _constant(layer)
            self._apply(layer, 1, [_ADDED[kind] * x for x in added])
        elif kind in _TIMES:
            constant = _constant(layer)
            if 0 in constant:
                raise Unfit(f"{layer.name} has the factor 0")
            self._apply(layer, [x ** _TIMES[kind] for x in constant], 0)
        else:
            return False
        self.is_stated = True
        return True

    def _apply(self, layer: KerasLayer, factor: object, offset: object) -> None:
        factors, offsets = _three(layer, factor), _three(layer, offset)
        self.factor = [a * b for a, b in zip(self.factor, factors, strict=True)]
        self.offset = [a * b + c for a, b, c in zip(self.offset, factors, offsets, strict=True)]
        if min(self.factor) <= 0 or not all(map(math.isfinite, self.factor + self.offset)):
            raise Unfit(f"{layer.name} makes pixels times {self.factor} plus {self.offset}")

    def preprocessing(self) -> Preprocess | None:
        """The same as a value; without size. None where no layer said anything."""
        if not self.is_stated:
            return None
        factor, offset = (
            values[::-1] if self.is_reversed else values for values in (self.factor, self.offset)
        )
        scale = factor[0]
        std = [scale / each for each in factor]
        mean = [0.0 - each * s for each, s in zip(offset, std, strict=True)]
        order = "BGR" if self.is_reversed else "RGB"
        try:
            return Preprocess(None, None, scale, tuple(mean), tuple(std), order)  # type: ignore[arg-type]
        except ValueError as error:
            raise Unfit(str(error)) from None


def _three(layer: KerasLayer, value: object) -> list[float]:
    """One number for all channels, or three, in whatever lists lie around them."""
    values = [value]
    while any(isinstance(each, list) for each in values):
        values = [one for each in values for one in (each if isinstance(each, list) else [each])]
    if len(values) not in (1, 3) or any(type(each) not in (int, float) for each in values):
        raise Unfit(f"{layer.name} takes {str(value)[:60]}, which are no numbers for R, G and B")
    return [float(each) for each in values * (3 if len(values) == 1 else 1)]  # type: ignore[arg-type]


def _constant(layer: KerasLayer) -> list[float]:
    """The number that an operation takes second: [{"args": [the layer before, number]}]."""
    node = layer.constants[0] if isinstance(layer.constants, list) and layer.constants else None
    arguments = node.get("args") if isinstance(node, dict) else None
    if not isinstance(arguments, list) or len(arguments) != 2:
        raise Unfit(f"{layer.name} takes no constant")
    second = arguments[1]
    if isinstance(second, dict) and second.get("class_name") == "__tensor__":
        held = second.get("config")
        second = held.get("value") if isinstance(held, dict) else None
    return _three(layer, second)


def _setting(nodes: object, key: str) -> object:
    """An argument in the nodes of Keras 2: [["the layer before", 0, 0, {"bias": [...]}]]."""
    while isinstance(nodes, list) and nodes:
        nodes = nodes[-1]
    return nodes.get(key) if isinstance(nodes, dict) else None


def _reverses(nodes: object) -> bool:
    """Whether the last axis is taken backwards."""
    slices = _setting(nodes, "slice_spec")
    last = slices[-1] if isinstance(slices, list) and slices else None
    return isinstance(last, dict) and (last.get("start"), last.get("stop"), last.get("step")) == (
        None, None, -1,
    )  # fmt: skip
