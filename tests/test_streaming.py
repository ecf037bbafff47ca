"""Features of many files: their values, their order, what is broken, and how much is in memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import encoded, forbid
from PIL import Image
from small_nets import FULLY_CONNECTED, HEADLESS, random_state

from vggnet import streaming
from vggnet.image import PictureError
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.streaming import _AHEAD
from vggnet.weights.weights import Weights

SQUARE = Preprocess.torchvision(resize=18, crop=16)
AS_IT_IS = Preprocess.torchvision(resize=None, crop=None)


def model(spec: Spec, preprocessing: Preprocess = SQUARE) -> Model:
    return Model(Weights(spec, random_state(spec), preprocessing), engine="numpy")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Five pictures of noise; two are 20 x 24 and the others 24 x 20."""
    random = np.random.default_rng(2)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for number, path in enumerate(paths):
        shape = (20, 24, 3) if number in (1, 2) else (24, 20, 3)
        Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)).save(path)
    return paths


def batch_sizes(asked: Model, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets the number of pictures of each call of the engine."""
    sizes: list[int] = []
    compute = asked.engine.features

    def counting(images_NCHW: np.ndarray, names: list[str]) -> dict[str, np.ndarray]:
        sizes.append(len(images_NCHW))
        return compute(images_NCHW, names)

    monkeypatch.setattr(asked.engine, "features", counting)
    return sizes


@pytest.mark.parametrize("batch_size", [1, 2, 32])
@pytest.mark.parametrize("preprocessing", [SQUARE, AS_IT_IS], ids=["square", "as it is"])
def test_each_picture_gets_what_it_gets_alone(
    files: list[Path], preprocessing: Preprocess, batch_size: int
) -> None:
    asked = model(HEADLESS, preprocessing)
    found = list(asked.features_of(files, ["relu1_1", "conv2_1"], batch_size=batch_size))
    assert [path for path, _ in found] == [str(path) for path in files]
    for path, arrays in found:
        alone = asked.features(asked.preprocess(path), ["relu1_1", "conv2_1"])
        assert list(arrays) == list(alone)
        for name, array in arrays.items():
            assert array.dtype == np.float32
            assert array.shape == alone[name].shape[1:]
            np.testing.assert_allclose(array, alone[name][0], rtol=1e-4, atol=1e-5)


def test_pooling(files: list[Path]) -> None:
    asked = model(FULLY_CONNECTED)
    by_pool = {
        pool: dict(asked.features_of(files, ["relu2_1", "fc4"], pool=pool))
        for pool in ("none", "average", "flatten")
    }
    for path in map(str, files):
        whole = by_pool["none"][path]["relu2_1"]
        assert whole.shape == (8, 8, 8)
        averages = by_pool["average"][path]["relu2_1"]
        assert averages.dtype == np.float32
        np.testing.assert_allclose(averages, whole.mean(axis=(1, 2)), rtol=1e-5)
        assert np.array_equal(by_pool["flatten"][path]["relu2_1"], whole.reshape(-1))
        for arrays in by_pool.values():
            assert arrays[path]["fc4"].shape == (7,)


def test_a_folder_that_cannot_be_read_comes_as_its_fault(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (closed := files[0].parent / "closed").mkdir()
    forbid(monkeypatch, closed)
    found = dict(model(HEADLESS).features_of(files[0].parent, "pool1"))
    assert set(found) == {*map(str, files), str(closed)}
    assert str(found[str(closed)]) == f"{closed}: cannot be read: Permission denied"


def test_what_is_broken_comes_in_its_place(files: list[Path], tmp_path: Path) -> None:
    (broken := tmp_path / "1b.png").write_bytes(encoded("PNG")[:99])
    empty = tmp_path / "empty"
    empty.mkdir()
    paths = [files[0], broken, "nowhere.png", files[1], empty, files[2]]
    found = list(model(HEADLESS).features_of(paths, "pool1"))
    assert [path for path, _ in found] == list(map(str, paths))
    faults = [str(got) if isinstance(got, PictureError) else "" for _, got in found]
    assert faults[0] == faults[3] == faults[5] == ""
    assert faults[1].startswith(f"{broken}: ")
    assert faults[2].startswith("nowhere.png: cannot be read")
    assert faults[4].startswith(f"{empty}: no pictures in this folder")
    assert list(model(HEADLESS).features_of([], "pool1")) == []


def test_a_picture_that_the_network_cannot_take_is_a_fault_of_its_own(files: list[Path]) -> None:
    small = files[0].with_name("small.png")
    Image.new("RGB", (9, 1)).save(small)
    found = dict(model(HEADLESS, AS_IT_IS).features_of([files[0], small, files[1]], "pool1"))
    assert isinstance(found[str(small)], PictureError)
    assert str(found[str(small)]).startswith(f"{small}: spec 'headless': pictures must be at least")
    assert isinstance(found[str(files[1])], dict)


def test_one_path_and_a_folder(files: list[Path], tmp_path: Path) -> None:
    asked = model(HEADLESS)
    for paths in (tmp_path, str(tmp_path), [tmp_path]):
        assert [path for path, _ in asked.features_of(paths, "pool1")] == list(map(str, files))


def test_a_batch_is_bounded_in_pictures_and_in_numbers(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = model(HEADLESS)
    sizes = batch_sizes(asked, monkeypatch)
    list(asked.features_of(files, "relu1_1", batch_size=2))
    assert sizes == [2, 2, 1]
    sizes.clear()
    a_picture = (3 + 6) * 16 * 16  # the input, and relu1_1
    monkeypatch.setattr(streaming, "_BATCH_NUMBERS", 3 * a_picture)
    list(asked.features_of(files, "relu1_1"))
    assert sizes == [3, 2]
    sizes.clear()
    monkeypatch.setattr(streaming, "_BATCH_NUMBERS", 1)  # one picture is the least
    list(asked.features_of(files, "relu1_1"))
    assert sizes == [1] * 5


def test_what_is_kept_of_one_picture_keeps_no_batch(files: list[Path]) -> None:
    for _, arrays in model(HEADLESS).features_of(files, "pool1"):
        assert not isinstance(arrays, PictureError)
        assert arrays["pool1"].base is None


def test_nothing_is_read_before_it_is_asked_for(files: list[Path]) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        while True:
            taken += 1
            yield files[0]

    found = model(HEADLESS).features_of(endless(), "pool1", batch_size=4)
    assert taken == 0
    next(found)
    assert 4 <= taken <= 4 + _AHEAD + 1
    found.close()
    before = taken
    assert list(found) == []
    assert taken == before


def test_mistakes_are_told_at_once() -> None:
    asked = model(replace(HEADLESS, name="mine"))
    with pytest.raises(ValueError, match="spec 'mine': no layer 'relu9'"):
        asked.features_of([], "relu9")
    with pytest.raises(ValueError, match="pool 'max' must be one of none, average, flatten"):
        asked.features_of([], "pool1", pool="max")
    with pytest.raises(ValueError, match="batch size 0 must be at least 1"):
        asked.features_of([], "pool1", batch_size=0)
