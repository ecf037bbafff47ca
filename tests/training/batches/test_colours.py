"""batches.colours: the mean and deviation of what is trained on, in the recipe's way."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_data import SMALL

from vggnet.data import open_dataset
from vggnet.training.batches.colours import (
    at_scale,
    measured_colours,
    measured_preprocessing,
    shift_axes,
)
from vggnet.training.recipes import PAPER


@pytest.fixture
def two_pictures(tmp_path: Path) -> Path:
    """Two pictures of one colour each: mean (30, 60, 90), deviation 10, 20, 30."""
    for name, colour in (("a", (20, 40, 60)), ("b", (40, 80, 120))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8), colour).save(tmp_path / name / "1.png")
    return tmp_path


def test_pixels_become_of_mean_0_and_deviation_1(two_pictures: Path) -> None:
    dataset = open_dataset(two_pictures, "train")
    preprocessing = measured_preprocessing(measured_colours(dataset, np.arange(2)), SMALL)
    assert (preprocessing.resize, preprocessing.crop) == (32, 32)
    assert preprocessing.mean == pytest.approx(np.array([30, 60, 90]) / 255, abs=1e-4)
    assert preprocessing.std == pytest.approx(np.array([10, 20, 30]) / 255, abs=1e-4)
    (image,) = preprocessing.batch([Image.new("RGB", (9, 9), (40, 80, 120))])
    np.testing.assert_allclose(image, 1, atol=0.01)


def test_the_paper_subtracts_the_mean_alone_and_tests_at_its_training_scale(
    two_pictures: Path,
) -> None:
    dataset = open_dataset(two_pictures, "train")
    preprocessing = measured_preprocessing(measured_colours(dataset, np.arange(2)), PAPER)
    assert (preprocessing.resize, preprocessing.crop) == (256, 224)
    assert preprocessing.scale == 1
    assert preprocessing.mean == (30, 60, 90)
    assert preprocessing.std == (1, 1, 1)


def test_only_the_given_pictures_count(two_pictures: Path) -> None:
    dataset = open_dataset(two_pictures, "train")
    colours = measured_colours(dataset, np.array([0]))
    assert measured_preprocessing(colours, PAPER).mean == (20, 40, 60)


def test_the_scale_moves_the_crop_of_areas_but_not_that_of_the_paper(two_pictures: Path) -> None:
    colours = measured_colours(open_dataset(two_pictures, "train"), np.arange(2))
    preprocessing = measured_preprocessing(colours, SMALL)
    area = at_scale(preprocessing, SMALL, 40)
    assert (area.resize, area.crop) == (40, 40)
    paper = at_scale(preprocessing, PAPER, 384)
    assert (paper.resize, paper.crop) == (384, 224)


def test_no_readable_picture_is_an_error(two_pictures: Path) -> None:
    for file in two_pictures.rglob("*.png"):
        file.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="none of its pictures can be read"):
        measured_colours(open_dataset(two_pictures, "train"), np.arange(2))


def test_colours_shift_along_the_axes_of_their_covariance(two_pictures: Path) -> None:
    """The two lie on one axis, (1, 2, 3) from their mean in units of 10."""
    axes_CC = shift_axes(measured_colours(open_dataset(two_pictures, "train"), np.arange(2)))
    np.testing.assert_allclose(axes_CC[:, 2], (10, 20, 30), rtol=1e-9)
    np.testing.assert_allclose(axes_CC[:, :2], 0, atol=1e-4)


def test_the_axes_are_at_right_angles_and_make_up_the_covariance(pictures: Path) -> None:
    colours = measured_colours(open_dataset(pictures, "train"), np.arange(60))
    axes_CC = shift_axes(colours)
    np.testing.assert_allclose(axes_CC @ axes_CC.T, 255**2 * colours.covariance_CC, rtol=1e-9)
    products = axes_CC.T @ axes_CC
    np.testing.assert_allclose(products - np.diag(np.diag(products)), 0, atol=1e-6)
    assert (axes_CC.max(axis=0) > -axes_CC.min(axis=0)).all()
