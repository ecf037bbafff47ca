"""How a picture becomes what the network takes, as a value that a weight file carries.

In: RGB pictures, from wherever `open_picture` takes them. Out: float32 images_NCHW. Source: Section
2.1 of the paper (subtract the mean RGB, nothing else); Section 3.1 for the scale, which is the
length of the picture's short side.

Shapes: N pictures, C = 3 channels, H rows, W columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.image import (
    INTERPOLATIONS,
    PictureError,
    PictureSource,
    centre_crop,
    open_picture,
    picture_name,
    rescale_short_side,
)
from vggnet.versions import checked

ColourOrder = Literal["RGB", "BGR"]


@dataclass(frozen=True)
class Preprocess:
    """How pixels become a network's input; a weight file carries the one that it was trained with.

    Rescale the short side to `resize` pixels and cut the `crop` x `crop` square in the middle, each
    left out where it is None; then (pixel * scale - mean) / std for each channel, where pixels are
    0..255 and mean and std are in the order R, G, B whatever `colour_order` is: that is the order
    of the channels that come out.
    """

    resize: int | None
    crop: int | None
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    colour_order: ColourOrder = "RGB"
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        for field in ("resize", "crop"):
            side = getattr(self, field)
            if side is not None and (type(side) is not int or side < 1):
                raise ValueError(f"{field} is {side!r}; give pixels, 1 or more, or None")
        if self.resize is not None and self.crop is not None and self.crop > self.resize:
            raise ValueError(
                f"crop {self.crop} is larger than resize {self.resize}, the short side that it is "
                f"cut from; make resize {self.crop} or more"
            )
        for field in ("mean", "std"):
            values = getattr(self, field)
            if not (isinstance(values, list | tuple) and len(values) == 3 and _finite(*values)):
                raise ValueError(f"{field} is {values!r}; give three finite numbers for R, G and B")
            # Lists, as JSON has them, become hashable.
            object.__setattr__(self, field, tuple(map(float, values)))
        if min(self.std) <= 0:
            raise ValueError(f"std is {self.std}; give three numbers above 0")
        if not (_finite(self.scale) and self.scale > 0):
            raise ValueError(f"scale is {self.scale!r}; give a number above 0, such as 1 or 1/255")
        object.__setattr__(self, "scale", float(self.scale))
        for field, known in (
            ("colour_order", get_args(ColourOrder)),
            ("interpolation", tuple(INTERPOLATIONS)),
        ):
            value = getattr(self, field)
            if value not in known:
                raise ValueError(f"{field} is {value!r}; give one of {', '.join(known)}")

    @classmethod
    def torchvision(cls, resize: int | None = 256, crop: int | None = 224) -> Preprocess:
        """torchvision's and timm's weights: RGB in 0..1, ImageNet's mean and deviation."""
        return cls(resize, crop, 1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))

    @classmethod
    def paper(cls, resize: int | None = 256, crop: int | None = 224) -> Preprocess:
        """Section 2.1: RGB in 0..255 less the training set's mean."""
        return cls(resize, crop, 1.0, (123.68, 116.779, 103.939))

    @classmethod
    def caffe(cls, resize: int | None = 256, crop: int | None = 224) -> Preprocess:
        """The paper's, its channels in the order B, G, R: the original release, and Keras."""
        return cls(resize, crop, 1.0, (123.68, 116.779, 103.939), colour_order="BGR")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocess:
        """The inverse of `to_json`. Raises ValueError for missing, extra and bad fields."""
        since = {field.name: 1 for field in fields(cls)}  # the version that brought each
        return cls(**checked("preprocessing", data, since))

    def to_json(self) -> dict[str, Any]:
        """The fields as `json` takes and gives them."""
        return asdict(self) | {"mean": list(self.mean), "std": list(self.std)}

    def __call__(self, picture: PictureSource, name: str | None = None) -> NDArray[np.float32]:
        """The (3, H, W) input of one picture; takes and raises what `open_picture` does.

        H = W = crop; without a crop, the picture's own shape.
        """
        pixels_HWC = np.asarray(self.rescale_and_crop(picture, name))
        image_CHW: NDArray[np.float32] = self.pixels_to_input(pixels_HWC[np.newaxis])[0]
        return image_CHW

    def batch(self, pictures: Iterable[PictureSource]) -> NDArray[np.float32]:
        """images_NCHW of several pictures.

        Raises ValueError where their sizes differ, or for none, and what `open_picture` does.
        """
        cropped = [self.rescale_and_crop(picture) for picture in pictures]
        sizes = sorted({picture.size for picture in cropped})
        if len(sizes) != 1:
            listed = ", ".join(f"{width} x {height}" for width, height in sizes[:3]) or "none"
            raise ValueError(f"a batch needs pictures of one size, not {listed}; set a crop")
        return self.pixels_to_input(np.stack([np.asarray(picture) for picture in cropped]))

    def rescale_and_crop(self, picture: PictureSource, name: str | None = None) -> Image.Image:
        """The RGB picture of which `__call__` gives the values: what the network gets to see."""
        rgb = open_picture(picture, name)
        try:
            if self.resize is not None:
                rgb = rescale_short_side(rgb, self.resize, self.interpolation)
            if self.crop is not None:
                rgb = centre_crop(rgb, self.crop)
        except ValueError as error:
            raise PictureError(f"{picture_name(picture, name)}: {error}") from None
        return rgb

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """What the network gets to see of a picture of that size: left, top, width, height.

        In the picture's own pixels, which `rescale_and_crop` may have cut within.
        """
        crop = self.crop
        if crop is None:
            return 0.0, 0.0, float(width), float(height)
        short, long = sorted((width, height))
        rescaled = short if self.resize is None else self.resize
        longer = rescaled * long // short  # as `rescale_short_side` has it
        columns, rows = (rescaled, longer) if width <= height else (longer, rescaled)
        left, top = round((columns - crop) / 2), round((rows - crop) / 2)
        across, down = width / columns, height / rows
        return left * across, top * down, crop * across, crop * down

    def pixels_to_input(self, pixels_NHWC: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The arithmetic alone: uint8 RGB pixels_NHWC -> float32 images_NCHW, no resampling."""
        if pixels_NHWC.dtype != np.uint8 or pixels_NHWC.ndim != 4 or pixels_NHWC.shape[3] != 3:
            raise ValueError(
                f"pixels are {pixels_NHWC.dtype} of shape {pixels_NHWC.shape}; give uint8 RGB of "
                f"shape (N, H, W, 3)"
            )
        num_pictures, height, width, _ = pixels_NHWC.shape
        images_NCHW = np.empty((num_pictures, 3, height, width), np.float32)
        for out, channel in enumerate("RGB".index(letter) for letter in self.colour_order):
            images_NCHW[:, out] = self.input_values()[channel][pixels_NHWC[..., channel]]
        return images_NCHW

    def input_values(self) -> NDArray[np.float32]:
        """(3, 256): what each value of a pixel becomes, for R, G and B."""
        return _input_values(self)


def _finite(*values: object) -> bool:
    """Whether they all are numbers that a float can hold, none of them infinite or NaN."""
    try:
        return all(
            isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
            for value in values
        )
    except OverflowError:  # a whole number beyond the range of a float
        return False


@lru_cache(maxsize=16)
def _input_values(preprocessing: Preprocess) -> NDArray[np.float32]:
    """(3, 256): what each pixel value becomes, in R, G, B, rounded once, from double precision."""
    pixels = np.arange(256, dtype=np.float64)
    mean_C1: NDArray[np.float64] = np.array(preprocessing.mean)[:, np.newaxis]
    std_C1: NDArray[np.float64] = np.array(preprocessing.std)[:, np.newaxis]
    return ((pixels * preprocessing.scale - mean_C1) / std_C1).astype(np.float32)
