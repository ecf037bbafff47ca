"""Labelled pictures from a folder or from Parquet, for training and evaluation alike.

In: a path. Out: a Dataset, which knows its classes, the label of every picture, and reads one
picture at a time. Nothing is decoded here before it is asked for.

    folder   DATA/CLASS/PICTURE, or DATA/train/CLASS/PICTURE and
             DATA/validation (or val), DATA/test, in upper case or lower
    Parquet  the Hugging Face layout: train-*.parquet, validation-*.parquet, test-*.parquet in a
             folder or named by a pattern; column `image` {bytes, path}, column `label`, class names
             in the schema
"""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from vggnet.class_lists import Label, labels_from_names
from vggnet.data.parquet import ParquetDataset
from vggnet.image import PictureError, open_picture, picture_name
from vggnet.picture_files import SUFFIXES, counted, pictures_below

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
# That a split's folder is called or its files begin with, in upper case or lower.
_WORDS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "validation": ("validation", "val", "valid"),
    "test": ("test", "testing"),
}


class Dataset(Protocol):
    """Pictures with labels: `labels[i]` is the class index of picture i.

    `split` is what they are of their data; None where it is not divided.
    """

    name: str
    split: Split | None
    classes: tuple[Label, ...]
    labels: NDArray[np.int64]

    def read(self, index: int) -> bytes | NDArray[np.uint8]:
        """The encoded picture, as its file holds it; or its pixels, (H, W, 3) in R, G, B."""
        ...

    def where(self, index: int) -> str:
        """How to name the picture to a person."""
        ...

    def contents(self) -> Iterator[str]:
        """The names of the files, wherever the data lies; Parquet's with their number of rows."""
        ...


def picture(dataset: Dataset, index: int) -> Image:
    """Picture `index` in RGB. Raises PictureError, which names it, where it cannot be decoded."""
    name = dataset.where(index)
    try:
        found = dataset.read(index)
    except (OSError, ValueError) as error:  # a file that went away, a damaged page of Parquet
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise PictureError(f"{picture_name(name)}: cannot be read: {reason}") from None
    return open_picture(found, name)


