"""A picture from anywhere -> RGB pixels -> what the network takes.

In: a path, bytes, a binary file, a Pillow picture or an array. Out: a Pillow picture in RGB, 8 bits a
channel, upright (`open_picture`); its rescaled and cropped forms; float32 images_NCHW (`Preprocess`).
Source: Section 2.1 of the paper (subtract the mean RGB, nothing else), Sections 3.1 and 3.2 for the
scale, which is the length of the picture's short side; Krizhevsky et al. 2012 for the ten crops.

Shapes: N pictures, C = 3 channels, H rows, W columns.
"""

from __future__ import annotations

import io
import math
import os
import stat
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.typing as npt

# Pillow registers a format when its plugin is imported. Importing these two by name keeps it from
# importing all forty, among them the one that runs Ghostscript; the other four come with `open`.
from PIL import Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401

Array = npt.NDArray[Any]
PictureSource = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | Array

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .bmp .dib .gif .tif .tiff".split()  # noqa: SIM905
)
MAX_PIXELS = 120_000_000  # above the largest common sensor (12000 x 9000); about 0.5 GB decoded

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_ORIENTATION_TAG = 0x0112
# What turns a picture stored with this EXIF orientation upright (Exif 2.32, tag Orientation).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(ValueError):
    """A picture that cannot be used: one line, which begins with the picture's name."""


class _QuietPillow:
    """Ignores Pillow's own warnings while at least one thread is inside.

    The filters of `warnings` belong to the process, so threads that saved and restored them one by
    one would restore each other's; here the first thread in saves and the last one out restores.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._num_inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._num_inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._num_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._num_inside -= 1
            if self._num_inside == 0:
                self._filters.__exit__(None, None, None)


_quiet_pillow = _QuietPillow()


def open_picture(source: PictureSource, name: str | None = None) -> Image.Image:
    """The picture in RGB, 8 bits a channel, upright, at its own size (1 x 1 up to MAX_PIXELS).

    Files: the six FORMATS. EXIF orientation is applied; transparency, a palette's too, goes over
    white; of an animation the first frame; 16-bit grey 0..65535 is rescaled to 0..255, and so is
    floating point, taken as 0..1 where no value is above 1, else as 0..255.
    Pillow pictures: the same, whatever their format; one that is RGB already is returned as it is.
    Arrays: (H, W) or (H, W, 1 | 3 | 4), channels R, G, B, alpha; bool, uint8, uint16 (0..65535) or
    floating point in 0..1.

    `name` stands for the picture in errors where the source has no name of its own. Raises
    PictureError for a picture that cannot be used, TypeError for a source that is none of these.
    """
    if not isinstance(source, str | os.PathLike | bytes | Image.Image | np.ndarray) and not hasattr(
        source, "read"
    ):
        raise TypeError(
            f"a picture is a path, bytes, a binary file, a Pillow picture or a NumPy array, "
            f"not {type(source).__name__}"
        )
    name = _printable_name(source, name)
    try:
        with _quiet_pillow:
            if isinstance(source, Image.Image):
                return _upright_rgb(source)
            if isinstance(source, np.ndarray):
                return _picture_from_array(source)
            with _open_binary(source) as file, Image.open(file, formats=FORMATS) as picture:
                return _upright_rgb(picture)
    except PictureError as error:
        reason = str(error)
    except UnidentifiedImageError:
        reason = "not a JPEG, PNG, WebP, BMP, GIF or TIFF picture, or one whose header is damaged"
    except Image.DecompressionBombError:
        reason = f"more than {MAX_PIXELS:,} pixels; make it smaller first"
    except MemoryError:
        reason = "does not fit in memory"
    except Exception as error:  # Pillow's plugins let a dozen kinds out of a damaged file
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = f"cannot be read: {' '.join(text.split()) or type(error).__name__}"
    raise PictureError(f"{name}: {reason}") from None


def _printable_name(source: PictureSource, name: str | None = None) -> str:
    """What errors call the picture; escaped where it would not print on one line."""
    if name is None:
        if isinstance(source, str | os.PathLike):
            name = os.fspath(source)
        else:
            own = getattr(source, "filename", None) or getattr(source, "name", None)
            name = os.fspath(own) if isinstance(own, str | os.PathLike) else ""
            name = name or f"<{type(source).__name__}>"
    return name if name and name.isprintable() else repr(name)


def _open_binary(source: str | os.PathLike[str] | bytes | BinaryIO) -> BinaryIO:
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise PictureError("a folder, not a picture")
        if not stat.S_ISREG(status.st_mode):  # to open a pipe that nobody writes to is to hang
            raise PictureError("a pipe, a socket or a device, not a regular file")
        if status.st_size == 0:
            raise PictureError("an empty file")
        return path.open("rb")
    data = source if isinstance(source, bytes) else source.read()  # a stream may not seek
    if not isinstance(data, bytes):
        raise PictureError(f"its read() gives {type(data).__name__}; open the file in mode 'rb'")
    if not data:
        raise PictureError("no bytes")
    return io.BytesIO(data)


def _upright_rgb(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    if min(width, height) < 1:
        raise PictureError(f"{width} x {height} has no pixels")
    if width * height > MAX_PIXELS:  # only the header has been read yet
        raise PictureError(
            f"{width} x {height} is more than {MAX_PIXELS:,} pixels; make it smaller first"
        )
    picture.load()
    try:
        orientation = picture.getexif().get(_ORIENTATION_TAG)
    except Exception:  # the pixels are whole though the EXIF block is not
        orientation = None
    rgb = _rgb(picture)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
        rgb.info.clear()  # else whoever reads the EXIF data that it holds turns it once more
    return rgb


def _rgb(picture: Image.Image) -> Image.Image:
    """The loaded picture in mode RGB, over white; Pillow's own `convert` clips the deep modes."""
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        values = np.asarray(picture)
        low, high = float(values.min()), float(values.max())
        limit = 65535 if picture.mode != "F" else 1 if high <= 1 else 255
        if not (low >= 0 and high <= limit):
            raise PictureError(f"grey values {low:g} to {high:g} are outside 0 to {limit}")
        picture = Image.fromarray(_to_8_bits(values, limit))
    if picture.has_transparency_data:
        with_alpha = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, with_alpha).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _picture_from_array(array: Array) -> Image.Image:
    channels = array.shape[2] if array.ndim == 3 else 1
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or array.size == 0:
        raise PictureError(f"shape {array.shape} is not (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)")
    if array.dtype == np.uint16:
        array = _to_8_bits(array, 65535)
    elif array.dtype == np.bool_:
        array = _to_8_bits(array, 1)
    elif np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= -1e-6 and high <= 1 + 1e-6):  # rounding errors are no reason to refuse
            raise PictureError(f"floating-point values {low:g} to {high:g} are outside 0 to 1")
        array = _to_8_bits(array.clip(0, 1), 1)
    elif array.dtype != np.uint8:
        raise PictureError(f"dtype {array.dtype} is not bool, uint8, uint16 or floating point")
    return _rgb(
        Image.fromarray(
            np.ascontiguousarray(array[..., 0] if channels == 1 and array.ndim == 3 else array)
        )
    )


