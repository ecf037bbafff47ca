"""Preprocess: its arithmetic against the plain formula, its texts, its round trip."""

import json
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import BAD_PICTURES
from PIL import Image

from vggnet.image import PictureError, centre_crop, rescale_short_side
from vggnet.preprocess import Preprocess

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
KINDS = {
    "torchvision": Preprocess.torchvision(),
    "paper": Preprocess.paper(),
    "caffe": Preprocess.caffe(),
}


def formula(pixels_HWC: np.ndarray, preprocessing: Preprocess) -> np.ndarray:
    values = (pixels_HWC * preprocessing.scale - preprocessing.mean) / preprocessing.std
    if preprocessing.colour_order == "BGR":
        values = values[..., ::-1]
    return values.transpose(2, 0, 1)


def test_the_known_constants() -> None:
    """ImageNet's mean: 0.485, 0.456, 0.406 of 1 are about 123.68, 116.779, 103.939 of 255."""
    black, white = (np.full((1, 1, 1, 3), value, np.uint8) for value in (0, 255))
    got = {
        name: [kind.pixels_to_input(pixels).ravel() for pixels in (black, white)]
        for name, kind in KINDS.items()
    }
    expected = {
        "torchvision": [[-2.117904, -2.035714, -1.804444], [2.248908, 2.428571, 2.64]],
        "paper": [[-123.68, -116.779, -103.939], [131.32, 138.221, 151.061]],
        "caffe": [[-103.939, -116.779, -123.68], [151.061, 138.221, 131.32]],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(got[name], values, rtol=1e-6)
    assert KINDS["torchvision"].resize == 256
    assert KINDS["torchvision"].crop == 224


@pytest.mark.parametrize("name", KINDS)
def test_the_arithmetic_is_the_formula(name: str) -> None:
    preprocessing = KINDS[name]
    got = preprocessing.pixels_to_input(PIXELS[np.newaxis])
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    expected = formula(PIXELS, preprocessing).astype(np.float32)
    np.testing.assert_array_equal(got[0], expected)


@pytest.mark.parametrize(
    "perturbed",
    [
        Preprocess.torchvision(257),
        Preprocess.torchvision(crop=223),
        replace(Preprocess.torchvision(), scale=1 / 256),
        replace(Preprocess.torchvision(), mean=(0.485, 0.456, 0.407)),
        replace(Preprocess.torchvision(), std=(0.229, 0.224, 0.226)),
        replace(Preprocess.torchvision(), colour_order="BGR"),
        replace(Preprocess.torchvision(), interpolation="bicubic"),
    ],
    ids=["resize", "crop", "scale", "mean", "std", "colour_order", "interpolation"],
)
def test_every_field_matters(perturbed: Preprocess) -> None:
    sound = Preprocess.torchvision()
    assert perturbed != sound
    assert not np.array_equal(perturbed(PIXELS), sound(PIXELS))


def test_a_call_rescales_crops_and_computes() -> None:
    preprocessing = replace(Preprocess.torchvision(12, 10), interpolation="bicubic")
    cropped = centre_crop(rescale_short_side(Image.fromarray(PIXELS), 12, "bicubic"), 10)
    expected = formula(np.asarray(cropped), preprocessing).astype(np.float32)
    np.testing.assert_array_equal(preprocessing(PIXELS), expected)
    assert preprocessing.rescale_and_crop(PIXELS).tobytes() == cropped.tobytes()


def test_rescaling_and_cropping_are_left_out_for_none() -> None:
    assert Preprocess.paper(None, None)(PIXELS).shape == (3, 20, 30)
    assert Preprocess.paper(40, None)(PIXELS).shape == (3, 40, 60)
    assert Preprocess.paper(None, 8)(PIXELS).shape == (3, 8, 8)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1)], ids=str)
def test_the_smallest_pictures(size: tuple[int, int]) -> None:
    image = Preprocess.torchvision(64, 64)(Image.new("RGB", size, "white"))
    assert image.shape == (3, 64, 64)
    np.testing.assert_allclose(image[:, 0, 0], [2.248908, 2.428571, 2.64], rtol=1e-6)


def test_a_batch_is_its_pictures() -> None:
    preprocessing = Preprocess.torchvision(12, 10)
    pictures = [PIXELS, PIXELS[:, ::-1], Image.fromarray(PIXELS[:9])]
    images_NCHW = preprocessing.batch(pictures)
    assert images_NCHW.shape == (3, 3, 10, 10)
    for image, picture in zip(images_NCHW, pictures, strict=True):
        np.testing.assert_array_equal(image, preprocessing(picture))


def test_a_batch_has_one_size() -> None:
    preprocessing = Preprocess.paper(None, None)
    with pytest.raises(ValueError, match="one size, not 30 x 9, 30 x 20; set a crop"):
        preprocessing.batch([PIXELS, PIXELS[:9]])
    with pytest.raises(ValueError, match="one size, not none"):
        preprocessing.batch([])


def test_pixels_are_uint8_rgb() -> None:
    for pixels in (PIXELS, PIXELS[np.newaxis] / 255, PIXELS[np.newaxis, ..., :2]):
        with pytest.raises(
            ValueError, match=r"pixels are .*; give uint8 RGB of shape \(N, H, W, 3\)"
        ):
            Preprocess.paper().pixels_to_input(pixels)


