"""What on a photograph made a network say so.

In: a Model and a picture. Out: an Explanation: the answers, and a map for each method of how much
each place speaks for a class.

    grad-cam   Selvaraju et al. 2016, arXiv 1610.02391: the maps of the last convolution, each times
               the mean of the class score's gradient over it, summed; what is below 0 is cut off
    occlusion  Zeiler and Fergus 2013, arXiv 1311.2901: how far the probability falls where a patch
               of mean colour hides the place; below 0 where it rises
    gradient   Simonyan et al. 2013, arXiv 1312.6034: the largest absolute derivative of the class
               score by the three colours of a pixel; by torch

A net that ends in a global average answers at its own size, where its last maps are small; for
Grad-CAM it is given the same view in more pixels, so that the map has at least 14 positions a side.

Shapes: C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.analysis import analyze
from vggnet.attribution import (
    check_classes,
    grad_cam,
    gradient,
    map_layer,
    occlusion,
    patch_and_stride,
)
from vggnet.drawing.maps import captioned, overlay, png
from vggnet.drawing.panels import Panel, panels
from vggnet.drawing.scales import ScaleName, span
from vggnet.engines.reference import softmax
from vggnet.image import PictureSource
from vggnet.model import Model, Prediction
from vggnet.preprocess import Preprocess

Method = Literal["grad-cam", "occlusion", "gradient"]
METHODS: tuple[Method, ...] = get_args(Method)
_TITLES: dict[Method, str] = {
    "grad-cam": "Grad-CAM", "occlusion": "Occlusion", "gradient": "Gradient"
}  # fmt: skip
LEAST_POSITIONS = 14  # a side of a Grad-CAM, where the net takes any size
_SHOWN = 448  # pixels of the photograph's short side in a picture for people


@dataclass(frozen=True, eq=False)
class Map:
    """What one method found for one class.

    `values_HW` are at the method's own resolution and cover the whole view; `size` is the (height,
    width) in pixels of what the network was given, and `probability` what it gave the class there.
    `details` say what the method was run with.
    """

    method: Method
    values_HW: NDArray[np.float32]
    size: tuple[int, int]
    probability: float
    details: dict[str, Any]

    @property
    def scale(self) -> ScaleName:
        return "signed" if self.method == "occlusion" else "viridis"

    @property
    def range(self) -> tuple[float, float]:
        """What the colours span."""
        return span(self.values_HW, self.scale)

    @property
    def empty(self) -> bool:
        """Whether it is 0 everywhere."""
        return not self.values_HW.any()

    @property
    def caption(self) -> str:
        """What the map is, in a line."""
        seen = f"at {_by(self.size)} pixels"
        if self.method == "grad-cam":
            layer, positions = self.details["layer"], _by(self.values_HW.shape)
            text = f"{layer}, {positions} positions, {seen}"
            text += f", where the class gets {self.probability:.1%}"
        elif self.method == "occlusion":
            patch, stride = self.details["patch"], self.details["stride"]
            text = (
                f"fall of the probability where {patch}x{patch} pixels are hidden, stride {stride}"
            )
            text += f", {seen}"
        else:
            text = f"largest of the three colours, {seen}"
        return f"{text}; {self.emptiness}" if self.empty else text

    @property
    def emptiness(self) -> str:
        """Why a map is 0 everywhere."""
        if self.method == "grad-cam":
            return "empty: nowhere does the layer speak for this class"
        return "empty: the answer does not change anywhere"

    def to_json(self) -> dict[str, Any]:
        height, width = self.size
        return {
            "method": self.method,
            **self.details,
            "height": height,
            "width": width,
            "probability": self.probability,
            "range": list(self.range),
            "empty": self.empty,
            "values": [[float(f"{value:.6g}") for value in row] for row in self.values_HW],
        }

    def _repr_png_(self) -> bytes:
        """The map alone, for notebooks."""
        height, width = (4 * side for side in self.size)
        factor = max(1.0, 448 / max(height, width))
        blank = Image.new("RGB", (round(width * factor), round(height * factor)))
        low, high = self.range
        text = f"{low:.3g} to {high:.3g}; {self.caption}"
        return png(captioned(overlay(blank, self.values_HW, self.scale, 1), text, self.scale))


@dataclass(frozen=True, eq=False)
class Explanation:
    """A photograph, what a network says of it, and what made it say `target`.

    `photograph` is the part of the picture that the network sees, in pixels for people.
    """

    photograph: Image.Image
    size: tuple[int, int]
    answers: list[Prediction]
    target: Prediction
    maps: tuple[Map, ...]

    def picture(self, strength: float = 0.6) -> Image.Image:
        """The photograph, each map over it, and the answers as bars; see `drawing.panels`."""
        shown = [
            Panel(
                _TITLES[each.method], each.caption,
                None if each.empty else each.values_HW, each.range, each.scale,
            )
            for each in self.maps
        ]  # fmt: skip
        classes = {each.index: each for each in self.answers}
        classes.setdefault(self.target.index, self.target)
        bars = [(each.label, each.probability) for each in classes.values()]
        chosen = list(classes).index(self.target.index)
        caption = f"the answers are at {_by(self.size)} pixels"
        return panels(self.photograph, caption, shown, bars, chosen, strength)

    def to_json(self) -> dict[str, Any]:
        """Plain values, the maps' numbers among them."""
        height, width = self.size
        return {
            "height": height,
            "width": width,
            "predictions": [asdict(each) for each in self.answers],
            "class": asdict(self.target),
            "maps": [each.to_json() for each in self.maps],
        }

    def _repr_png_(self) -> bytes:
        return png(self.picture())


