"""Labelled pictures in folders and in Parquet, whole and broken."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from bad_pictures import BAD_PICTURES, encoded

from vggnet.data import FolderDataset, ParquetDataset, open_dataset, picture
from vggnet.image import PictureError, open_picture
from vggnet.labels import Label

PICTURE = encoded("PNG")
IMAGE = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])


def write_folder(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(PICTURE)
    return root


def write_parquet(
    path: Path,
    labels: list[Any],
    pictures: list[Any] | None = None,
    names: list[str] | None = None,
    rows: int = 2,
) -> Path:
    """A file in the Hugging Face layout, `rows` to a row group."""
    images = [{"bytes": PICTURE, "path": None} for _ in labels] if pictures is None else pictures
    table = arrow.table(
        {"image": arrow.array(images, IMAGE), "label": arrow.array(labels, "int64")}
    )
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        info = {"info": {"features": features}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=rows)
    return path


# --- folders


def test_a_folder_of_class_folders(tmp_path: Path) -> None:
    root = write_folder(
        tmp_path, "n02123045/b.png", "n02123045/deep/a.JPG", "dog/c.png", "dog/.hidden.png"
    )
    write_folder(root, "dog/notes.txt", "empty/notes.txt", "stray.png")
    dataset = open_dataset(root, "train")
    assert isinstance(dataset, FolderDataset)
    assert dataset.classes == (Label(0, "", "dog"), Label(1, "n02123045", "tabby, tabby cat"))
    assert dataset.labels.dtype == np.int64
    where = [str(root / name) for name in ("dog/c.png", "n02123045/b.png", "n02123045/deep/a.JPG")]
    assert [dataset.where(index) for index in range(3)] == where
    np.testing.assert_array_equal(dataset.labels, [0, 1, 1])
    assert dataset.read(0) == PICTURE
    assert picture(dataset, 2).tobytes() == open_picture(PICTURE).tobytes()


@pytest.mark.parametrize("word", ["validation", "val", "valid", "test"])
def test_the_splits_of_a_folder(tmp_path: Path, word: str) -> None:
    write_folder(tmp_path, "train/a/1.png", "train/a/2.png", f"{word}/a/3.png")
    assert open_dataset(tmp_path, "train").name == str(tmp_path / "train")
    assert len(open_dataset(tmp_path, "train").labels) == 2
    assert open_dataset(tmp_path, "validation").name == str(tmp_path / word)


def test_a_folder_without_splits_is_given_whole(tmp_path: Path) -> None:
    write_folder(tmp_path, "cat/1.png", "dog/2.png")
    for split in ("train", "validation"):
        assert len(open_dataset(tmp_path, split).labels) == 2


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
    with pytest.raises(ValueError, match="split 'dev' must be one of train, validation"):
        open_dataset(tmp_path / "flat", "dev")


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    root = write_folder(tmp_path, "a/1.png", "a/2.png", "a/gone.png")
    cut = BAD_PICTURES["a PNG cut in the middle"](root / "a")
    empty = BAD_PICTURES["an empty file"](root / "a")
    folder = BAD_PICTURES["a folder named .jpg"](root / "a")
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
        str(folder): f"{folder}: cannot be read: Is a directory",
        str(
            root / "a/gone.png"
        ): f"{root / 'a/gone.png'}: cannot be read: No such file or directory",
    }


# --- Parquet


def test_parquet_in_the_hugging_face_layout(tmp_path: Path) -> None:
    pictures = [{"bytes": bytes([index]), "path": "x.png"} for index in range(7)]
    names = ["n02123045", "dog"]
    write_parquet(tmp_path / "train-00000-of-00002.parquet", [0, 1, 1, 0, 1], pictures[:5], names)
    second = write_parquet(tmp_path / "train-00001-of-00002.parquet", [1, 0], pictures[5:], names)
    dataset = open_dataset(tmp_path, "train")
    assert isinstance(dataset, ParquetDataset)
    assert dataset.name == str(tmp_path)
    assert dataset.classes == (Label(0, "n02123045", "tabby, tabby cat"), Label(1, "", "dog"))
    np.testing.assert_array_equal(dataset.labels, [0, 1, 1, 0, 1, 1, 0])
    order = [6, 0, 4, 2, 5, 3, 1]
    assert [dataset.read(index) for index in order] == [bytes([index]) for index in order]
    assert dataset.where(4) == f"{tmp_path / 'train-00000-of-00002.parquet'} row 4"
    assert dataset.where(6) == f"{second} row 1"


def test_the_splits_of_parquet(tmp_path: Path) -> None:
    for folder in (tmp_path / "flat", tmp_path / "nested" / "data"):
        write_parquet(folder / "train-0.parquet", [0, 1, 0])
        write_parquet(folder / "validation-0.parquet", [1])
        write_parquet(folder / "test-0.parquet", [-1, -1])  # the labels of a contest are hidden
    for path in (tmp_path / "flat", tmp_path / "nested", tmp_path / "flat" / "*.parquet"):
        assert len(open_dataset(path, "train").labels) == 3
        assert len(open_dataset(path, "validation").labels) == 1


def test_a_test_split_stands_in_for_validation(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0, 1, 0])
    write_parquet(tmp_path / "test-0.parquet", [0, 1])
    assert len(open_dataset(tmp_path, "validation").labels) == 2


def test_parquet_without_splits_is_given_whole(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "cats.parquet", [0, 1, 0])
    for split in ("train", "validation"):
        assert len(open_dataset(path, split).labels) == 3


def test_a_parquet_split_that_is_missing(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0])
    with pytest.raises(ValueError, match="no Parquet file of the validation split"):
        open_dataset(tmp_path, "validation")


def test_parquet_without_class_names_numbers_them(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [2, 0])
    assert [label.words for label in open_dataset(path, "train").classes] == ["0", "1", "2"]


@pytest.mark.parametrize("metadata", [b"[]", b"{", b'{"info": null}'], ids=repr)
def test_metadata_of_another_kind_is_as_good_as_none(tmp_path: Path, metadata: bytes) -> None:
    path = write_parquet(tmp_path / "a.parquet", [1, 0])
    table = parquet.read_table(path).replace_schema_metadata({"huggingface": metadata})
    parquet.write_table(table, path)
    assert [label.words for label in open_dataset(path, "train").classes] == ["0", "1"]


def test_broken_rows_are_named_and_the_others_read(tmp_path: Path) -> None:
    cut = PICTURE[: len(PICTURE) // 2]
    pictures = [{"bytes": data, "path": None} for data in (PICTURE, cut, b"", None)]
    path = write_parquet(tmp_path / "a.parquet", [0] * 6, [*pictures, None, pictures[0]])
    dataset = open_dataset(path, "train")
    faults = {}
    for index in range(6):
        try:
            picture(dataset, index)
        except PictureError as error:
            faults[index] = str(error)
    assert faults == {
        1: f"{path} row 1: cannot be read: image file is truncated",
        2: f"{path} row 2: no bytes",
        3: f"{path} row 3: cannot be read: the row holds no picture bytes",
        4: f"{path} row 4: cannot be read: the row holds no picture bytes",
    }


def test_a_damaged_page_is_a_broken_picture(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0, 0])
    data = path.read_bytes()
    assert data.find(b"PNG") > 0
    path.write_bytes(b"PAR1" + bytes(data.find(b"PNG") - 4) + data[data.find(b"PNG") :])
    dataset = open_dataset(path, "train")
    with pytest.raises(PictureError, match=re.escape(f"{path} row 0: cannot be read: ")) as error:
        picture(dataset, 0)
    assert len(str(error.value).splitlines()) == 1


def test_parquet_files_that_are_no_data(tmp_path: Path) -> None:
    one = {"image": arrow.array([{"bytes": PICTURE}]), "label": arrow.array([0])}
    tables = {
        r"column image is missing; the layout is image: struct<bytes": one | {"image": None},
        r"column image is binary; the layout": one | {"image": arrow.array([PICTURE])},
        r"column label is missing; the layout": one | {"label": None},
        r"column label is string; the layout": one | {"label": arrow.array(["cat"])},
        r"1 of 1 rows have no label": one | {"label": arrow.array([None], "int64")},
    }
    for text, columns in tables.items():
        path = tmp_path / "a.parquet"
        present = {name: column for name, column in columns.items() if column is not None}
        parquet.write_table(arrow.table(present), path)
        with pytest.raises(ValueError, match=f"^{path}: {text}"):
            open_dataset(path, "train")


def test_labels_fit_the_class_names(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0, 2], names=["cat", "dog"])
    with pytest.raises(ValueError, match="labels go from 0 to 2, but the files name 2 classes"):
        open_dataset(path, "train")
    with pytest.raises(ValueError, match="the Parquet files hold no pictures"):
        open_dataset(write_parquet(tmp_path / "b.parquet", []), "train")


def test_files_of_different_classes_do_not_mix(tmp_path: Path) -> None:
    write_parquet(tmp_path / "train-0.parquet", [0], names=["cat", "dog"])
    write_parquet(tmp_path / "train-1.parquet", [0], names=["dog", "cat"])
    with pytest.raises(
        ValueError, match=r"train-1.parquet: its 2 class names are not the 2 of .*-0"
    ):
        open_dataset(tmp_path, "train")


def test_a_file_that_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    for data in (b"", b"PAR1 or not, this is text", bytes(100)):
        path = tmp_path / "a.parquet"
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"^{path}: ") as error:
            open_dataset(path, "train")
        assert len(str(error.value).splitlines()) == 1


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'vggnet\[parquet\]'"):
        open_dataset(path, "train")
