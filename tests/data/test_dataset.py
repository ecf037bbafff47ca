"""Labelled pictures in folders, whole and broken; which files and folders are whose."""

from pathlib import Path

import numpy as np
import pytest
from bad_pictures import BAD_PICTURES, forbid
from small_data import PICTURE, write_parquet

from vggnet.class_lists import Label
from vggnet.data import (
    FolderDataset,
    classes_held_back,
    classes_without_pictures,
    doubts,
    open_dataset,
    picture,
    splits,
)
from vggnet.image import PictureError, open_picture


def write_folder(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    return root


def test_a_data_set_may_hold_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    dataset = open_dataset(write_folder(tmp_path, "cat/a.png"), "train")
    dataset.read = lambda index: pixels  # type: ignore[method-assign]
    np.testing.assert_array_equal(np.asarray(picture(dataset, 0)), pixels)


# --- folders


def test_pictures_in_formats_that_are_not_read_are_told(tmp_path: Path) -> None:
    root = write_folder(tmp_path / "data", "cat/1.png", "dog/2.png")
    assert list(doubts(open_dataset(root, "train"))) == []
    write_folder(root, "cat/3.HEIC", "dog/deep/4.heic", "dog/5.cr2", "dog/notes.txt")
    (told,) = doubts(open_dataset(root, "train"))
    assert told == f"{root}: passed over 3 pictures in formats that are not read: 2 .heic, 1 .cr2"


def test_classes_that_look_like_splits_are_told(tmp_path: Path) -> None:
    """As archives have them: training_set/training_set/cats and test_set/test_set/cats."""
    for part in ("fit_set", "test_set"):
        write_folder(tmp_path, f"{part}/{part}/cats/1.png", f"{part}/{part}/dogs/2.png")
    (told,) = doubts(open_dataset(tmp_path, "train"))
    assert "fit_set and test_set are taken for classes, and both hold folders cats and dogs" in told


def test_one_folder_that_classes_share_makes_no_splits_of_them(tmp_path: Path) -> None:
    write_folder(tmp_path, "cat/2024/1.png", "dog/2024/2.png", "dog/2025/3.png", "cow/2025/4.png")
    assert list(doubts(open_dataset(tmp_path, "train"))) == []


def test_classes_of_which_all_pictures_are_held_back_are_named(tmp_path: Path) -> None:
    write_folder(tmp_path, "cat/1.png", "cat/2.png", "cow/1.png", "n02123045/1.png", "wolf/no.txt")
    dataset = open_dataset(tmp_path, "train")
    assert classes_held_back(dataset, np.array([0, 1, 2])) == "n02123045"
    assert classes_held_back(dataset, np.array([1])) == "cow, n02123045"
    assert classes_held_back(dataset, np.arange(4)) == ""


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    root = write_folder(
        tmp_path, "n02123045/b.png", "n02123045/deep/a.JPG", "dog/c.png", "dog/.hidden.png"
    )
    write_folder(root, "dog/notes.txt", "stray.png")
    dataset = open_dataset(root, "train")
    assert isinstance(dataset, FolderDataset)
    assert dataset.classes == (Label(0, "", "dog"), Label(1, "n02123045", "tabby, tabby cat"))
    assert dataset.labels.dtype == np.int64
    where = [str(root / name) for name in ("dog/c.png", "n02123045/b.png", "n02123045/deep/a.JPG")]
    assert [dataset.where(index) for index in range(3)] == where
    np.testing.assert_array_equal(dataset.labels, [0, 1, 1])
    assert dataset.read(0) == PICTURE
    assert picture(dataset, 2).tobytes() == open_picture(PICTURE).tobytes()


def test_a_class_folder_without_pictures_keeps_its_index(tmp_path: Path) -> None:
    """Else the classes after it would be others than in the split that has pictures of it."""
    write_folder(tmp_path, "cat/1.png", "dog/notes.txt", "n02123045/deep/no.txt", "wolf/2.png")
    dataset = open_dataset(tmp_path, "train")
    assert [label.name for label in dataset.classes] == ["cat", "dog", "tabby", "wolf"]
    np.testing.assert_array_equal(dataset.labels, [0, 3])
    assert classes_without_pictures(dataset) == "dog, n02123045"


@pytest.mark.parametrize(
    ("word", "split"),
    [
        ("validation", "validation"),
        ("val", "validation"),
        ("valid", "validation"),
        ("test", "test"),
        ("Test", "test"),
        ("Testing", "test"),
        ("VAL", "validation"),
    ],
)
def test_the_splits_of_a_folder(tmp_path: Path, word: str, split: str) -> None:
    write_folder(tmp_path, "train/a/1.png", "train/a/2.png", f"{word}/a/3.png")
    assert splits(tmp_path) == ("train", split)
    assert open_dataset(tmp_path, "train").name == str(tmp_path / "train")
    assert len(open_dataset(tmp_path, "train").labels) == 2
    for asked in ("validation", split):
        dataset = open_dataset(tmp_path, asked)
        assert (dataset.name, dataset.split) == (str(tmp_path / word), split)


@pytest.mark.parametrize("word", ["Train", "TRAIN", "training", "Training"])
def test_a_training_split_however_it_is_written_is_no_class(tmp_path: Path, word: str) -> None:
    """Else a net would learn to tell training pictures from test pictures, without a word."""
    write_folder(tmp_path, f"{word}/a/1.png", f"{word}/b/2.png", "Test/a/3.png", "Test/b/4.png")
    dataset = open_dataset(tmp_path, "train")
    assert (dataset.name, dataset.split) == (str(tmp_path / word), "train")
    assert [label.words for label in dataset.classes] == ["a", "b"]


def test_validation_and_test_are_two_splits(tmp_path: Path) -> None:
    write_folder(tmp_path, "train/a/1.png", "val/a/2.png", "test/a/3.png")
    assert splits(tmp_path) == ("train", "validation", "test")
    for split, word in (("validation", "val"), ("test", "test")):
        assert open_dataset(tmp_path, split).name == str(tmp_path / word)


def test_a_folder_without_splits_is_given_whole(tmp_path: Path) -> None:
    write_folder(tmp_path, "cat/1.png", "dog/2.png")
    assert splits(tmp_path) == ()
    for split in ("train", "validation", "test"):
        dataset = open_dataset(tmp_path, split)
        assert (len(dataset.labels), dataset.split) == (2, None)


@pytest.mark.parametrize(("there", "missing"), [("val", "train"), ("train", "validation")])
def test_one_split_alone_is_a_split(tmp_path: Path, there: str, missing: str) -> None:
    write_folder(tmp_path, f"{there}/cat/1.png", f"{there}/dog/2.png")
    split = "validation" if there == "val" else there
    dataset = open_dataset(tmp_path, split)
    assert [label.words for label in dataset.classes] == ["cat", "dog"]
    with pytest.raises(ValueError, match=f"no folder of the {missing} split beside .*{there}; put"):
        open_dataset(tmp_path, missing)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    write_folder(tmp_path, "bus/1.png", "train/2.png", "test/3.png")
    for split in ("train", "validation"):
        classes = open_dataset(tmp_path, split).classes
        assert [label.words for label in classes] == ["bus", "test", "train"]


def test_what_is_hidden_and_what_is_no_file_is_left_out(tmp_path: Path) -> None:
    write_folder(tmp_path, ".git/1.png", ".ipynb_checkpoints/cat/2.png", "cat/.thumbnails/3.png")
    write_folder(tmp_path, "cat/4.png", "cat/.5.png")
    for kind in ("a folder named .jpg", "a pipe that nobody writes to"):
        BAD_PICTURES[kind](tmp_path / "cat")
    dataset = open_dataset(tmp_path, "train")
    assert [label.words for label in dataset.classes] == ["cat"]
    assert (
        [dataset.where(0)] == [str(file) for file in dataset.files] == [str(tmp_path / "cat/4.png")]
    )


def test_parquet_files_are_regular_and_not_hidden(tmp_path: Path) -> None:
    good = write_parquet(tmp_path / "train[1].parquet", [0, 1])
    (tmp_path / "._train.parquet").write_bytes(b"what macOS leaves on other disks")
    (tmp_path / "b.parquet").mkdir()
    for path in (tmp_path, good, tmp_path / "*"):
        assert len(open_dataset(path, "train").labels) == 2


def test_a_class_folder_that_cannot_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_folder(tmp_path, "cat/a.png", "dog/b.png")
    forbid(monkeypatch, root / "dog")
    with pytest.raises(ValueError, match=f"^{root / 'dog'}: cannot be read: Permission denied$"):
        open_dataset(root, "train")


def test_folders_that_are_no_data(tmp_path: Path) -> None:
    write_folder(tmp_path, "flat/1.png", "split/train/a/1.png")
    with pytest.raises(ValueError, match="flat: it holds no class folders with pictures"):
        open_dataset(tmp_path / "flat", "train")
    with pytest.raises(
        ValueError, match=r"split: no folder of the validation split beside .*train"
    ):
        open_dataset(tmp_path / "split", "validation")
    with pytest.raises(ValueError, match="nowhere: there is no such folder or Parquet file"):
        open_dataset(tmp_path / "nowhere", "train")
    with pytest.raises(ValueError, match="nowhere: there is no such folder or Parquet file"):
        splits(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="split 'dev' must be one of train, validation, test"):
        open_dataset(tmp_path / "flat", "dev")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "a/1.png", "a/2.png", "a/gone.png")
    cut = BAD_PICTURES["a PNG cut in the middle"](root / "a")
    empty = BAD_PICTURES["an empty file"](root / "a")
    lost = BAD_PICTURES["a link to nothing"](root / "a")
    dataset = FolderDataset(root)
    (root / "a" / "gone.png").unlink()
    faults = {}
    for index in range(len(dataset.labels)):
        try:
            picture(dataset, index)
        except PictureError as error:
            faults[dataset.where(index)] = str(error)
    assert faults == {
        str(cut): f"{cut}: cannot be read: image file is truncated",
        str(empty): f"{empty}: no bytes",
        str(lost): f"{lost}: cannot be read: No such file or directory",
        str(
            root / "a/gone.png"
        ): f"{root / 'a/gone.png'}: cannot be read: No such file or directory",
    }


