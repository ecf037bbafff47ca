"""vggnet.data.fingerprint and vggnet.differences: what is another is noticed, and named."""

from pathlib import Path

import pytest
from small_data import write_parquet, write_pictures

from vggnet.data import open_dataset
from vggnet.data.fingerprint import data_differences, fingerprint
from vggnet.differences import differences


def _fingerprint(path: Path):  # type: ignore[no-untyped-def]
    return fingerprint(open_dataset(path, "train"))


def test_the_fingerprint_tells_data_sets_apart_without_their_place(tmp_path: Path) -> None:
    here, there = (write_pictures(tmp_path / name / "pictures") for name in ("here", "there"))
    first = _fingerprint(here)
    assert first["name"] == "pictures"
    assert (first["pictures"], first["classes"]) == (60, 3)
    assert data_differences(first, _fingerprint(there)) == ""
    dataset = open_dataset(here, "train")
    dataset.labels = dataset.labels.copy()
    dataset.labels[0] = 2
    assert data_differences(first, fingerprint(dataset)) == "the classes of pictures differ"


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("green", "lime", "class 1 'green' there and 'lime' here, names or rows of files differ"),
        (
            "blue",
            "yellow",
            "class 0 'blue' there and 'green' here, names or rows of files differ",
        ),
        ("red/003.png", "red/0030.png", "names or rows of files differ"),
    ],
)
def test_names_count(old: str, new: str, text: str, tmp_path: Path) -> None:
    """All classes have twenty pictures, so that the labels alone are the same."""
    folder = write_pictures(tmp_path / "data")
    first = _fingerprint(folder)
    (folder / old).rename(folder / new)
    assert data_differences(first, _fingerprint(folder)) == text


def test_of_parquet_the_files_and_their_rows_count(tmp_path: Path) -> None:
    for folder, rows in (("one", (3, 2)), ("two", (2, 3))):
        labels = iter([0, 1, 0, 1, 1])
        for number, count in enumerate(rows):
            path = tmp_path / folder / "data" / f"train-{number}.parquet"
            write_parquet(path, [next(labels) for _ in range(count)], names=["cat", "dog"])
    one, two = (_fingerprint(tmp_path / name) for name in ("one", "two"))
    assert one["class_names"] == ["cat", "dog"]
    assert data_differences(one, two) == "names or rows of files differ"
    path = tmp_path / "one" / "data" / "train-1.parquet"
    path.rename(path.with_name("train-2.parquet"))
    assert data_differences(one, _fingerprint(tmp_path / "one")) == "names or rows of files differ"


def test_names_of_files_that_are_no_text_count(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    (folder / "red" / "003.png").rename(folder / "red" / "\udcff.png")
    first = _fingerprint(folder)
    (folder / "red" / "\udcff.png").rename(folder / "red" / "\udcfe.png")
    assert data_differences(first, _fingerprint(folder)) == "names or rows of files differ"


def test_a_fingerprint_of_the_first_version_is_compared_in_what_it_holds(tmp_path: Path) -> None:
    found = _fingerprint(write_pictures(tmp_path / "data"))
    first = {name: found[name] for name in ("name", "pictures", "classes", "labels_sha256")}
    assert data_differences(first, found) == ""
    assert data_differences(first | {"labels_sha256": "0"}, found) == (
        "the classes of pictures differ"
    )
    assert data_differences(first | {"pictures": 6}, found) == "pictures 6 there and 60 here"
    assert data_differences(first | {"name": "old"}, found) == "name 'old' there and 'data' here"


def test_a_folder_may_be_renamed(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    first = _fingerprint(folder)
    found = _fingerprint(folder.rename(tmp_path / "renamed"))
    assert (first["name"], found["name"]) == ("data", "renamed")
    assert data_differences(first, found) == ""


def test_differences_are_of_what_is_asked_alone() -> None:
    saved = {"width": 0.5, "seed": 3}
    assert differences(saved, {"seed": 3}) == ""
    assert differences(saved, {}) == ""
    assert differences(saved, {"width": 1.0, "seed": 4}) == (
        "width 0.5 there and 1.0 here, seed 3 there and 4 here"
    )


def test_differences_are_named_by_their_path() -> None:
    saved = {"nets": [{"weights": "a", "protocol": {"name": "dense", "scales": [20, 24]}}]}
    asked = {"nets": [{"weights": "b", "protocol": {"name": "single", "scales": (20,)}}]}
    assert differences(saved, saved) == ""
    assert differences(saved, asked) == (
        "nets 0 weights 'a' there and 'b' here, nets 0 protocol name 'dense' there and 'single' "
        "here, nets 0 protocol scales 1 24 there and None here"
    )
    assert differences(saved, asked | {"seed": 3}).endswith(" and 1 more")
