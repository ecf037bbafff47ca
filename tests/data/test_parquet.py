"""Labelled pictures in Parquet, whole and broken."""

import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from small_data import PICTURE, write_parquet

from vggnet.class_lists import Label
from vggnet.data import open_dataset, picture
from vggnet.data.parquet import ParquetDataset
from vggnet.image import PictureError


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


def test_what_a_schema_says_is_shown_on_one_line(tmp_path: Path) -> None:
    images = arrow.array([{"a\n\x1b" * 50_000: 1}])
    table = arrow.table({"image": images, "label": arrow.array([0])})
    parquet.write_table(table, tmp_path / "train.parquet")
    with pytest.raises(ValueError, match=r"column image is struct<a\\n\\x1ba") as error:
        open_dataset(tmp_path / "train.parquet", "train")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 3000


def test_class_names_in_json_without_end_are_none(tmp_path: Path) -> None:
    columns = {"image": arrow.array([{"bytes": PICTURE}]), "label": arrow.array([0])}
    table = arrow.table(columns).replace_schema_metadata({"huggingface": "[" * 200_000})
    parquet.write_table(table, tmp_path / "train.parquet")
    assert [label.name for label in open_dataset(tmp_path / "train.parquet", "train").classes] == [
        "0"
    ]


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


class CountedReads:
    """How many row groups are read, by standing in for the method of a file that reads them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.num = 0
        original = parquet.ParquetFile.read_row_group

        def read_row_group(*arguments: object, **options: object) -> arrow.Table:
            self.num += 1
            return original(*arguments, **options)

        monkeypatch.setattr(parquet.ParquetFile, "read_row_group", read_row_group)


SHUFFLED = [5, 0, 2, 4, 1, 3, 6, 2]


def write_numbered(folder: Path) -> list[bytes]:
    """Seven rows in four row groups of two files; the pictures are of 1000 bytes each."""
    pictures = [bytes([number]) * 1000 for number in range(7)]
    rows = [{"bytes": data, "path": None} for data in pictures]
    write_parquet(folder / "train-0.parquet", [0] * 4, rows[:4])
    write_parquet(folder / "train-1.parquet", [0] * 3, rows[4:])
    return pictures


def test_in_order_each_group_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = write_numbered(tmp_path)
    dataset = ParquetDataset(sorted(tmp_path.iterdir()))
    reads = CountedReads(monkeypatch)
    assert [dataset.read(index) for index in range(7)] == pictures
    assert reads.num == 4
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(dataset.read, [0, 1] * 10)) == pictures[:2] * 10
    assert reads.num == 5


@pytest.mark.parametrize("limit", [100_000, 3_000, 0], ids=["memory", "some", "scratch"])
def test_what_is_kept_is_not_read_again(
    tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = write_numbered(tmp_path)
    dataset = ParquetDataset(sorted(tmp_path.iterdir()))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    reads = CountedReads(monkeypatch)
    assert dataset.keep(limit, scratch)
    assert reads.num <= 4 + 1  # the one that was too much is read twice
    assert list(scratch.iterdir()) == []
    before = reads.num
    assert [dataset.read(index) for index in SHUFFLED] == [pictures[index] for index in SHUFFLED]
    assert reads.num == before


def test_single_pictures_may_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = write_numbered(tmp_path)
    dataset = ParquetDataset(sorted(tmp_path.iterdir()))
    dataset.keep_these([5, 0])
    reads = CountedReads(monkeypatch)
    assert [dataset.read(index) for index in (0, 5, 0, 5)] == [pictures[0], pictures[5]] * 2
    assert reads.num == 0
    assert dataset.read(3) == pictures[3]
    assert reads.num == 1


def test_what_can_be_kept_is_foretold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_numbered(tmp_path)
    dataset = ParquetDataset(sorted(tmp_path.iterdir()))
    reads = CountedReads(monkeypatch)
    assert dataset.can_keep(0, tmp_path)
    assert not dataset.can_keep(0, tmp_path / "gone")
    full = shutil.disk_usage(tmp_path)._replace(free=9_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert not dataset.can_keep(5_000, tmp_path)
    assert dataset.can_keep(50_000, tmp_path)
    assert reads.num == 0


@pytest.mark.parametrize("scratch", [None, ".", "gone"])
def test_without_room_as_many_are_kept_as_fit(
    tmp_path: Path, scratch: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = write_numbered(tmp_path)
    dataset = ParquetDataset(sorted(tmp_path.iterdir()))
    if scratch != "gone":
        full = shutil.disk_usage(tmp_path)._replace(free=9_000)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert not dataset.keep(5_000, scratch and tmp_path / scratch)
    reads = CountedReads(monkeypatch)
    assert [dataset.read(index) for index in SHUFFLED] == [pictures[index] for index in SHUFFLED]
    assert reads.num == 2  # the groups that the last three pictures are in


def test_damaged_groups_are_named_though_the_others_are_kept(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0] * 4)
    data = path.read_bytes()
    path.write_bytes(b"PAR1" + bytes(data.find(b"PNG") - 4) + data[data.find(b"PNG") :])
    dataset = ParquetDataset([path])
    for limit in (10**6, 0):
        assert dataset.keep(limit, tmp_path)
        with pytest.raises(PictureError, match=re.escape(f"{path} row 1: cannot be read: ")):
            picture(dataset, 1)
        assert dataset.read(2) == PICTURE


def test_rows_without_bytes_stay_so_when_kept(tmp_path: Path) -> None:
    rows = [{"bytes": PICTURE, "path": None}, {"bytes": None, "path": None}, None]
    dataset = ParquetDataset([write_parquet(tmp_path / "a.parquet", [0] * 3, rows)])
    for limit in (10**6, 0):
        assert dataset.keep(limit, tmp_path)
        for row in (1, 2):
            with pytest.raises(ValueError, match="the row holds no picture bytes"):
                dataset.read(row)


def test_without_pyarrow_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_parquet(tmp_path / "a.parquet", [0])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'vggnet\[parquet\]'"):
        open_dataset(path, "train")