def explain(
    model: Model,
    picture: PictureSource,
    methods: Method | Sequence[Method] = "grad-cam",
    *,
    target: int | None = None,
    top: int = 5,
    patch: int | None = None,
    stride: int | None = None,
    name: str | None = None,
) -> Explanation:
    """Why `model` says what it says of a picture: a map for each method, one class for all.

    `target` is the index of a class, by default that of the first answer. `patch` and `stride` are
    those of `occlusion`, in pixels of what the network is given. Raises ValueError for a method or
    class that there is not, a net without class scores, and for "gradient" without torch;
    PictureError for a picture that cannot be read.
    """
    wanted = (methods,) if isinstance(methods, str) else tuple(methods)
    for method in wanted:
        if method not in METHODS:
            raise ValueError(f"method {method!r} must be one of {', '.join(METHODS)}")
    if target is not None:
        check_classes(model.spec, [target])
    own = model.preprocessing
    images_1CHW = own(picture, name)[np.newaxis]
    size = (images_1CHW.shape[2], images_1CHW.shape[3])
    every = model.classify(images_1CHW, top=model.spec.num_classes or 1)[0]
    chosen = every[0] if target is None else next(e for e in every if e.index == target)
    maps = []
    for method in wanted:
        images, details = images_1CHW, dict[str, Any]()
        if method == "grad-cam":
            images = enlarged_view(model)(picture, name)[np.newaxis]
            values = grad_cam(model, images, [chosen.index])[0]
            details["layer"] = map_layer(model.spec).name
        elif method == "occlusion":
            details["patch"], details["stride"] = patch_and_stride(size, patch, stride)
            values = occlusion(model, images, [chosen.index], patch, stride)[0]
        else:
            values = gradient(model, images, [chosen.index])[0]
        probability = float(softmax(model.logits(images))[0, chosen.index])
        maps.append(Map(method, values, images.shape[2:], probability, details))
    photograph = in_pixels(own, _SHOWN).rescale_and_crop(picture, name)
    return Explanation(photograph, size, every[:top], chosen, tuple(maps))


def enlarged_view(model: Model) -> Preprocess:
    """The model's own view, of nets that take any size in as many pixels as Grad-CAM needs."""
    own = model.preprocessing
    if not model.spec.any_size or own.crop is None:
        return own
    name = map_layer(model.spec).name
    jump = next(each.jump for each in analyze(model.spec).layers if each.name == name)
    side = own.crop
    while _positions(model, name, side) < LEAST_POSITIONS:
        side += jump
    return in_pixels(own, side)


def _positions(model: Model, name: str, side: int) -> int:
    """Rows of a layer's maps where the picture has `side` pixels."""
    layers = model.spec.layers_at(side, side)
    return next(layer.output[1] for layer in layers if layer.name == name)


def in_pixels(preprocessing: Preprocess, side: int) -> Preprocess:
    """The same view with a short side of `side` pixels, the scale of the numbers unchanged.

    A view that is cropped from a picture as it is has its own number of pixels and stays as it is.
    """
    resize, crop = preprocessing.resize, preprocessing.crop
    if crop is None:
        return replace(preprocessing, resize=side)
    if resize is not None:
        resize = round(resize * side / crop)
        return replace(preprocessing, resize=resize, crop=side)
    return preprocessing


def _by(sizes: Sequence[int]) -> str:
    """80x80, which no line break tears apart."""
    return "x".join(map(str, sizes))
