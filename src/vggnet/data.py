"""Labelled pictures from a folder or from Parquet, for training and evaluation alike.

In: a path. Out: a Dataset, which knows its classes, the label of every picture, and reads one
picture at a time. Nothing is decoded here before it is asked for.

    folder   DATA/CLASS/PICTURE, or DATA/train/CLASS/PICTURE beside DATA/validation (or val)
    Parquet  the Hugging Face layout: train-*.parquet and validation-*.parquet in a folder or named
             by a pattern; column `image` {bytes, path}, column `label`, class names in the schema
"""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from vggnet.image import SUFFIXES, PictureError, open_picture, picture_name
from vggnet.labels import Label, labels_from_names

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
        files = sorted(root.glob("*.parquet")) or sorted(root.glob("data/*.parquet"))
    else:
        files = sorted(map(Path, glob.glob(str(path))))  # noqa: PTH207 (a pattern, perhaps absolute)
        if not files:
            raise ValueError(f"{path}: there is no such folder or Parquet file")
    if files:
        return ParquetDataset(_files_of_split(files, split, path))
    return FolderDataset(_folder_of_split(root, split))


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
        name: next((root / word for word in words if (root / word).is_dir()), None)
        for name, words in SPLITS.items()
    }
    if found["train"] is None:
        return root
    chosen = found[split]
    if chosen is None:
        raise ValueError(f"{root}: no folder of the {split} split beside {found['train']}")
    return chosen


class FolderDataset:
    """A folder of class folders; classes in the order of their names."""

    def __init__(self, root: Path) -> None:
        self.name = str(root)
        self.files: list[Path] = []
        names: list[str] = []
        labels: list[int] = []
        for folder in sorted(entry for entry in root.iterdir() if entry.is_dir()):
            files = sorted(
                file
                for file in folder.rglob("*")
                if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
            )
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


class ParquetDataset:
    """Parquet files in the Hugging Face layout, one after the other.

    Labels are read at once; pictures a row group at a time, the last few groups being kept.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        try:
            import pyarrow as arrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise ValueError(
                f"{files[0]}: reading Parquet needs pyarrow: pip install 'vggnet[parquet]'"
            ) from None
        self.name = str(files[0].parent)
        self._parquet = parquet
        self._files = list(files)
        labels: list[NDArray[np.int64]] = []
        self._groups: list[tuple[int, int]] = []  # file, row group in it
        sizes: list[int] = []
        names: list[str] | None = None
        for number, file in enumerate(self._files):
            try:
                reader = parquet.ParquetFile(file)
                labels.append(_labels(reader))
                names_here = _class_names(reader.schema_arrow.metadata)
            except (arrow.ArrowException, OSError, ValueError) as error:
                raise ValueError(f"{file}: {' '.join(str(error).split())}") from None
            if names is not None and names != names_here:
                raise ValueError(
                    f"{file}: its {len(names_here)} class names are not the {len(names)} of "
                    f"{self._files[0]}; give data sets with different classes one at a time"
                )
            names = names_here
            for group in range(reader.num_row_groups):
                self._groups.append((number, group))
                sizes.append(reader.metadata.row_group(group).num_rows)
        self.labels = np.concatenate(labels)
        self._starts = np.cumsum([0, *sizes])
        if not len(self.labels):
            raise ValueError(f"{self.name}: the Parquet files hold no pictures")
        names = names or [str(number) for number in range(int(self.labels.max()) + 1)]
        if self.labels.min() < 0 or self.labels.max() >= len(names):
            raise ValueError(
                f"{self.name}: labels go from {self.labels.min()} to {self.labels.max()}, but the "
                f"files name {len(names)} classes"
            )
        self.classes = labels_from_names(names)
        self._rows = lru_cache(maxsize=64)(self._read_group)

    def read(self, index: int) -> bytes:
        group = int(np.searchsorted(self._starts, index, side="right")) - 1
        row: Any = self._rows(group)[int(index - self._starts[group])]
        encoded: bytes | None = row["bytes"].as_py()
        if encoded is None:
            raise ValueError("the row holds no picture bytes")
        return encoded

    def where(self, index: int) -> str:
        group = int(np.searchsorted(self._starts, index, side="right")) - 1
        number, _ = self._groups[group]
        first = self._starts[min(i for i, (file, _) in enumerate(self._groups) if file == number)]
        return f"{self._files[number]} row {int(index - first)}"

    def _read_group(self, group: int) -> Any:
        number, row_group = self._groups[group]
        reader = self._parquet.ParquetFile(self._files[number], memory_map=True)
        table = reader.read_row_group(row_group, columns=["image"], use_threads=False)
        return table.column("image").combine_chunks()


def _labels(reader: Any) -> NDArray[np.int64]:
    """The label of every row. Raises ValueError for a file in another layout."""
    for name, pattern in (
        ("image", r"struct<(.*, )?bytes: (large_)?binary\b.*"),
        ("label", r"u?int\d+"),
    ):
        index = reader.schema_arrow.get_field_index(name)
        found = str(reader.schema_arrow.field(index).type) if index >= 0 else "missing"
        if not re.fullmatch(pattern, found):
            raise ValueError(
                f"column {name} is {found}; the layout is image: struct<bytes: binary, ...>, "
                f"label: int64"
            )
    column = reader.read(["label"]).column("label")
    if column.null_count:
        raise ValueError(f"{column.null_count} of {len(column)} rows have no label")
    labels: NDArray[np.int64] = column.to_numpy().astype(np.int64)
    return labels


def _class_names(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The class names that the Hugging Face library leaves in a Parquet schema, if it did."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features["label"]["names"]]
    except (KeyError, TypeError, ValueError):
        return []
