"""vggnet.training.beginning: data that nothing can be learnt from are refused before a run."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_data import SMALL, Notes, write_parquet, write_pictures

from vggnet.data import open_dataset
from vggnet.training.beginning import begin, check_classes
from vggnet.training.loop import TrainingOptions


def test_class_folders_without_pictures_are_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=2)
    dataset = open_dataset(folder, "train")
    check_classes(dataset, pytest.fail)
    for name in ("grey", "mauve", "pink", "teal"):
        (folder / name).mkdir()
    text = r"data: class folders without pictures: grey, mauve, pink and 1 more; put pictures"
    with pytest.raises(ValueError, match=text):
        check_classes(open_dataset(folder, "train"), pytest.fail)


def test_one_class_is_nothing_to_learn(tmp_path: Path) -> None:
    write_pictures(tmp_path / "all", num_each=2)
    (tmp_path / "one").mkdir()
    (tmp_path / "all" / "red").rename(tmp_path / "one" / "red")
    with pytest.raises(ValueError, match=r"all of its pictures are of one class; .* two or more"):
        check_classes(open_dataset(tmp_path / "one", "train"), pytest.fail)
    file = write_parquet(tmp_path / "a.parquet", [1, 1, 1], names=["cat", "dog"])
    with pytest.raises(ValueError, match=r"all of its pictures are of one class"):
        check_classes(open_dataset(file, "train"), pytest.fail)


def test_parquet_may_name_more_classes_than_it_has_pictures_of(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", [2, 0, 2], names=["cat", "cow", "dog"])
    notes: list[str] = []
    check_classes(open_dataset(file, "train"), notes.append)
    assert notes == ["classes without pictures: cow"]


def test_what_is_not_learnt_from_is_told(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=2)
    (folder / "red" / "3.heic").write_bytes(b"a photograph")
    dataset, notes = open_dataset(folder, "train"), Notes()
    options = TrainingOptions(tmp_path / "run", reporter=notes)
    start = begin(dataset, replace(SMALL, holdout=5), options)
    (learnt,) = dataset.labels[start.training]
    others = ", ".join(label.words for label in dataset.classes if label.index != learnt)
    passed_over, held_back = notes.lines
    assert passed_over == f"{folder}: passed over 1 picture in a format that is not read: 1 .heic"
    assert held_back.startswith(f"all pictures of class {others} are held back, ")
