"""vggnet.training.batches.held_back: what is held back, and its crops, decoded once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest
from PIL import Image
from small_data import SMALL as RECIPE

from vggnet.data import Dataset, open_dataset, picture
from vggnet.evaluation import Score
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess
from vggnet.training.batches.held_back import HeldBack, share, split, together

SMALL, LARGE = (Preprocess(size, 32, 1 / 255, (0.5, 0.4, 0.3)) for size in (32, 40))


def test_the_seed_picks_what_is_held_back() -> None:
    training, held_back = split(60, RECIPE)
    assert (len(training), len(held_back)) == (50, 10)
    assert sorted([*training, *held_back]) == list(range(60))
    assert (split(60, RECIPE)[1] == held_back).all()
    assert (split(60, replace(RECIPE, seed=1))[1] != held_back).any()


def test_too_few_pictures_name_the_option() -> None:
    text = "leaves none of 60 pictures to train on; choose a smaller --holdout"
    with pytest.raises(ValueError, match=text):
        split(60, replace(RECIPE, holdout=60))


def test_crops_are_what_the_preprocessing_makes(pictures: Path) -> None:
    dataset = open_dataset(pictures, "train")
    held_back = HeldBack(dataset, 2**20)
    for preprocessing in (SMALL, LARGE, SMALL):
        crop = held_back.crops(preprocessing)
        for index in (3, 7):
            expected = preprocessing(picture(dataset, index))
            found = preprocessing.pixels_to_input(crop(index)[np.newaxis])[0]
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("most", "decoded"), [(2**20, 2), (32 * 32 * 3, 3), (0, 4)])
def test_what_fits_is_decoded_once(
    most: int, decoded: int, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(
        "vggnet.training.batches.held_back.picture",
        lambda dataset, index: seen.append(index) or picture(dataset, index),
    )
    crop = HeldBack(open_dataset(pictures, "train"), most).crops(SMALL)
    first, again = ([crop(index).tobytes() for index in (3, 7)] for _ in range(2))
    assert first == again
    assert len(seen) == decoded


def test_what_two_threads_decode_at_once_is_counted_once(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, seen = Barrier(2), []

    def together(dataset: Dataset, index: int) -> Image.Image:
        seen.append(index)
        if index == 3:
            both.wait(timeout=60)
        return picture(dataset, index)

    monkeypatch.setattr("vggnet.training.batches.held_back.picture", together)
    crop = HeldBack(open_dataset(pictures, "train"), 2 * 32 * 32 * 3).crops(SMALL)
    with ThreadPoolExecutor(2) as pool:
        one, two = pool.map(crop, (3, 3))
    np.testing.assert_array_equal(one, two)
    for _ in range(2):
        crop(7)  # for which there is room
    assert seen == [3, 3, 7]


def test_the_memory_is_shared_by_number() -> None:
    assert share(1000, 90, 10) == 100
    assert share(1000, 90, 0) == 0


def test_a_broken_picture_is_named_each_time(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.png").write_bytes(b"nonsense")
    crop = HeldBack(open_dataset(tmp_path, "train"), 2**20).crops(SMALL)
    for _ in range(2):
        with pytest.raises(PictureError, match=r"broken\.png: not a"):
            crop(0)


def test_the_score_of_several_processes_is_that_of_all_their_pictures() -> None:
    first = Score(2 / 3, 1.0, 3, "centre crop", 10.0, ("a",))
    second = Score(0.0, 0.5, 2, "centre crop", 20.0, ("b",))
    assert together([first, None, second]) == Score(
        2 / 5, 4 / 5, 5, "centre crop", 30.0, ("a", "b")
    )
    assert together([first]) is first
