"""Labelled pictures in Parquet files, in the layout of the Hugging Face library.

In: files with a column `image` {bytes, path}, a column `label` and the class names in the schema.
Out: a data set as `vggnet.data` describes it. Parquet stores rows in groups that are read whole;
`keep` is for those who want one picture at a time, in any order.
"""

from __future__ import annotations

import json
import mmap
import re
import shutil
import tempfile
import threading
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vggnet.class_lists import labels_from_names
from vggnet.printable import printable


class ParquetDataset:
    """The rows of some Parquet files, one file after the other.

    Labels are read at once, pictures a row group at a time: for pictures in their order each group
    once, in any other order a whole group for each picture, but for what `keep` keeps.
    """

    def __init__(
        self, files: Sequence[Path], split: Literal["train", "validation", "test"] | None = None
    ) -> None:
        try:
            import pyarrow as arrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise ValueError(
                f"{files[0]}: reading Parquet needs pyarrow: pip install 'vggnet[parquet]'"
            ) from None
        self.name, self.split = str(files[0].parent), split
        self._files = list(files)
        self._first_of_file: list[int] = []  # index of its first picture
        self._groups: list[tuple[int, int]] = []  # file, row group in it
        self._first_of_group: list[int] = []
        self._metadata: list[Any] = []
        labels: list[NDArray[np.int64]] = []
        names: list[str] | None = None
        first = 0
        for number, file in enumerate(self._files):
            try:
                with parquet.ParquetFile(file) as reader:
                    labels.append(_labels(reader))
                    names_here = _class_names(reader.schema_arrow.metadata)
                    metadata = reader.metadata
            except (arrow.ArrowException, OSError, ValueError) as error:
                raise ValueError(f"{file}: {' '.join(str(error).split())}") from None
            if names is not None and names != names_here:
                raise ValueError(
                    f"{file}: its {len(names_here)} class names are not the {len(names)} of "
                    f"{self._files[0]}; give data sets with different classes one at a time"
                )
            names = names_here
            self._metadata.append(metadata)
            self._first_of_file.append(first)
            for group in range(metadata.num_row_groups):
                self._groups.append((number, group))
                self._first_of_group.append(first)
                first += metadata.row_group(group).num_rows
        self.labels = np.concatenate(labels)
        if not len(self.labels):
            raise ValueError(f"{self.name}: the Parquet files hold no pictures")
        names = names or [str(number) for number in range(int(self.labels.max()) + 1)]
        if self.labels.min() < 0 or self.labels.max() >= len(names):
            raise ValueError(
                f"{self.name}: labels go from {self.labels.min()} to {self.labels.max()}, but the "
                f"files name {len(names)} classes"
            )
        self.classes = labels_from_names(names)
        self._kept: dict[int, Any] = {}  # pictures by row group
        self._chosen: dict[int, bytes] = {}  # by index
        # Two, since threads that read in order are at the end of one and the start of the next.
        self._recent = lru_cache(maxsize=2)(self._read_group)
        self._lock = threading.Lock()  # so that no two threads read the same group

    def keep(
        self,
        limit: int,
        scratch: Path | None = None,
        progress: Callable[[int], None] = lambda done: None,
    ) -> bool:
        """Make each picture cheap to read, in any order; tells whether that could be done.

        Encoded pictures that take up to `limit` bytes are kept in memory, more are copied to a
        file in the folder `scratch` that has no name and is gone when the process is. Processes
        that are forked afterwards share either. Without a folder, or room in it, as many as fit
        into `limit` are kept. `progress` is called with the number of pictures done; it may raise.
        """
        self._kept.clear()
        spent = 0
        for group, rows in self._sound_groups():
            progress(self._first_of_group[group])
            spent += rows.nbytes
            if spent > limit:
                return scratch is not None and self._copy(scratch, progress)
            self._kept[group] = rows
        return True

    def keep_these(self, indices: Iterable[int]) -> None:
        """Make these pictures alone cheap to read; those that cannot be read stay as they are."""
        for index in sorted(indices):
            with suppress(OSError, ValueError):
                self._chosen[index] = self.read(index)

    def can_keep(self, limit: int, scratch: Path) -> bool:
        """Whether `keep` would make each cheap, by what the files say of their size."""
        try:
            return self._size <= limit or self._has_room(scratch)
        except OSError:
            return False

    @property
    def _size(self) -> int:
        """Bytes of all pictures, encoded, or a little more."""
        return sum(
            metadata.row_group(group).total_byte_size
            for metadata in self._metadata
            for group in range(metadata.num_row_groups)
        )

    def _has_room(self, scratch: Path) -> bool:
        return shutil.disk_usage(scratch).free >= 2 * self._size  # others need room too

    def _copy(self, scratch: Path, progress: Callable[[int], None]) -> bool:
        import pyarrow as arrow

        copied: list[int] = []
        schema = arrow.schema([("bytes", arrow.large_binary())])
        try:
            if not self._has_room(scratch):
                return False
            with tempfile.TemporaryFile(dir=scratch) as file:
                with arrow.ipc.new_file(file, schema) as writer:
                    for group, rows in self._sound_groups():
                        progress(self._first_of_group[group])
                        writer.write_batch(arrow.record_batch([rows], schema=schema))
                        copied.append(group)
                file.flush()
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError:  # a folder that cannot be written to, or full after all
            return False
        batches = arrow.ipc.open_file(arrow.py_buffer(mapped))
        self._kept = {group: batches.get_batch(i).column(0) for i, group in enumerate(copied)}
        return True

    def _sound_groups(self) -> Iterator[tuple[int, Any]]:
        """The pictures of every row group that can be read; who reads another hears of it then."""
        for group in range(len(self._groups)):
            rows = self._kept.get(group)
            try:
                rows = self._read_group(group) if rows is None else rows
            except (OSError, ValueError):
                continue
            yield group, rows

    def read(self, index: int) -> bytes:
        chosen = self._chosen.get(int(index))
        if chosen is not None:
            return chosen
        group = bisect(self._first_of_group, index) - 1
        rows = self._kept.get(group)
        if rows is None:
            with self._lock:
                rows = self._recent(group)
        encoded: bytes | None = rows[int(index) - self._first_of_group[group]].as_py()
        if encoded is None:
            raise ValueError("the row holds no picture bytes")
        return encoded

    def where(self, index: int) -> str:
        number = bisect(self._first_of_file, index) - 1
        return f"{self._files[number]} row {int(index) - self._first_of_file[number]}"

    def contents(self) -> Iterator[str]:
        for file, metadata in zip(self._files, self._metadata, strict=True):
            yield f"{file.name} {metadata.num_rows}"

    def _read_group(self, group: int) -> Any:
        """One row group's encoded pictures, an Arrow array. Raises OSError and ValueError."""
        import pyarrow as arrow
        import pyarrow.parquet as parquet

        number, row_group = self._groups[group]
        try:
            with parquet.ParquetFile(
                self._files[number], metadata=self._metadata[number]
            ) as reader:
                table = reader.read_row_group(row_group, ["image.bytes"], use_threads=False)
            return table.column("image").combine_chunks().flatten()[0].cast("large_binary")
        except arrow.ArrowException as error:
            raise ValueError(str(error)) from None


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
                f"column {name} is {printable(found)}; the layout is image: "
                "struct<bytes: binary, ...>, label: int64"
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
    except (KeyError, TypeError, ValueError, RecursionError):
        return []
