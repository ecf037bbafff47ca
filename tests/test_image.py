"""Pictures from every source, in every form, sound and broken."""

import io
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import encoded
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps
from places import EXAMPLES

from vggnet import image as image_module
from vggnet.image import (
    FORMATS,
    PictureError,
    TooManyPixels,
    UnknownFormat,
    centre_crop,
    flip,
    open_picture,
    picture_name,
    rescale_short_side,
)

ORIENTATION = 0x0112
PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)  # rows, columns, RGB


def values(source: object) -> NDArray[np.uint8]:
    picture = open_picture(source)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def saved(picture: Image.Image, container: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, container, **options)
    return file.getvalue()


def over_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.float64]:
    share = alpha[..., np.newaxis] / 255
    return colours * share + 255 * (1 - share)


class Stream:
    """A binary stream that can only be read on, as from a network."""

    def __init__(self, data: bytes) -> None:
        self.read = io.BytesIO(data).read


# --- sources


def test_every_source_gives_the_same_pixels(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(PIXELS).save(path)
    data = path.read_bytes()
    sources = (str(path), path, data, io.BytesIO(data), Stream(data), Image.open(path), PIXELS)
    for source in sources:
        np.testing.assert_array_equal(values(source), PIXELS)
    with path.open("rb") as file:
        np.testing.assert_array_equal(values(file), PIXELS)


def test_a_picture_that_is_rgb_already_is_not_copied() -> None:
    picture = Image.fromarray(PIXELS)
    assert open_picture(picture) is picture


def test_the_picture_can_be_used_after_its_file_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    path.write_bytes(encoded("JPEG"))
    picture = open_picture(path)
    path.unlink()
    assert picture.resize((9, 9)).size == (9, 9)


@pytest.mark.parametrize("source", [None, 3, ["a.jpg"], bytearray(b"abc")], ids=repr)
def test_what_is_no_source_is_a_type_error(source: object) -> None:
    with pytest.raises(TypeError, match=f"not {type(source).__name__}$"):
        open_picture(source)


def test_a_text_file_object_is_told_how_to_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("words")
    with path.open() as file, pytest.raises(PictureError, match=r"text.txt: .*mode 'rb'$"):
        open_picture(file)


def test_errors_call_a_picture_by_its_name() -> None:
    assert picture_name("a/b.jpg") == "a/b.jpg"
    assert picture_name("a\nb.jpg") == r"'a\nb.jpg'"
    assert picture_name("caf\udce9.jpg") == r"'caf\udce9.jpg'"  # bytes that are no UTF-8
    assert picture_name("") == "''"
    assert picture_name(b"", "row 3") == "row 3"
    assert picture_name(b"") == "<bytes>"
    assert picture_name(io.BytesIO()) == "<BytesIO>"
    assert picture_name(PIXELS) == "<ndarray>"


@pytest.mark.parametrize("row", (EXAMPLES / "SOURCES.md").read_text().splitlines()[4:])
def test_the_examples_are_there_with_their_sources(row: str) -> None:
    name = row.split("|")[1].strip()
    assert min(open_picture(EXAMPLES / name).size) >= 256


# --- forms


@pytest.mark.parametrize("container", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats(container: str) -> None:
    options = {"lossless": True, "quality": 100} if container == "WEBP" else {}
    np.testing.assert_array_equal(
        values(saved(Image.fromarray(PIXELS), container, **options)), PIXELS
    )


def test_jpeg_and_gif() -> None:
    columns = np.linspace(0, 255, 64, dtype=np.uint8)
    smooth = np.stack([np.tile(columns, (64, 1))] * 3, axis=2)
    for container in ("JPEG", "GIF"):
        got = values(saved(Image.fromarray(smooth), container)).astype(int)
        assert np.abs(got - smooth).max() <= 8


@pytest.mark.parametrize("size", [(1, 1), (1, 1000), (1000, 1)], ids=str)
@pytest.mark.parametrize("container", FORMATS)
def test_any_size_from_one_pixel_up(container: str, size: tuple[int, int]) -> None:
    white = Image.new("RGB", size, "white")
    picture = open_picture(saved(white, container))
    assert picture.size == size
    assert np.asarray(picture).min() == 255


@pytest.mark.parametrize("container", ["PNG", "TIFF", "JPEG", "BMP"])
def test_grey(container: str) -> None:
    options = {"quality": 100} if container == "JPEG" else {}
    grey = np.full((4, 6), 77, np.uint8)
    got = values(saved(Image.fromarray(grey), container, **options))
    np.testing.assert_array_equal(got, np.full((4, 6, 3), 77))


def test_black_and_white() -> None:
    bits = PIXELS[..., 0] > 128
    got = values(saved(Image.fromarray(bits), "PNG"))
    np.testing.assert_array_equal(got, np.repeat(bits[..., np.newaxis] * 255, 3, axis=2))


@pytest.mark.parametrize("container", ["PNG", "TIFF", "WEBP"])
def test_alpha_goes_over_white(container: str) -> None:
    alpha = np.arange(35, dtype=np.uint8).reshape(5, 7) * 7
    picture = Image.fromarray(np.dstack([PIXELS, alpha]))
    options = {"lossless": True, "exact": True} if container == "WEBP" else {}
    got = values(saved(picture, container, **options))
    assert np.abs(got - over_white(PIXELS, alpha)).max() <= 1
    assert np.abs(values(picture) - over_white(PIXELS, alpha)).max() <= 1


def test_grey_with_alpha_goes_over_white() -> None:
    grey, alpha = PIXELS[..., 0], PIXELS[..., 1]
    picture = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    expected = over_white(np.repeat(grey[..., np.newaxis], 3, axis=2), alpha)
    assert np.abs(values(saved(picture, "PNG")) - expected).max() <= 1


def palette_picture() -> Image.Image:
    """Red, green, blue, in one row."""
    picture = Image.new("P", (3, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    picture.putdata([0, 1, 2])
    return picture


def test_palette() -> None:
    expected = [[[255, 0, 0], [0, 255, 0], [0, 0, 255]]]
    for container in ("PNG", "GIF", "BMP", "TIFF"):
        np.testing.assert_array_equal(values(saved(palette_picture(), container)), expected)


def test_a_palette_with_a_transparent_colour() -> None:
    expected = [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]
    for container in ("PNG", "GIF"):
        got = values(saved(palette_picture(), container, transparency=1))
        np.testing.assert_array_equal(got, expected)


def test_a_palette_with_alpha_for_each_colour() -> None:
    got = values(saved(palette_picture(), "PNG", transparency=bytes([255, 0, 51])))
    np.testing.assert_array_equal(got, [[[255, 0, 0], [255, 255, 255], [204, 204, 255]]])


def test_a_transparent_picture_of_many_rows() -> None:
    """They are put over white some at a time."""
    pixels = np.random.default_rng(0).integers(0, 256, (600, 3, 4), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    white = Image.new("RGBA", picture.size, "white")
    assert np.array_equal(
        np.asarray(open_picture(picture)),
        np.asarray(Image.alpha_composite(white, picture).convert("RGB")),
    )


def test_a_transparent_rgb_colour() -> None:
    picture = Image.fromarray(np.array([[[9, 8, 7], [1, 2, 3]]], np.uint8))
    got = values(saved(picture, "PNG", transparency=(1, 2, 3)))
    np.testing.assert_array_equal(got, [[[9, 8, 7], [255, 255, 255]]])


@pytest.mark.parametrize("container", ["JPEG", "TIFF"])
def test_cmyk(container: str) -> None:
    cyan_magenta_yellow_black = [(255, 0, 0, 0), (0, 255, 0, 0), (0, 0, 255, 0), (0, 0, 0, 255)]
    rgb = [(0, 255, 255), (255, 0, 255), (255, 255, 0), (0, 0, 0)]
    for inks, expected in zip(cyan_magenta_yellow_black, rgb, strict=True):
        got = values(saved(Image.new("CMYK", (16, 16), inks), container)).astype(int)
        assert np.abs(got - expected).max() <= 4


DEEP = np.array([[0, 1, 257, 300], [32768, 40000, 65000, 65535]], np.uint16)
SCALED = np.repeat(np.round(DEEP / 257)[..., np.newaxis], 3, axis=2)


@pytest.mark.parametrize("container", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_clipped(container: str) -> None:
    np.testing.assert_array_equal(values(saved(Image.fromarray(DEEP), container)), SCALED)


def test_16_bits_with_a_transparent_grey() -> None:
    got = values(saved(Image.fromarray(DEEP), "PNG", transparency=300))
    expected = SCALED.copy()
    expected[0, 3] = 255
    np.testing.assert_array_equal(got, expected)


def test_16_bits_in_32() -> None:
    np.testing.assert_array_equal(values(Image.fromarray(DEEP.astype(np.int32))), SCALED)
    with pytest.raises(PictureError, match="grey values 0 to 65536 are outside 0 to 65535"):
        open_picture(Image.fromarray(np.array([[0, 65536]], np.int32)))
    with pytest.raises(PictureError, match="grey values -1 to 5"):
        open_picture(Image.fromarray(np.array([[-1, 5]], np.int32)))


def test_floating_point_grey_is_0_to_1_or_0_to_255() -> None:
    for grey in ([[0, 0.2, 1]], [[0, 51, 255]]):
        got = values(saved(Image.fromarray(np.array(grey, np.float32)), "TIFF"))
        np.testing.assert_array_equal(got[..., 0], [[0, 51, 255]])
    with pytest.raises(PictureError, match="grey values nan to nan are outside"):
        open_picture(Image.fromarray(np.array([[np.nan, 1]], np.float32)))


@pytest.mark.parametrize("container", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation(container: str) -> None:
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    options = {"lossless": True} if container == "WEBP" else {}
    data = saved(red, container, save_all=True, append_images=[blue, red], **options)
    assert getattr(Image.open(io.BytesIO(data)), "n_frames", 1) == 3
    np.testing.assert_array_equal(values(data)[4, 4], [255, 0, 0])


# How each orientation stores a picture, after the table of the Exif standard (row 0, column 0):
STORED = {
    1: lambda upright: upright,  # top, left
    2: lambda upright: upright[:, ::-1],  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: lambda upright: upright[::-1],  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("container", ["PNG", "WEBP", "TIFF"])
def test_every_orientation_comes_out_upright(container: str, orientation: int) -> None:
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](PIXELS)))
    stored.getexif()[ORIENTATION] = orientation
    options = {"lossless": True} if container == "WEBP" else {}
    picture = open_picture(saved(stored, container, exif=stored.getexif(), **options))
    np.testing.assert_array_equal(np.asarray(picture), PIXELS)
    np.testing.assert_array_equal(np.asarray(ImageOps.exif_transpose(picture)), PIXELS)


@pytest.mark.parametrize("orientation", STORED)
def test_every_orientation_of_a_jpeg(orientation: int) -> None:
    upright = np.zeros((16, 24, 3), np.uint8)
    upright[:8, :8] = 255  # the corner that tells
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](upright)))
    stored.getexif()[ORIENTATION] = orientation
    data = saved(stored, "JPEG", exif=stored.getexif(), quality=95)
    got = values(data).astype(int)
    assert np.abs(got - upright).max() <= 30
    np.testing.assert_array_equal(values(Image.open(io.BytesIO(data))), got)


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0", b"Exif\0\0" + b"\xff" * 40, b"nonsense"], ids=repr
)
def test_a_damaged_exif_block_leaves_the_picture(exif: bytes) -> None:
    assert open_picture(saved(Image.fromarray(PIXELS), "JPEG", exif=exif)).size == (7, 5)


def test_an_orientation_that_does_not_exist_is_ignored() -> None:
    picture = Image.fromarray(PIXELS)
    picture.getexif()[ORIENTATION] = 9
    np.testing.assert_array_equal(values(saved(picture, "PNG", exif=picture.getexif())), PIXELS)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (PIXELS, PIXELS),
        (PIXELS[:, ::-1], PIXELS[:, ::-1]),  # not contiguous
        (PIXELS[..., 0], PIXELS[..., [0, 0, 0]]),
        (PIXELS[..., :1], PIXELS[..., [0, 0, 0]]),
        (PIXELS > 127, (PIXELS > 127) * 255),
        (PIXELS.astype(np.uint16) * 257, PIXELS),
        (PIXELS / 255, PIXELS),
        ((PIXELS / 255).astype(np.float16), PIXELS),
        (np.full((2, 2), 1 + 1e-7), np.full((2, 2, 3), 255)),
        (np.dstack([PIXELS, np.full((5, 7), 255, np.uint8)]), PIXELS),
        (np.dstack([PIXELS, np.zeros((5, 7), np.uint8)]), np.full((5, 7, 3), 255)),
    ],
    ids=[
        "uint8",
        "strided",
        "grey",
        "channel",
        "bool",
        "uint16",
        "float64",
        "float16",
        "rounding",
        "opaque",
        "clear",
    ],
)
def test_arrays(array: NDArray[np.generic], expected: NDArray[np.uint8]) -> None:
    np.testing.assert_array_equal(values(array), expected)