def _to_8_bits(values: Array, limit: float) -> npt.NDArray[np.uint8]:
    return np.rint(values.astype(np.float32) * np.float32(255 / limit)).astype(np.uint8)


def rescale_short_side(
    picture: Image.Image, size: int, interpolation: str = "bilinear"
) -> Image.Image:
    """The picture with its short side `size` pixels long and its shape kept.

    Pillow's own filter, bit for bit (it widens with the reduction, so nothing aliases); the long
    side is int(size * long / short), as in torchvision's Resize. Raises ValueError where the result
    would have more than MAX_PIXELS.
    """
    short, long = sorted(picture.size)
    new_long = size * long // short
    if size * new_long > MAX_PIXELS:
        raise ValueError(
            f"{picture.width} x {picture.height} with a short side of {size} would be "
            f"{size} x {new_long}, more than {MAX_PIXELS:,} pixels; crop it first"
        )
    upright = picture.width <= picture.height
    new_size = (size, new_long) if upright else (new_long, size)
    return picture.resize(new_size, INTERPOLATIONS[interpolation])


def centre_crop(picture: Image.Image, size: int) -> Image.Image:
    """The size x size square in the middle; an odd margin is split as in torchvision (round to
    even). Raises ValueError where the picture is smaller."""
    left, top = round((picture.width - size) / 2), round((picture.height - size) / 2)
    return _crop(picture, left, top, size)


def five_crops(picture: Image.Image, size: int) -> tuple[Image.Image, ...]:
    """Top left, top right, bottom left, bottom right and centre, each size x size."""
    right, bottom = picture.width - size, picture.height - size
    corners = ((0, 0), (right, 0), (0, bottom), (right, bottom))
    return (*(_crop(picture, x, y, size) for x, y in corners), centre_crop(picture, size))