# --- the files of a split


def test_the_splits_of_parquet(tmp_path: Path) -> None:
    for folder in (tmp_path / "flat", tmp_path / "nested" / "data"):
        write_parquet(folder / "train-0.parquet", [0, 1, 0])
        write_parquet(folder / "validation-0.parquet", [1])
        write_parquet(folder / "test-0.parquet", [-1, -1])  # the labels of a contest are hidden
    for path in (tmp_path / "flat", tmp_path / "nested", tmp_path / "flat" / "*.parquet"):
        assert len(open_dataset(path, "train").labels) == 3
        assert len(open_dataset(path, "validation").labels) == 1
        assert open_dataset(path, "validation").split == "validation"


@pytest.mark.parametrize("name", ["{}_0", "{}.0", "{}0", "{}-00000-of-00001", "{}"])
def test_a_parquet_file_may_be_named_in_many_ways(tmp_path: Path, name: str) -> None:
    write_parquet(tmp_path / f"{name.format('train')}.parquet", [0, 1, 0])
    write_parquet(tmp_path / f"{name.format('val')}.parquet", [1])
    assert splits(tmp_path) == ("train", "validation")
    assert len(open_dataset(tmp_path, "train").labels) == 3
    assert len(open_dataset(tmp_path, "validation").labels) == 1