@pytest.mark.parametrize(
    ("array", "text"),
    [
        (np.zeros(4, np.uint8), r"shape \(4,\) is not \(H, W\)"),
        (np.zeros((3, 8, 8), np.uint8), r"shape \(3, 8, 8\) is not"),
        (np.zeros((0, 8, 3), np.uint8), r"shape \(0, 8, 3\) is not"),
        (np.zeros((8, 8, 3), np.int64), "dtype int64 is not bool, uint8"),
        (np.array([[0, 255.0]]), "values 0 to 255 are outside 0 to 1"),
        (np.array([[0, np.nan]]), "outside 0 to 1"),
    ],
    ids=["1d", "channels-first", "empty", "int64", "range", "nan"],
)
def test_arrays_that_are_no_pictures(array: NDArray[np.generic], text: str) -> None:
    with pytest.raises(PictureError, match=f"^<ndarray>: .*{text}"):
        open_picture(array)


# --- limits


def test_pixels_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_module, "MAX_PIXELS", 64 * 48)
    assert open_picture(encoded("PNG")).size == (64, 48)
    monkeypatch.setattr(image_module, "MAX_PIXELS", 64 * 48 - 1)
    with pytest.raises(
        PictureError, match="<bytes>: 64 x 48 is over 3,071 pixels; make it smaller"
    ):
        open_picture(encoded("PNG"))


