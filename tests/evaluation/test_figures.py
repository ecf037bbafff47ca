"""vggnet.evaluation.figures: pictures that show what they are given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vggnet.evaluation import figures
from vggnet.evaluation.calibration import calibration
from vggnet.evaluation.figures import draw_confusion, draw_mistakes, draw_reliability
from vggnet.evaluation.reports import ClassAccuracy, Mistake


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def share_of(path: Path, colour: tuple[int, int, int], within: int = 30) -> float:
    return float((np.abs(pixels(path) - colour).max(axis=2) <= within).mean())


def classes(number: int) -> list[ClassAccuracy]:
    return [ClassAccuracy(i, f"class {i}", 10, 0.5, 1.0, "") for i in range(number)]


@pytest.mark.parametrize("number", [3, 120])
def test_a_matrix_that_is_right_is_blue_on_its_diagonal(tmp_path: Path, number: int) -> None:
    right, wrong = tmp_path / "right.png", tmp_path / "wrong.png"
    draw_confusion(10 * np.eye(number, dtype=np.int64), classes(number), right)
    spread = np.full((number, number), 10, np.int64)
    draw_confusion(spread, classes(number), wrong)
    blue = (0, 0x72, 0xB2)
    assert share_of(right, blue) > (0.1 if number == 3 else 0.005)
    assert share_of(wrong, blue) < share_of(right, blue)


def test_classes_without_pictures_have_no_row(tmp_path: Path) -> None:
    counts = np.zeros((50, 50), np.int64)
    counts[7, 7] = counts[9, 9] = counts[9, 30] = 4
    shown = [replace(classes(50)[i], index=i) for i in (7, 9)]
    draw_confusion(counts, shown, tmp_path / "two.png")
    assert share_of(tmp_path / "two.png", (0, 0x72, 0xB2)) > 0.05


def test_a_calibrated_net_lies_on_the_diagonal(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    posteriors = random.dirichlet((0.4,) * 5, 3000)
    right = (posteriors.cumsum(axis=1) > random.random((3000, 1))).argmax(axis=1)
    wrong = (posteriors.argmax(axis=1) + 1) % 5
    blue = []
    for name, targets in (("right", right), ("wrong", wrong)):
        draw_reliability(calibration(posteriors, targets), tmp_path / f"{name}.png")
        blue.append(share_of(tmp_path / f"{name}.png", (0, 0x72, 0xB2)))
    assert blue[0] > 0.15
    assert blue[1] < 0.02


def test_a_contact_sheet_shows_the_pictures(tmp_path: Path) -> None:
    red = Image.new("RGB", (300, 100), (210, 40, 50))
    found = [(Mistake(i, f"{i}.png", 0, 1, 0.9, 0.004), red) for i in range(8)]
    draw_mistakes(found, ["a class with a very long name indeed", "fox"], tmp_path / "a.png")
    assert share_of(tmp_path / "a.png", (210, 40, 50)) > 0.1
    draw_mistakes(found[:1], ["a", "b"], tmp_path / "one.png")
    assert share_of(tmp_path / "one.png", (210, 40, 50)) > 0.15


def test_long_names_and_small_shares_are_shortened() -> None:
    assert figures._shortened("a class with a very long name") == "a class with a very lon…"
    assert (figures._percent(0.004), figures._percent(0.9)) == ("<1%", "90%")


def test_names_are_drawn_as_they_are(tmp_path: Path) -> None:
    """A formula that is none, letters that the font may lack, and the bytes of a folder's name in
    another encoding are no reason to fail."""
    picture = Image.new("RGB", (30, 30))
    found = [(Mistake(0, "0.png", 0, 1, 0.9, 0.1), picture)]
    draw_mistakes(found, [r"$\frac{$", "埃及猫\udce9"], tmp_path / "a.png")
    named = [replace(each, name="$\\frac{$ 猫\udce9") for each in classes(3)]
    draw_confusion(np.eye(3, dtype=np.int64), named, tmp_path / "b.png")
    assert share_of(tmp_path / "b.png", (0, 0x72, 0xB2)) > 0.1
