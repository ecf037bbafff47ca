"""Batches of the command line's pictures: order, bounds, and the bad ones in their place."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import forbid
from PIL import Image

from vggnet.cli import pictures
from vggnet.cli.pictures import Batch, find
from vggnet.cli.pictures import batches as batches_of
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess

SQUARE = Preprocess(8, 8, 1.0, (0.0, 0.0, 0.0))


def write(folder: Path, shades: list[int], side: int = 9) -> list[str]:
    """A grey picture a shade, so that a picture can be told by its values."""
    paths = []
    for shade in shades:
        path = folder / f"{shade:03}.png"
        Image.new("RGB", (side, side + shade % 3), (shade,) * 3).save(path)
        paths.append(str(path))
    return paths


def batches(paths: list[str], preprocessing: Preprocess) -> Iterator[Batch]:
    return batches_of(find(paths), preprocessing)


def shades(batch: Batch) -> list[int]:
    return [int(image_CHW[0, 0, 0]) for image_CHW in batch.images_CHW]


def test_order_is_kept_and_the_bad_stand_in_their_place(tmp_path: Path) -> None:
    paths = write(tmp_path, list(range(70)))
    asked = [paths[0], "nowhere.png", *paths[1:], __file__, str(tmp_path), "http://a.example/b.png"]
    found = list(batches(asked, SQUARE))
    names = [name for batch in found for name, _ in batch.pictures]
    assert names == [*asked[:-2], *paths, asked[-1]]
    faults = [name for batch in found for name, fault in batch.pictures if fault]
    assert faults == ["nowhere.png", __file__, "http://a.example/b.png"]
    for batch in found:
        good = [int(Path(name).stem) for name, fault in batch.pictures if fault is None]
        assert shades(batch) == good
        assert batch.images_NCHW.shape == (len(good), 3, 8, 8)
    assert max(len(batch.images_CHW) for batch in found) == 32
    assert len(found) == 5  # 140 pictures


def test_a_folder_that_cannot_be_read_is_a_fault_beside_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write(tmp_path, [1, 2])
    (closed := tmp_path / "closed").mkdir()
    forbid(monkeypatch, closed)
    *good, (name, fault) = find([str(tmp_path)])
    assert good == [(path, path) for path in paths]
    assert (name, str(fault)) == (str(closed), f"{closed}: cannot be read: Permission denied")


def test_a_batch_is_bounded_by_its_numbers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "_BATCH_NUMBERS", 3 * 3 * 8 * 8)
    paths = write(tmp_path, [0, 1, 2, 3, 4, 5, 6])
    assert [shades(batch) for batch in batches(paths, SQUARE)] == [[0, 1, 2], [3, 4, 5], [6]]
    monkeypatch.setattr(pictures, "_BATCH_NUMBERS", 1)  # one picture is the least
    assert [shades(batch) for batch in batches(paths[:2], SQUARE)] == [[0], [1]]


def test_sizes_that_differ_do_not_share_a_batch(tmp_path: Path) -> None:
    whole = Preprocess(None, None, 1.0, (0.0, 0.0, 0.0))
    paths = write(tmp_path, [0, 3, 1, 4, 2])
    found = list(batches(paths, whole))
    assert [shades(batch) for batch in found] == [[0, 3], [1, 4], [2]]
    assert found[1].images_NCHW.shape == (2, 3, 10, 9)


def test_only_bad_pictures_and_none(tmp_path: Path) -> None:
    (batch,) = batches(["nowhere.png", str(tmp_path)], SQUARE)
    assert [name for name, _ in batch.pictures] == ["nowhere.png", str(tmp_path)]
    assert all(isinstance(fault, PictureError) for _, fault in batch.pictures)
    assert batch.images_CHW == []
    assert list(batches([], SQUARE)) == []


def test_few_pictures_are_prepared_before_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    def counting(picture: str, name: str) -> np.ndarray:
        opened.append(picture)
        return np.zeros((3, 8, 8), np.float32)

    found = batches(write(tmp_path, list(range(200))), counting)  # type: ignore[arg-type]
    next(found)
    assert len(opened) <= 32 + 1 + pictures._AHEAD
    found.close()
    assert len(opened) <= 32 + 1 + pictures._AHEAD
