"""The layers of a Keras model as a chain.

In: the configuration that a `.keras` file and a whole-model `.h5` hold, of Keras 1, 2 or 3, and the
file's arrays. Out: a Drawing. Models inside models are followed, and what does nothing outside
training is passed over. Source: the layers' `get_config` and documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.recognition.graphs.chain import Chain, Drawing
from vggnet.weights.recognition.graphs.keras_layers import KerasLayer, layers_in_order
from vggnet.weights.recognition.graphs.keras_picture import Picture
from vggnet.weights.recognition.naming import Unfit

_TRAINING_ONLY = {"ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout",
                  "GaussianNoise", "Identity", "SpatialDropout2D"}  # fmt: skip
_TO_A_SIZE = {"CenterCrop", "RandomCrop", "Resizing"}  # of which a picture of that size stays as is

# What a weight is called: by Keras 2 and 3, by Keras 1, and by its place in Keras 3's tree.
_ROLES = {
    "weight": ("kernel", "W", "0"), "bias": ("bias", "b", "1"),
    "gamma": ("gamma", "gamma", "0"), "beta": ("beta", "beta", "1"),
    "mean": ("moving_mean", "running_mean", "2"),
    "variance": ("moving_variance", "running_std", "3"),
}  # fmt: skip


def keras_net(contents: Contents) -> Drawing:
    """Raises Unfit where the layers are no VGG's."""
    layers = layers_in_order(contents.metadata["model_config"])
    net = _Net(contents.arrays)
    last = max((i for i, each in enumerate(layers) if each.kind == "Conv2D"), default=-1)
    for place, layer in enumerate(layers):
        try:
            net.take(layer)
        except Unfit as fault:
            if place <= last or last < 0 or net.ends_in_convolution:
                raise
            return net.drawing(str(fault))
    return net.drawing()