def test_fewer_pixels_may_be_wanted_and_none_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_picture(encoded("PNG"), most_pixels=64 * 48).size == (64, 48)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("it is decoded"))
    with pytest.raises(TooManyPixels, match="cat: 64 x 48 is over 3,071 pixels"):
        open_picture(encoded("PNG"), "cat", 64 * 48 - 1)
    with pytest.raises(UnknownFormat, match="not a JPEG"):
        open_picture(b"no picture")


def test_a_picture_without_pixels() -> None:
    with pytest.raises(PictureError, match="0 x 9 has no pixels"):
        open_picture(Image.new("RGB", (0, 9)))


# --- rescaling and cropping


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [
        ((500, 375), 256, (341, 256)),
        ((375, 500), 256, (256, 341)),
        ((640, 427), 224, (335, 224)),
        ((64, 64), 72, (72, 72)),
        ((256, 300), 256, (256, 300)),
        ((1, 1), 64, (64, 64)),
        ((1, 1000), 8, (8, 8000)),
    ],
    ids=str,
)
def test_rescaling_is_pillows_with_torchvisions_sizes(
    size: tuple[int, int], short_side: int, expected: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    for name in ("nearest", "bilinear", "bicubic", "lanczos"):
        got = rescale_short_side(picture, short_side, name)
        assert got.size == expected
        filter_ = Image.Resampling[name.upper()]
        np.testing.assert_array_equal(
            np.asarray(got), np.asarray(picture.resize(expected, filter_))
        )
    default = np.asarray(rescale_short_side(picture, short_side))
    bilinear = np.asarray(picture.resize(expected, Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(default, bilinear)


def test_the_size_rule_of_torchvision() -> None:
    random = np.random.default_rng(2)
    for width, height, side in random.integers(1, 60, (200, 3)).tolist():
        got = rescale_short_side(Image.new("RGB", (width, height)), side).size
        short, long = min(width, height), max(width, height)
        new_long = int(side * long / short)
        assert got == ((side, new_long) if width <= height else (new_long, side))


def test_rescaling_to_a_monster_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"1 x 1000 .* side of 512 would be 512 x 512000, more than"
    ):
        rescale_short_side(Image.new("RGB", (1, 1000)), 512)


@pytest.mark.parametrize(
    ("shape", "side", "top", "left"),
    [
        ((7, 9), 3, 2, 3),
        ((6, 9), 3, 2, 3),
        ((9, 6), 3, 3, 2),
        ((8, 5), 5, 2, 0),
        ((9, 6), 5, 2, 0),
        ((5, 5), 5, 0, 0),
    ],
    ids=str,
)
def test_centre_crop(shape: tuple[int, int], side: int, top: int, left: int) -> None:
    """An odd margin goes by round-half-to-even: 3 is cut 2 + 1, 1 is cut 0 + 1."""
    pixels = np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)
    got = np.asarray(centre_crop(Image.fromarray(pixels), side))
    np.testing.assert_array_equal(got, pixels[top : top + side, left : left + side])


def test_flip_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(np.asarray(flip(Image.fromarray(PIXELS))), PIXELS[:, ::-1])


def test_a_crop_larger_than_the_picture() -> None:
    with pytest.raises(ValueError, match="6 x 6 does not fit a picture of 7 x 5; rescale"):
        centre_crop(Image.fromarray(PIXELS), 6)


@pytest.mark.skipif("AVIF" not in FORMATS, reason="this Pillow has no AVIF")
def test_avif(tmp_path: Path) -> None:
    path = tmp_path / "a.avif"
    path.write_bytes(saved(Image.new("RGB", (6, 4), (200, 100, 50)), "AVIF", quality=100))
    pixels_HWC = values(path)
    assert pixels_HWC.shape == (4, 6, 3)
    assert np.abs(pixels_HWC.astype(int) - (200, 100, 50)).max() <= 3