def open_dataset(path: str | Path, split: str) -> Dataset:
    """The pictures of one split ("train", "validation" or "test") under `path`.

    A test split stands in for a validation split that is missing; the data set says which it is.
    Data without splits, such as one's own folder of class folders, is given whole for each. Raises
    ValueError where there are no labelled pictures, for a split that is missing, and where only
    some of several Parquet files are named after splits.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} must be one of {', '.join(SPLITS)}")
    files = _parquet_files(path)
    found = _splits(path, files)
    if not found:
        return ParquetDataset(files) if files else FolderDataset(Path(path))
    chosen = "test" if split == "validation" and split not in found else split
    if chosen in found:
        paths = found[chosen]
        return ParquetDataset(paths, chosen) if files else FolderDataset(paths[0], chosen)
    if files:
        raise ValueError(f"{path}: no Parquet file of the {split} split ({split}-*.parquet)")
    raise ValueError(
        f"{path}: no folder of the {split} split beside {next(iter(found.values()))[0]}; put its "
        f"class folders into {' or '.join(_WORDS[split])}"
    )


def classes_without_pictures(dataset: Dataset) -> str:
    """Which classes no picture belongs to: "cat, dog, n02123045 and 2 more", or "" for none."""
    return _listed(dataset, {*range(len(dataset.classes))} - {*dataset.labels.tolist()})


def classes_held_back(dataset: Dataset, training: NDArray[np.int64]) -> str:
    """Which classes have pictures, but none among the indices `training`; in the same words."""
    return _listed(dataset, {*dataset.labels.tolist()} - {*dataset.labels[training].tolist()})


def _listed(dataset: Dataset, classes: set[int]) -> str:
    first = [dataset.classes[index] for index in sorted(classes)[:3]]
    names = ", ".join(label.wnid or label.words for label in first)
    return f"{names} and {len(classes) - 3} more" if len(classes) > 3 else names


def doubts(dataset: Dataset) -> Iterator[str]:
    """What somebody who trains or tests on a folder may not know of it, a line each.

    That some pictures are not read, and that its classes look like splits.
    """
    if not isinstance(dataset, FolderDataset):
        return
    if dataset.passed_over:
        yield f"{picture_name(dataset.name)}: passed over {counted(dataset.passed_over)}"
    below: dict[str, set[str]] = {}  # the folders that pictures of a class lie in
    for file in dataset.files:
        name, *folders, _ = file.relative_to(dataset.name).parts
        if folders:
            below.setdefault(name, set()).add(folders[-1])
    for one, other in combinations(below, 2):
        shared = sorted(below[one] & below[other])
        if len(shared) > 1:
            one, other, first, second = map(picture_name, (one, other, *shared[:2]))
            yield (
                f"{picture_name(dataset.name)}: {one} and {other} are taken for classes, and both "
                f"hold folders {first} and {second}; if those are the classes, call these train "
                "and test"
            )
            return


def splits(path: str | Path) -> tuple[Split, ...]:
    """The splits that the data under `path` is divided into; none of data that is one whole.

    Raises ValueError where there is nothing, and where only some Parquet files are named after
    splits.
    """
    return tuple(_splits(path, _parquet_files(path)))


def _splits(path: str | Path, files: Sequence[Path]) -> dict[Split, list[Path]]:
    """Each split's Parquet files, or its folder. Of several words for one the first counts.

    Raises ValueError where some Parquet files are named after splits and others are not.
    """
    named: set[Path] = set()
    found: dict[Split, list[Path]] = {}
    # Of "Train" beside "train" the latter, which comes later in the order of names.
    folders = {} if files else {each.name.lower(): each for each in _visible(Path(path))}
    for split, words in _WORDS.items():
        for word in words:
            if files:
                begins = re.compile(rf"{word}(?![a-z])", re.IGNORECASE)
                paths = [file for file in files if begins.match(file.name)]
                named.update(paths)
            else:
                folder = folders.get(word)
                paths = [folder] if folder is not None and _holds_classes(folder) else []
            if paths:
                found.setdefault(split, paths)
    others = [file for file in files if file not in named]
    if named and others:
        raise ValueError(
            f"{others[0]}: of which split? Beside {min(named).name} its name must begin with "
            f"{', '.join(SPLITS)}; rename it, or take it away"
        )
    return found


def _parquet_files(path: str | Path) -> list[Path]:
    """The Parquet files of a folder or a pattern. Raises ValueError where there is neither."""
    root = Path(path)
    if root.is_dir():
        return _regular(root.glob("*.parquet")) or _regular(root.glob("data/*.parquet"))
    named = [root] if root.is_file() else map(Path, glob.glob(str(path)))  # noqa: PTH207 (a pattern, perhaps absolute)
    files = _regular(named)
    if not files:
        raise ValueError(f"{path}: there is no such folder or Parquet file")
    return files


def _regular(files: Iterable[Path]) -> list[Path]:
    """The files among these, sorted; without hidden ones, folders and pipes."""
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _holds_classes(folder: Path) -> bool:
    """Whether it can be a split: a class that is called "train" holds pictures, not folders."""
    entries = _visible(folder) if folder.is_dir() else []
    holds_pictures = any(entry.suffix.lower() in SUFFIXES for entry in entries)
    return not holds_pictures and any(entry.is_dir() for entry in entries)


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without what is hidden, such as .git or .ipynb_checkpoints."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


class FolderDataset:
    """A folder of class folders; classes in the order of their names.

    A class folder without pictures is a class all the same, so that the indices of the others are
    those of other splits. Raises ValueError for a folder without pictures, and for one that cannot
    be read, since it may hold some.
    """

    def __init__(self, root: Path, split: Split | None = None) -> None:
        self.name, self.split = str(root), split
        self.files: list[Path] = []
        self.passed_over: Counter[str] = Counter()  # pictures in formats not read, by suffix
        names: list[str] = []
        labels: list[int] = []
        for folder in filter(Path.is_dir, _visible(root)):
            found = pictures_below(folder)
            for fault in found.faults.values():
                raise fault
            self.files += found.pictures
            self.passed_over += found.passed_over
            labels += [len(names)] * len(found.pictures)
            names.append(folder.name)
        if not self.files:
            raise ValueError(f"{root}: it holds no class folders with pictures (CLASS/PICTURE.jpg)")
        self.classes = labels_from_names(names)
        self.labels: NDArray[np.int64] = np.array(labels, dtype=np.int64)

    def read(self, index: int) -> bytes:
        return self.files[index].read_bytes()

    def where(self, index: int) -> str:
        return str(self.files[index])

    def contents(self) -> Iterator[str]:
        return (file.relative_to(self.name).as_posix() for file in self.files)
