"""Labelled pictures from a folder or from Parquet, for training and evaluation alike.

In: a path. Out: a Dataset, which knows its classes, the label of every picture, and reads one
picture at a time. Nothing is decoded here before it is asked for.

    folder   DATA/CLASS/PICTURE, or DATA/train/CLASS/PICTURE and DATA/validation (or val)
    Parquet  the Hugging Face layout: train-*.parquet and validation-*.parquet in a folder or named
             by a pattern; column `image` {bytes, path}, column `label`, class names in the schema
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from vggnet.class_lists import Label, labels_from_names
from vggnet.data.parquet import ParquetDataset
from vggnet.image import SUFFIXES, PictureError, open_picture, picture_name, pictures_below

SPLITS = {"train": ("train",), "validation": ("validation", "val", "valid", "test")}


class Dataset(Protocol):
    """Pictures with labels: `labels[i]` is the class index of picture i."""

    name: str
    classes: tuple[Label, ...]
    labels: NDArray[np.int64]

    def read(self, index: int) -> bytes:
        """The encoded picture, as its file holds it."""
        ...

    def where(self, index: int) -> str:
        """How to name the picture to a person."""
        ...


def picture(dataset: Dataset, index: int) -> Image:
    """Picture `index` in RGB. Raises PictureError, which names it, where it cannot be decoded."""
    name = dataset.where(index)
    try:
        encoded = dataset.read(index)
    except (OSError, ValueError) as error:  # a file that went away, a damaged page of Parquet
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise PictureError(f"{picture_name(name)}: cannot be read: {reason}") from None
    return open_picture(encoded, name)


def open_dataset(path: str | Path, split: str) -> Dataset:
    """The pictures of one split ("train" or "validation") under `path`.

    Data without splits, such as one's own folder of class folders, is given whole for either.
    Raises ValueError where there are no labelled pictures, and for a split that is missing.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} must be one of {', '.join(SPLITS)}")
    root = Path(path)
    if root.is_dir():
        files = _regular(root.glob("*.parquet")) or _regular(root.glob("data/*.parquet"))
    else:
        named = [root] if root.is_file() else map(Path, glob.glob(str(path)))  # noqa: PTH207 (a pattern, perhaps absolute)
        files = _regular(named)
        if not files:
            raise ValueError(f"{path}: there is no such folder or Parquet file")
    if files:
        return ParquetDataset(_files_of_split(files, split, path))
    return FolderDataset(_folder_of_split(root, split))


def _regular(files: Iterable[Path]) -> list[Path]:
    """The files among these, sorted; without hidden ones, folders and pipes."""
    return sorted(file for file in files if file.is_file() and not file.name.startswith("."))


def _files_of_split(files: Sequence[Path], split: str, path: str | Path) -> list[Path]:
    by_word = {
        word: [file for file in files if re.match(rf"{word}\b", file.name)]
        for words in SPLITS.values()
        for word in words
    }
    # The first word that has files: a test split beside a validation split is not part of it.
    by_split = {
        name: next((by_word[word] for word in words if by_word[word]), [])
        for name, words in SPLITS.items()
    }
    if not any(by_split.values()):
        return list(files)
    if not by_split[split]:
        raise ValueError(f"{path}: no Parquet file of the {split} split ({split}-*.parquet)")
    return by_split[split]


def _folder_of_split(root: Path, split: str) -> Path:
    found = {
        name: next((root / word for word in words if _holds_classes(root / word)), None)
        for name, words in SPLITS.items()
    }
    if not any(found.values()):
        return root
    chosen = found[split]
    if chosen is None:
        other = next(folder for folder in found.values() if folder)
        raise ValueError(
            f"{root}: no folder of the {split} split beside {other}; put its class folders into "
            f"{' or '.join(SPLITS[split])}"
        )
    return chosen


def _holds_classes(folder: Path) -> bool:
    """Whether it can be a split: a class that is called "train" holds pictures, not folders."""
    entries = _visible(folder) if folder.is_dir() else []
    holds_pictures = any(entry.suffix.lower() in SUFFIXES for entry in entries)
    return not holds_pictures and any(entry.is_dir() for entry in entries)


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, sorted, without what is hidden, such as .git or .ipynb_checkpoints."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


class FolderDataset:
    """A folder of class folders; classes in the order of their names."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self.files: list[Path] = []
        names: list[str] = []
        labels: list[int] = []
        for folder in filter(Path.is_dir, _visible(root)):
            files = pictures_below(folder)
            if files:
                self.files += files
                labels += [len(names)] * len(files)
                names.append(folder.name)
        if not self.files:
            raise ValueError(f"{root}: it holds no class folders with pictures (CLASS/PICTURE.jpg)")
        self.classes = labels_from_names(names)
        self.labels: NDArray[np.int64] = np.array(labels, dtype=np.int64)

    def read(self, index: int) -> bytes:
        return self.files[index].read_bytes()

    def where(self, index: int) -> str:
        return str(self.files[index])