def test_errors_name_the_picture(tmp_path: Path) -> None:
    path = tmp_path / "small.png"
    Image.fromarray(PIXELS).save(path)
    preprocessing = Preprocess.paper(None, 64)
    with pytest.raises(
        PictureError, match=r"^.*/small.png: a crop of 64 x 64 does not fit .*30 x 20"
    ):
        preprocessing(path)
    with pytest.raises(PictureError, match=r"^row 5: a crop"):
        preprocessing(PIXELS, "row 5")
    monster = Preprocess.paper(20_000, 224)
    with pytest.raises(
        PictureError, match=r"small.png: 30 x 20 with a short side of 20000 would be"
    ):
        monster(path)
    with pytest.raises(PictureError, match=r"empty.jpg: an empty file"):
        preprocessing.batch([BAD_PICTURES["an empty file"](tmp_path)])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"resize": 0}, "resize is 0; give pixels, 1 or more, or None"),
        ({"crop": 2.5}, "crop is 2.5; give pixels"),
        ({"crop": True}, "crop is True; give pixels"),
        ({"crop": 300}, "crop 300 is larger than resize 256, .*; make resize 300 or more"),
        ({"scale": 0}, "scale is 0; give a number above 0"),
        ({"scale": 10**400}, "scale is 10{400}; give a number above 0"),
        ({"scale": None}, "scale is None; give a number"),
        ({"scale": float("nan")}, "scale is nan"),
        ({"mean": (1, 2)}, r"mean is \(1, 2\); give three finite numbers for R, G and B"),
        ({"mean": None}, "mean is None; give three"),
        ({"mean": "abc"}, "mean is 'abc'; give three"),
        ({"std": (1, "2", 3)}, r"std is \(1, '2', 3\); give three"),
        ({"std": (1, float("inf"), 3)}, "std is .*; give three finite"),
        ({"std": (1, 0, 3)}, r"std is \(1.0, 0.0, 3.0\); give three numbers above 0"),
        ({"colour_order": "RBG"}, "colour_order is 'RBG'; give one of RGB, BGR"),
        ({"interpolation": "cubic"}, "interpolation is 'cubic'; give one of nearest, bilinear"),
        ({"interpolation": []}, r"interpolation is \[\]; give one of"),
    ],
    ids=str,
)
def test_a_bad_value_is_refused(change: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}") as error:
        replace(Preprocess.torchvision(), **change)
    assert len(str(error.value).splitlines()) == 1


def test_it_is_a_value() -> None:
    preprocessing = Preprocess.torchvision()
    assert preprocessing == Preprocess.torchvision()
    assert hash(replace(preprocessing, mean=list(preprocessing.mean))) == hash(preprocessing)
    with pytest.raises(FrozenInstanceError):
        preprocessing.crop = 64


@pytest.mark.parametrize(
    "preprocessing",
    [*KINDS.values(), Preprocess(None, None, 2, (0, 0, 0), (1, 2, 3), interpolation="lanczos")],
)
def test_json_round_trip(preprocessing: Preprocess) -> None:
    text = json.dumps(preprocessing.to_json())
    assert Preprocess.from_json(json.loads(text)) == preprocessing
    assert json.loads(text) == preprocessing.to_json()


def test_json_with_other_fields_is_refused() -> None:
    fields = asdict(Preprocess.torchvision()) | {"gamma": 2}
    del fields["std"]
    with pytest.raises(ValueError, match=r"lacks \['std'\] and has the unknown \['gamma'\]"):
        Preprocess.from_json(fields)
    with pytest.raises(ValueError, match="preprocessing is None; give an object"):
        Preprocess.from_json(None)


@pytest.mark.parametrize("size", [(50, 40), (40, 50), (64, 64), (200, 31)])
@pytest.mark.parametrize(
    ("resize", "crop"), [(None, None), (None, 20), (32, 32), (32, 21), (90, 80)]
)
def test_what_it_sees_of_a_picture(
    size: tuple[int, int], resize: int | None, crop: int | None
) -> None:
    """A picture whose pixels say where they are: its view begins and ends where it is said to."""
    width, height = size
    preprocessing = Preprocess.torchvision(resize, crop)
    left, top, across, down = preprocessing.seen(width, height)
    places = np.zeros((height, width, 3), np.uint8)
    places[..., 0], places[..., 1] = np.arange(width), np.arange(height)[:, np.newaxis]
    view = np.asarray(preprocessing.rescale_and_crop(places)).astype(float)
    rows, columns = view.shape[:2]
    middle_x, middle_y = view[rows // 2, :, 0], view[:, columns // 2, 1]
    step_x, step_y = across / columns, down / rows
    # Near the edge the filter sees less of the picture.
    inner = slice(3, -3)
    assert middle_x[inner] == pytest.approx(
        (left + (np.arange(columns) + 0.5) * step_x - 0.5)[inner], abs=1.1
    )
    assert middle_y[inner] == pytest.approx(
        (top + (np.arange(rows) + 0.5) * step_y - 0.5)[inner], abs=1.1
    )