def ten_crops(picture: Image.Image, size: int) -> tuple[Image.Image, ...]:
    """The five crops of the picture, then the five of its mirror image."""
    return five_crops(picture, size) + five_crops(flip(picture), size)


def flip(picture: Image.Image) -> Image.Image:
    """The mirror image, left and right exchanged."""
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _crop(picture: Image.Image, left: int, top: int, size: int) -> Image.Image:
    if size > min(picture.size):
        raise ValueError(
            f"a crop of {size} x {size} does not fit a picture of {picture.width} x "
            f"{picture.height}; rescale its short side to {size} or more first"
        )
    return picture.crop((left, top, left + size, top + size))


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
    colour_order: Literal["RGB", "BGR"] = "RGB"
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
            values = tuple(float(value) for value in getattr(self, field))
            if len(values) != 3 or not all(map(math.isfinite, values)):
                raise ValueError(f"{field} is {values}; give three finite numbers for R, G and B")
            object.__setattr__(self, field, values)  # lists, as JSON has them, become hashable
        object.__setattr__(self, "scale", float(self.scale))
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(f"scale is {self.scale}; give a number above 0, such as 1 or 1/255")
        if min(self.std) <= 0:
            raise ValueError(f"std is {self.std}; give three numbers above 0")
        for field, known in (("colour_order", ("RGB", "BGR")), ("interpolation", INTERPOLATIONS)):
            if getattr(self, field) not in known:
                raise ValueError(
                    f"{field} is {getattr(self, field)!r}; give one of {', '.join(known)}"
                )

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
        names = {field.name for field in fields(cls)}
        if names != set(data):
            raise ValueError(
                f"preprocessing lacks {sorted(names - set(data))} and has the unknown "
                f"{sorted(set(data) - names)}; its fields are {', '.join(sorted(names))}"
            )
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        """The fields as `json` takes them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }

    def __call__(self, picture: PictureSource, name: str | None = None) -> npt.NDArray[np.float32]:
        """The (3, H, W) input of one picture; takes and raises what `open_picture` does.

        H = W = crop; without a crop, the picture's own shape.
        """
        rgb = self.rescale_and_crop(picture, name)
        return self.pixels_to_input(np.asarray(rgb)[np.newaxis])[0]

    def batch(self, pictures: Iterable[PictureSource]) -> npt.NDArray[np.float32]:
        """images_NCHW of several pictures. Raises ValueError where their sizes differ, or for none."""
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
            raise PictureError(f"{_printable_name(picture, name)}: {error}") from None
        return rgb

    def pixels_to_input(self, pixels_NHWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The arithmetic alone: uint8 RGB pixels_NHWC -> float32 images_NCHW, no resampling."""
        if pixels_NHWC.dtype != np.uint8 or pixels_NHWC.ndim != 4 or pixels_NHWC.shape[3] != 3:
            raise ValueError(
                f"pixels are {pixels_NHWC.dtype} of shape {pixels_NHWC.shape}; give uint8 RGB of "
                f"shape (N, H, W, 3)"
            )
        num_pictures, height, width, _ = pixels_NHWC.shape
        images_NCHW = np.empty((num_pictures, 3, height, width), np.float32)
        for out, channel in enumerate("RGB".index(letter) for letter in self.colour_order):
            images_NCHW[:, out] = _input_values(self)[channel][pixels_NHWC[..., channel]]
        return images_NCHW


@lru_cache(maxsize=16)
def _input_values(preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """(3, 256): what each pixel value becomes, in R, G, B, rounded once, from double precision."""
    pixels = np.arange(256, dtype=np.float64)
    mean, std = np.array(preprocess.mean), np.array(preprocess.std)
    values = (pixels * preprocess.scale - mean[:, np.newaxis]) / std[:, np.newaxis]
    return values.astype(np.float32)


def find_pictures(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The picture files that the paths name, in their order.

    A file is taken as it is; a folder is searched with all its subfolders (links to folders are not
    followed) for names with one of SUFFIXES, in sorted order, hidden ones left out. Raises
    PictureError for a path that does not exist and a folder without pictures.
    """
    found: list[Path] = []
    for given in paths:
        path = Path(given)
        if not path.is_dir():
            if not path.exists():
                raise PictureError(f"{_printable_name(given)}: no such file or folder")
            found.append(path)
            continue
        inside = sorted(
            Path(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
        )
        if not inside:
            raise PictureError(
                f"{_printable_name(given)}: no pictures in this folder "
                f"({' '.join(sorted(SUFFIXES))})"
            )
        found += inside
    return found