@pytest.mark.parametrize("words", [("Train", "Val"), ("training", "VALIDATION")])
def test_a_parquet_split_may_be_written_otherwise(tmp_path: Path, words: tuple[str, str]) -> None:
    """Else the validation pictures would be trained on."""
    write_parquet(tmp_path / f"{words[0]}-0.parquet", [0, 1, 0])
    write_parquet(tmp_path / f"{words[1]}-0.parquet", [1])
    assert splits(tmp_path) == ("train", "validation")
    assert len(open_dataset(tmp_path, "train").labels) == 3


def test_a_word_that_begins_like_a_split_is_none(tmp_path: Path) -> None:
    for name in ("trains", "values", "tested"):
        write_parquet(tmp_path / f"{name}.parquet", [0, 1])
    assert splits(tmp_path) == ()
    assert len(open_dataset(tmp_path, "train").labels) == 6


def test_a_parquet_file_of_no_split_beside_one_of_a_split_is_named(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0, 1, 0])
    write_parquet(tmp_path / "more.parquet", [1])
    for look in (splits, lambda path: open_dataset(path, "train")):
        with pytest.raises(
            ValueError, match=r"more\.parquet: of which split\? Beside train-0\.parquet"
        ):
            look(tmp_path)  # type: ignore[operator]


def test_a_test_split_stands_in_for_validation(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0, 1, 0])
    write_parquet(tmp_path / "test-0.parquet", [0, 1])
    dataset = open_dataset(tmp_path, "validation")
    assert (len(dataset.labels), dataset.split) == (2, "test")


def test_parquet_without_splits_is_given_whole(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "cats.parquet", [0, 1, 0])
    for split in ("train", "validation"):
        assert len(open_dataset(path, split).labels) == 3


def test_a_parquet_split_that_is_missing(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0])
    with pytest.raises(ValueError, match="no Parquet file of the validation split"):
        open_dataset(tmp_path, "validation")