class _Net:
    """A chain, and what Keras says beside it: what happens to the picture, edges, flatness."""

    def __init__(self, arrays: Mapping[str, StoredArray]) -> None:
        self.chain = Chain(layout="HWIO")
        self.picture = Picture()
        self.arrays = arrays
        self.by_layer = _by_layer(arrays)
        self.edges = [0, 0, 0, 0]  # zeros around the map: top, bottom, left, right
        self.flat = False  # whether rows, columns and channels have become one axis

    @property
    def ends_in_convolution(self) -> bool:
        """Whether what follows the last convolution was not its ReLU."""
        return bool(self.chain.linear) and self.chain.linear in self.chain.stages[-1]

    def drawing(self, fault: str = "") -> Drawing:
        drawing = self.chain.drawing(fault)
        return replace(drawing, preprocessing=self.picture.preprocessing())

    def take(self, layer: KerasLayer) -> None:
        """The next layer."""
        kind, settings, chain = layer.kind, layer.settings, self.chain
        if any(self.edges) and kind not in ("Conv2D", "ZeroPadding2D"):
            raise Unfit(f"zeros are put around what {layer.name} takes")
        if settings.get("data_format", settings.get("dim_ordering")) in ("channels_first", "th"):
            raise Unfit(f"{layer.name} is given channels first")
        if kind == "InputLayer":
            self._begin(layer)
        elif kind in _TRAINING_ONLY or (kind.startswith("Random") and kind not in _TO_A_SIZE):
            return
        elif kind in _TO_A_SIZE:
            chain.input_size = _square(layer, (settings.get("height"), settings.get("width")))
        elif not chain.sources and self.picture.takes(layer):
            return
        elif kind == "ZeroPadding2D":
            self.edges = [
                a + b for a, b in zip(self.edges, _four_edges(layer, "padding"), strict=True)
            ]
        elif kind == "Conv2D":
            self._convolve(layer)
        elif kind == "Dense":
            if not self.flat:
                raise Unfit(f"nothing flattens the map before {layer.name}")
            self._check_width(layer)
            weight, bias = self._named(layer, "weight", "bias")
            if not bias:
                raise Unfit(f"{layer.name} has no bias")
            chain.multiply(layer.path, "HWIO", weight, bias)
            self._activate(layer)
        elif kind == "BatchNormalization":
            self._normalise(layer)
        elif kind in ("Activation", "ReLU", "Softmax"):
            self._activate(layer)
        elif kind == "MaxPooling2D":
            self._pool(layer)
        elif kind == "GlobalAveragePooling2D":
            chain.mean()
            self.flat = not settings.get("keepdims")
        elif kind == "Flatten" or (kind == "Reshape" and len(layer.numbers("target_shape")) == 1):
            self.flat = True
        else:
            raise Unfit(f"{layer.name} is a layer of type {layer.class_name}, which no VGG has")

    def _begin(self, layer: KerasLayer) -> None:
        """The picture's size, which the models inside a model may say again."""
        shape = layer.settings.get("batch_shape", layer.settings.get("batch_input_shape"))
        known = self.chain.sources or self.chain.input_size
        if isinstance(shape, list) and len(shape) == 4 and not known:
            if shape[3] != 3:
                raise Unfit(f"its pictures have {shape[3]} channels, not 3")
            if shape[1:3] != [None, None]:
                self.chain.input_size = _square(layer, shape[1:3])

    def _convolve(self, layer: KerasLayer) -> None:
        layer.check({"strides": 1, "subsample": 1, "dilation_rate": 1, "groups": 1})
        weight, bias = self._named(layer, "weight", "bias")
        sides = self.arrays[weight].shape[:2]
        padding = list(self.edges)
        kind = layer.settings.get("padding", layer.settings.get("border_mode", "valid"))
        if kind == "same" and all(side % 2 for side in sides):
            padding = [
                edge + side // 2
                for edge, side in zip(padding, (sides[0],) * 2 + (sides[1],) * 2, strict=True)
            ]
        elif kind != "valid":
            raise Unfit(f"the padding of {layer.name} is {kind}")
        self.edges = [0, 0, 0, 0]
        num_matrices = len(self.chain.matrices)
        self.chain.convolve(layer.path, sides, padding, weight, bias)
        if len(self.chain.matrices) > num_matrices:
            self._check_side(layer, sides[0])
        self._activate(layer)

    def _check_side(self, layer: KerasLayer, side: int) -> None:
        """Raises Unfit where the first FC layer takes a part of the map alone."""
        found = self._map_side()
        if len(self.chain.matrices) == 1 and found not in (None, side):
            raise Unfit(f"{layer.name} takes {side} x {side} of a map of {found} x {found}")

    def _check_width(self, layer: KerasLayer) -> None:
        """The same of one that is no convolution."""
        side, kernels = self._map_side(), [name for stage in self.chain.stages for name in stage]
        if side is None or self.chain.matrices or not kernels:
            return
        channels = self.arrays[self.chain.sources[kernels[-1], "weight"].name].shape[-1]
        (weight,) = self._named(layer, "weight")
        if self.arrays[weight].shape[0] != side * side * channels:
            raise Unfit(
                f"{layer.name} takes {self.arrays[weight].shape[0]:,} numbers and is given "
                f"{side} x {side} x {channels}"
            )

    def _map_side(self) -> int | None:
        """Of the map behind the last pool or average; None where no picture's size is stated."""
        if self.chain.average:
            return 1
        size = self.chain.input_size
        return None if size is None else size // 2 ** (len(self.chain.stages) - 1)

    def _normalise(self, layer: KerasLayer) -> None:
        if not self.chain.stages[-1] or self.chain.linear != self.chain.stages[-1][-1]:
            raise Unfit(f"{layer.name}, a batch norm, follows no convolution")
        axis = layer.settings.get("axis", -1)
        if axis not in (-1, 3, [-1], [3]):
            raise Unfit(f"{layer.name} is over axis {axis}, which are not the channels")
        names = self._named(layer, "gamma", "beta", "mean", "variance")
        if "" in names:
            raise Unfit(f"{layer.name} lacks gamma, beta, mean or variance")
        parts = dict(zip(("weight", "bias", "running_mean", "running_var"), names, strict=True))
        self.chain.normalise(parts, layer.settings.get("epsilon", 1e-3))

    def _pool(self, layer: KerasLayer) -> None:
        layer.check({"pool_size": 2})
        if layer.settings.get("strides") is not None:
            layer.check({"strides": 2})
        kind = layer.settings.get("padding", layer.settings.get("border_mode", "valid"))
        self.chain.rounds_up |= kind == "same"
        self.chain.pool()

    def _activate(self, layer: KerasLayer) -> None:
        name = layer.activation
        if name == "relu":
            self.chain.rectify()
        elif name in ("softmax", "log_softmax", "sigmoid") and self.chain.matrices:
            self.chain.answers(f"the {name} of {layer.name}", name == "sigmoid")
        elif name != "linear":
            raise Unfit(f"{layer.name} ends in {name}, where a VGG has ReLU")

    def _named(self, layer: KerasLayer, *parts: str) -> list[str]:
        """The names of the layer's arrays; of a part that it lacks, ""."""
        holders = self.by_layer.get(layer.name) or self._in_its_group(layer)
        if len(holders) > 1:  # layers of that name in several models
            top = f"model_weights/{layer.outermost}/"
            within = {h: of for h, of in holders.items() if h.startswith(top)}
            deep = {h: of for h, of in holders.items() if h.count("layers/") == layer.depth}
            holders = within if len(within) == 1 else deep
        if len(holders) != 1:
            raise Unfit(f"it has {len(holders)} layers with arrays called {layer.name}, not one")
        (roles,) = holders.values()
        found = [next((roles[r] for r in _ROLES[part] if r in roles), "") for part in parts]
        if not found[0]:
            raise Unfit(f"it lacks the {parts[0]} of {layer.name}")
        return found

    def _in_its_group(self, layer: KerasLayer) -> dict[str, dict[str, str]]:
        """Arrays that early TensorFlow called otherwise, "conv_1/kernel" in the group of "conv"."""
        top = f"model_weights/{layer.path}/"
        return {
            group: roles
            for groups in self.by_layer.values()
            for group, roles in groups.items()
            if group.startswith(top)
        }


