"""One unit of a network: what it can see of a picture, what it does see, and how it comes about.

In: a Spec or a Model, a layer's name and a position in its map. Out: the receptive field as a frame
on the picture; the effective field, measured; a convolution's value as patch x kernel; where in
several pictures a channel is largest. Source: Luo et al. 2016, arXiv 1701.04128, for the effective
field; Zeiler and Fergus 2013, arXiv 1311.2901, for what excites a channel most.

Shapes: N pictures, C channels in, H and W rows and columns of the picture, Y and X of a kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.analysis import analyze
from vggnet.attribution import batch_size, torch_network_of
from vggnet.engines.checks import check_images
from vggnet.layers import Layer
from vggnet.model import Model
from vggnet.spec import Spec

FieldMethod = Literal["gradient", "blocks"]
# Luo et al.: a pixel counts that has more than 1 - 95.45% of the largest effect.
_COUNTS_FROM = 1 - 0.9545


@dataclass(frozen=True)
class Field:
    """The pixels that a unit can see: rows from `top` to below `bottom`, columns alike.

    It may reach over the picture's border, where the unit sees padding.
    """

    top: int
    left: int
    bottom: int
    right: int

    def cut(self, height: int, width: int) -> Field:
        """The part within a picture of that size."""
        return Field(
            max(self.top, 0), max(self.left, 0), min(self.bottom, height), min(self.right, width)
        )

    def on(self, photograph: Image.Image, height: int, width: int) -> Image.Image:
        """The photograph with the field as a frame; the network was given height x width pixels."""
        from vggnet.drawing.maps import framed

        part = self.cut(height, width)
        rows, columns = photograph.height / height, photograph.width / width
        box = (part.left * columns, part.top * rows, part.right * columns, part.bottom * rows)
        return framed(photograph, box)


def field_of(
    spec: Spec, layer: str, row: int, column: int, size: tuple[int, int] | None = None
) -> Field:
    """What the unit at (row, column) of a layer's map can see of a picture of `size` pixels.

    `size` is (height, width), by default the spec's own. Raises ValueError for a layer that there
    is not and a position outside its map.
    """
    spec.check_names([layer])
    analysis = analyze(spec, size)
    cost = next(each for each in analysis.layers if each.name == layer)
    _check_position(spec, layer, cost.output[1:], row, column)
    reach = (cost.receptive_field - 1) / 2

    def first(position: int) -> int:
        return round(cost.field_offset + position * cost.jump - reach)

    top, left = first(row), first(column)
    return Field(top, left, top + cost.receptive_field, left + cost.receptive_field)


@dataclass(frozen=True, eq=False)
class UnitSum:
    """The value of a convolution's unit before its ReLU: the sum of patch x kernel, and the bias.

    `patch_CYX` is what the unit is given, zeros where it reaches into the padding.
    """

    patch_CYX: NDArray[np.float32]
    kernel_CYX: NDArray[np.float32]
    bias: float

    @property
    def products_CYX(self) -> NDArray[np.float32]:
        return self.patch_CYX * self.kernel_CYX

    @property
    def value(self) -> float:
        return float(self.products_CYX.sum(dtype=np.float64)) + self.bias


def unit_sum(
    model: Model, image_CHW: NDArray[np.floating], layer: str, channel: int, row: int, column: int
) -> UnitSum:
    """How the unit of a convolution comes to its value for a preprocessed picture.

    Batch norm is folded into the weights, as it is in the model. Raises ValueError for a layer that
    is no convolution, and for a channel or position that it does not have.
    """
    spec = model.spec
    spec.check_names([layer])
    layers = spec.layers_at(*image_CHW.shape[1:])
    number = spec.layer_names.index(layer)
    found = layers[number]
    if found.kind != "conv":
        raise ValueError(f"layer {layer!r} is {found.kind}; name a convolution, such as conv1_1")
    if not 0 <= channel < found.output[0]:
        raise ValueError(f"channel {channel} of {layer} must be from 0 to {found.output[0] - 1}")
    _check_position(spec, layer, found.output[1:], row, column)
    inputs_CHW = image_CHW
    if number:
        before = layers[number - 1].name
        inputs_CHW = model.features(image_CHW[np.newaxis], [before])[before][0]
    padded = np.pad(inputs_CHW, ((0, 0), *[(found.padding, found.padding)] * 2))
    top, left = row * found.stride, column * found.stride
    patch = padded[:, top : top + found.kernel, left : left + found.kernel]
    kernel = model.weights.state[f"{layer}.weight"][channel]
    bias = float(model.weights.state[f"{layer}.bias"][channel])
    return UnitSum(np.asarray(patch, np.float32), np.asarray(kernel, np.float32), bias)


@dataclass(frozen=True)
class Patch:
    """Where a channel is large: which picture, from 0 on, the position, the value, what it sees."""

    image: int
    row: int
    column: int
    value: float
    field: Field


def most_exciting(
    model: Model,
    images_CHW: Iterable[NDArray[np.floating]],
    layer: str,
    channel: int,
    top: int = 9,
) -> list[Patch]:
    """The `top` places in preprocessed pictures where a channel is largest, the largest first.

    Of two in one picture whose fields share more than half of their side in both directions only
    the larger one counts, and where the channel is 0 after a ReLU nothing does. One picture is
    computed at a time. Raises ValueError for a layer or channel that there is not.
    """
    model.spec.check_names([layer])
    if top < 1:
        raise ValueError(f"top {top} must be at least 1")
    found: list[Patch] = []
    for number, image_CHW in enumerate(images_CHW):
        size = (image_CHW.shape[1], image_CHW.shape[2])
        cost = next(each for each in analyze(model.spec, size).layers if each.name == layer)
        if not 0 <= channel < cost.output[0]:
            raise ValueError(f"channel {channel} of {layer} must be from 0 to {cost.output[0] - 1}")
        maps_CHW = model.features(image_CHW[np.newaxis], [layer])[layer][0]
        map_HW = maps_CHW[channel].reshape(cost.output[1:]).astype(np.float64)
        if cost.type == "relu":
            map_HW[map_HW == 0] = -np.inf
        apart = max(1, -(-cost.receptive_field // (2 * cost.jump)))  # positions
        for _ in range(top):
            row, column = divmod(int(map_HW.argmax()), map_HW.shape[1])
            value = float(map_HW[row, column])
            if value == -np.inf:
                break
            field = field_of(model.spec, layer, row, column, size)
            found.append(Patch(number, row, column, value, field))
            rows, columns = (slice(max(0, at - apart + 1), at + apart) for at in (row, column))
            map_HW[rows, columns] = -np.inf
    return sorted(found, key=lambda each: -each.value)[:top]


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """How strongly the unit in the middle of a map depends on each pixel, the largest being 1.

    `theoretical` is what it can see, `effective` what it does see: the side in pixels of the square
    with as many pixels as have more than 4.55% of the largest effect.
    """

    layer: str
    values_HW: NDArray[np.float32]
    field: Field
    method: FieldMethod

    @property
    def theoretical(self) -> int:
        return self.field.bottom - self.field.top

    @property
    def effective(self) -> float:
        return float(np.sqrt((self.values_HW > _COUNTS_FROM).sum()))

    def picture(self) -> Image.Image:
        """The effect in colours, the theoretical field as a frame."""
        from vggnet.drawing.maps import captioned, overlay

        height, width = self.values_HW.shape
        factor = max(1, 448 // max(height, width))
        blank = Image.new("RGB", (width * factor, height * factor))
        shown = self.field.on(overlay(blank, self.values_HW, strength=1), height, width)
        text = f"0 to 1; {self.layer} can see {self.theoretical}, sees {self.effective:.0f} pixels"
        return captioned(shown, text, "viridis")

    def _repr_png_(self) -> bytes:
        from vggnet.drawing.maps import png

        return png(self.picture())


def effective_field(
    model: Model,
    images_NCHW: NDArray[np.floating],
    layer: str,
    method: FieldMethod | None = None,
    most_blocks: int = 24,
) -> EffectiveField:
    """The effective field of the unit in the middle of a layer's map, the mean over pictures.

    "gradient": |d sum / d pixel|, summed over colours, of the sum of the unit's channels; by torch.
    "blocks": how far the unit's channels move (the root of the sum of squares) where a block of
    pixels, at most `most_blocks` a side of the field, has the training pictures' mean colour; by
    the engine. None is the gradient where torch is installed. Raises ValueError for a layer without
    a map, pictures that the net cannot take or none, a method that there is not, and "gradient"
    without torch.
    """
    spec = model.spec
    check_has_map(spec, layer)
    images_NCHW = check_images(spec, images_NCHW)
    if not len(images_NCHW):
        raise ValueError("an effective field needs at least one picture")
    height, width = images_NCHW.shape[2:]
    layers: dict[str, Layer] = {each.name: each for each in spec.layers_at(height, width)}
    rows, columns = layers[layer].output[1:]
    row, column = rows // 2, columns // 2
    field = field_of(spec, layer, row, column, (height, width))
    if method is None:
        from vggnet.engines import available

        method = "gradient" if available()["torch"] is None else "blocks"
    if method == "gradient":
        effect_HW = _by_gradient(model, images_NCHW, layer, row, column)
    elif method == "blocks":
        effect_HW = _by_blocks(
            model, images_NCHW, layer, row, column, field.cut(height, width), most_blocks
        )
    else:
        raise ValueError(f"method {method!r} must be gradient or blocks")
    largest = float(effect_HW.max())
    if largest > 0:
        effect_HW = effect_HW / largest
    return EffectiveField(layer, np.asarray(effect_HW, np.float32), field, method)


def check_has_map(spec: Spec, layer: str) -> None:
    """Raises ValueError for a layer that there is not, or that has no map."""
    spec.check_names([layer])
    if spec.layers[spec.layer_names.index(layer)].kind in ("fc", "softmax", "avgpool"):
        raise ValueError(f"layer {layer!r} has no map; name one before the head, such as pool1")


def _by_gradient(
    model: Model, images_NCHW: NDArray[np.floating], layer: str, row: int, column: int
) -> NDArray[np.floating]:
    network = torch_network_of(model, "the effective field by gradient")
    import torch

    images = torch.tensor(np.asarray(images_NCHW, np.float32), requires_grad=True)
    found_NC = network.features(images, [layer])[layer][:, :, row, column]
    found_NC.sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    effect_HW: NDArray[np.float32] = images.grad.abs().sum(dim=1).mean(dim=0).numpy()
    return effect_HW


def _by_blocks(
    model: Model,
    images_NCHW: NDArray[np.floating],
    layer: str,
    row: int,
    column: int,
    field: Field,
    most_blocks: int,
) -> NDArray[np.floating]:
    blocks = list(_blocks(field, most_blocks))
    effect_HW = np.zeros(images_NCHW.shape[2:], np.float64)
    for image_CHW in images_NCHW:
        before_C = model.features(image_CHW[np.newaxis], [layer])[layer][0, :, row, column]
        most = batch_size(image_CHW)
        for start in range(0, len(blocks), most):
            hidden = blocks[start : start + most]
            batch = np.repeat(image_CHW[np.newaxis], len(hidden), axis=0)
            for picture_CHW, (rows, columns) in zip(batch, hidden, strict=True):
                picture_CHW[:, rows, columns] = 0  # the mean: it was subtracted
            after_NC = model.features(batch, [layer])[layer][:, :, row, column]
            for block, moved in zip(
                hidden, np.linalg.norm(after_NC - before_C, axis=1), strict=True
            ):
                effect_HW[block] += moved
    return effect_HW


def _blocks(field: Field, most: int) -> Iterator[tuple[slice, slice]]:
    """Squares of equal size that cover the field; those at its end are cut."""
    side = max(field.bottom - field.top, field.right - field.left)
    step = max(1, -(-side // most))
    for top in range(field.top, field.bottom, step):
        for left in range(field.left, field.right, step):
            yield (
                slice(top, min(top + step, field.bottom)),
                slice(left, min(left + step, field.right)),
            )


def _check_position(spec: Spec, layer: str, sides: tuple[int, ...], row: int, column: int) -> None:
    rows, columns = sides
    if not (0 <= row < rows and 0 <= column < columns):
        raise ValueError(
            f"spec {spec.name!r}: the map of {layer} is {rows} x {columns} here and has no "
            f"position ({row}, {column})"
        )
