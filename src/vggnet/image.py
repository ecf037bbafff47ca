"""A picture from anywhere -> RGB pixels, rescaled and cropped.

In: a path, bytes, a binary file, a Pillow picture or an array. Out: a Pillow picture in RGB, 8 bits
a channel, upright (`open_picture`), and its rescaled, cropped and mirrored forms. Source: Sections
3.1 and 3.2 of the paper for the scale, which is the length of the picture's short side.

Shapes: H rows, W columns.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from vggnet.quiet_pillow import quiet_pillow

Array = NDArray[Any]
PictureSource = str | os.PathLike[str] | bytes | BinaryIO | Image.Image | Array

_HAS_AVIF = find_spec("PIL._avif") is not None  # Pillow 11.3 and newer, on most systems
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", *(("AVIF",) if _HAS_AVIF else ()))
_ROWS_AT_A_TIME = 256  # of a picture that is put over white
MAX_PIXELS = 120_000_000  # above the largest common sensor (12000 x 9000); about 0.5 GB decoded

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

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


class UnknownFormat(PictureError):
    """What is no picture in one of FORMATS, or has a header that nobody can read."""


class TooManyPixels(PictureError):
    """A picture with more pixels than are wanted, as its header says."""


def open_picture(
    source: PictureSource, name: str | None = None, most_pixels: int | None = None
) -> Image.Image:
    """The picture in RGB, 8 bits a channel, upright, at its own size (1 x 1 up to MAX_PIXELS).

    Files: the FORMATS. EXIF orientation is applied; transparency, a palette's too, goes over
    white; of an animation the first frame; 16-bit grey 0..65535 is rescaled to 0..255, and so is
    floating point, taken as 0..1 where no value is above 1, else as 0..255.
    Pillow pictures: the same, whatever their format; one that is RGB already is returned as it is.
    Arrays: (H, W) or (H, W, 1 | 3 | 4), channels R, G, B, alpha; bool, uint8, uint16 (0..65535) or
    floating point in 0..1.

    `name` is what errors call the picture, by default its own name. Raises PictureError for a
    picture that cannot be used, TypeError for a source that is none of these. The format and the
    number of pixels, at most `most_pixels` where that is given, are known before one is decoded.
    """
    known = (str, os.PathLike, bytes, Image.Image, np.ndarray)
    if not isinstance(source, known) and not hasattr(source, "read"):
        raise TypeError(
            f"a picture is a path, bytes, a binary file, a Pillow picture or a NumPy array, "
            f"not {type(source).__name__}"
        )
    with _told(picture_name(source, name)):
        if isinstance(source, Image.Image):
            return _upright_rgb(source, most_pixels)
        if isinstance(source, np.ndarray):
            return _picture_from_array(source)
        _register_formats()
        with _open_binary(source) as file, Image.open(file, formats=FORMATS) as picture:
            return _upright_rgb(picture, most_pixels)


def pixels_of(data: bytes, name: str, most_pixels: int | None = None) -> int:
    """How many pixels the bytes of a file say that it has; none of them is decoded.

    Raises what `open_picture` does of a header.
    """
    with _told(name):
        _register_formats()
        with _open_binary(data) as file, Image.open(file, formats=FORMATS) as picture:
            return _checked_pixels(picture, most_pixels)


@contextmanager
def _told(name: str) -> Iterator[None]:
    """What Pillow raises within becomes a PictureError of one line."""
    kind = PictureError
    try:
        with quiet_pillow:
            yield
        return
    except PictureError as error:
        kind, reason = type(error), str(error)
    except UnidentifiedImageError:
        kind = UnknownFormat
        *others, last = (each.replace("WEBP", "WebP") for each in FORMATS)
        reason = f"not a {', '.join(others)} or {last} picture, or one whose header is damaged"
    except Image.DecompressionBombError:
        kind, reason = TooManyPixels, f"over {MAX_PIXELS:,} pixels; make it smaller"
    except MemoryError:
        reason = "does not fit in memory"
    except Exception as error:  # Pillow's plugins let a dozen kinds out of a damaged file
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = f"cannot be read: {' '.join(text.split()) or type(error).__name__}"
    raise kind(f"{name}: {reason}") from None


@cache
def _register_formats() -> None:
    """Make Pillow know FORMATS and no others, at the first picture and not at the import.

    It registers a format when the plugin is imported. Importing these by name keeps it from
    importing all forty, among them the one that runs Ghostscript; the others come with `open`.
    """
    from PIL import TiffImagePlugin, WebPImagePlugin  # noqa: F401

    if _HAS_AVIF:
        from PIL import AvifImagePlugin  # noqa: F401


def picture_name(source: PictureSource, name: str | None = None) -> str:
    """What an error calls the picture; escaped where it would not print on one line."""
    if name is None and isinstance(source, str | os.PathLike):
        name = os.fspath(source)
    elif name is None:
        own = getattr(source, "filename", None) or getattr(source, "name", None)
        name = str(own) if isinstance(own, str | os.PathLike) else f"<{type(source).__name__}>"
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


def _checked_pixels(picture: Image.Image, most_pixels: int | None) -> int:
    """Of a picture of which only the header need have been read."""
    width, height = picture.size
    most = MAX_PIXELS if most_pixels is None else most_pixels
    if min(width, height) < 1:
        raise PictureError(f"{width} x {height} has no pixels")
    if width * height > most:
        raise TooManyPixels(f"{width} x {height} is over {most:,} pixels; make it smaller")
    return width * height


def _upright_rgb(picture: Image.Image, most_pixels: int | None) -> Image.Image:
    _checked_pixels(picture, most_pixels)
    picture.load()
    try:
        orientation = picture.getexif().get(ExifTags.Base.Orientation)
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
        if isinstance(see_through := picture.info.get("transparency"), int):
            values = np.where(values == see_through, 65535, values)  # white
        low, high = float(values.min()), float(values.max())
        limit = 65535 if picture.mode != "F" else 1 if high <= 1 else 255
        if not (low >= 0 and high <= limit):
            raise PictureError(f"grey values {low:g} to {high:g} are outside 0 to {limit}")
        picture = Image.fromarray(_to_8_bits(values, limit))
    if picture.has_transparency_data:
        return _over_white(picture)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _over_white(picture: Image.Image) -> Image.Image:
    """Some rows at a time, since whole pictures in between would take five times the memory."""
    rgb = Image.new("RGB", picture.size)
    for top in range(0, picture.height, _ROWS_AT_A_TIME):
        box = (0, top, picture.width, min(top + _ROWS_AT_A_TIME, picture.height))
        strip = picture.crop(box).convert("RGBA")
        white = Image.new("RGBA", strip.size, "white")
        rgb.paste(Image.alpha_composite(white, strip).convert("RGB"), box)
    return rgb


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
    if channels == 1:
        array = array.reshape(array.shape[:2])
    return _rgb(Image.fromarray(np.ascontiguousarray(array)))


def _to_8_bits(values: Array, limit: float) -> NDArray[np.uint8]:
    scaled: NDArray[np.float32] = values.astype(np.float32) * np.float32(255 / limit)
    return np.rint(scaled).astype(np.uint8)


def rescale_short_side(
    picture: Image.Image, size: int, interpolation: str = "bilinear"
) -> Image.Image:
    """The picture with its short side `size` pixels long and its shape kept.

    Pillow's own filter, bit for bit (it widens with the reduction, so nothing aliases); the long
    side is int(size * long / short), as in torchvision's Resize. `interpolation` is one of
    INTERPOLATIONS. Raises ValueError where the result would have more than MAX_PIXELS.
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