def _by_layer(arrays: Mapping[str, StoredArray]) -> dict[str, dict[str, dict[str, str]]]:
    """A layer's name -> the groups of that name -> what its arrays are -> their names."""
    layers: dict[str, dict[str, dict[str, str]]] = {}
    inside = [name for name in arrays if name.startswith("model_weights/")]
    for name in inside or arrays:  # beside it an optimizer has arrays of its own
        group, _, role = name.removesuffix(":0").rpartition("/")
        group = group.removesuffix("/vars")
        layer = group.rpartition("/")[2]
        if role.startswith(f"{layer}_"):  # Keras 1
            role = role.removeprefix(f"{layer}_").removesuffix("_1")
        layers.setdefault(layer, {}).setdefault(group, {})[role] = name
    return layers


def _square(layer: KerasLayer, sides: Sequence[Any]) -> int:
    if len(sides) != 2 or sides[0] != sides[1] or not isinstance(sides[0], int) or sides[0] < 1:
        raise Unfit(f"{layer.name} gives pictures of {sides[0]} x {sides[1]}, which are no square")
    return int(sides[0])


def _four_edges(layer: KerasLayer, name: str) -> list[int]:
    """Of top, bottom, left and right: one number, two, or two pairs."""
    found = layer.settings.get(name)
    pair = found if isinstance(found, list) and len(found) == 2 else [found, found]
    edges: list[Any] = [each for of in pair for each in (of if isinstance(of, list) else [of, of])]
    if len(edges) != 4 or not all(type(each) is int and 0 <= each < 1000 for each in edges):
        raise Unfit(f"the {name} of {layer.name} is {found}")
    return edges
