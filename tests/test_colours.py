"""vggnet.training.colours: the mean and deviation of what is trained on, in the recipe's way."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_data import SMALL

from vggnet.data import open_dataset
from vggnet.training.colours import at_scale, measured_preprocessing
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
    preprocessing = measured_preprocessing(dataset, np.arange(2), SMALL)
    assert (preprocessing.resize, preprocessing.crop) == (32, 32)
    assert preprocessing.mean == pytest.approx(np.array([30, 60, 90]) / 255, abs=1e-4)
    assert preprocessing.std == pytest.approx(np.array([10, 20, 30]) / 255, abs=1e-4)
    (image,) = preprocessing.batch([Image.new("RGB", (9, 9), (40, 80, 120))])
    np.testing.assert_allclose(image, 1, atol=0.01)


def test_the_paper_subtracts_the_mean_alone_and_tests_at_its_training_scale(
    two_pictures: Path,
) -> None:
    dataset = open_dataset(two_pictures, "train")
    preprocessing = measured_preprocessing(dataset, np.arange(2), PAPER)
    assert (preprocessing.resize, preprocessing.crop) == (256, 224)
    assert preprocessing.scale == 1
    assert preprocessing.mean == (30, 60, 90)
    assert preprocessing.std == (1, 1, 1)


def test_only_the_given_pictures_count(two_pictures: Path) -> None:
    dataset = open_dataset(two_pictures, "train")
    assert measured_preprocessing(dataset, np.array([0]), PAPER).mean == (20, 40, 60)


def test_the_scale_moves_the_crop_of_areas_but_not_that_of_the_paper(two_pictures: Path) -> None:
    preprocessing = measured_preprocessing(open_dataset(two_pictures, "train"), np.arange(2), SMALL)
    area = at_scale(preprocessing, SMALL, 40)
    assert (area.resize, area.crop) == (40, 40)
    paper = at_scale(preprocessing, PAPER, 384)
    assert (paper.resize, paper.crop) == (384, 224)


def test_no_readable_picture_is_an_error(two_pictures: Path) -> None:
    for file in two_pictures.rglob("*.png"):
        file.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="none of its pictures can be read"):
        measured_preprocessing(open_dataset(two_pictures, "train"), np.arange(2), SMALL)
