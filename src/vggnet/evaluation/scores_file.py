"""Class scores of pictures in a Parquet file, written so that a job which is killed can go on.

In: scored pictures as they come, and a record of what they are scores of. Out: a Parquet file with
a row a picture, and the record as JSON in its schema. Until all are there, they lie in parts in
the folder FILE.parts, each written whole or not at all; the file then takes their place.

    index    int64        of the picture in the data set
    picture  string       how the data set names it
    target   int32        the place of its class among those of the scores
    scores   list<float>  the posteriors, in the order of the record's classes; null for a picture
                          that could not be read
    fault    string       why it could not be read, else null

Shapes: N pictures, K classes.
"""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.atomic import whole_file
from vggnet.class_lists import Label
from vggnet.data.fingerprint import identity
from vggnet.differences import differences
from vggnet.lock import locked

PART_SECONDS = 10.0  # that may be lost by a kill, and the time of one chunk
PART_ROWS = 4096
_GROUP_ROWS = 1024  # rows of a row group of the file, whatever the parts were
_VERSION = 1
_RECORD, _LOCK = "record.json", "lock"  # in the folder of the parts


@dataclass(frozen=True)
class Row:
    """One picture: its scores (K float32), or its fault."""

    index: int
    picture: str
    target: int
    scores: NDArray[np.float32] | None
    fault: str | None = None


@dataclass(frozen=True)
class ScoresTable:
    """What a file holds. `scores_NK` are posteriors of the N pictures without a fault.

    `index`, `picture` and `target` are of these pictures; `faults` are the others', by index.
    """

    record: Mapping[str, Any]
    index: NDArray[np.int64]
    picture: tuple[str, ...]
    target: NDArray[np.int64]
    scores_NK: NDArray[np.float32]
    faults: Mapping[int, str] = field(default_factory=dict)

    @property
    def classes(self) -> tuple[Label, ...]:
        return tuple(Label.from_json(each) for each in self.record["classes"])


class ScoresWriter:
    """Used as a context, which leaves at its end the parts of all that was added, if anything was.

    With `resume` it goes on from the parts that are there. Raises ValueError where those are not
    there to be gone on with, are of another job (whose differences it names), or were not asked
    for, where a complete file is another job's, and where another process writes it; and OSError,
    which names the file, where nothing can be written.
    """

    def __init__(self, path: Path, record: Mapping[str, Any], resume: bool = False) -> None:
        self.path, self.record = path, dict(record) | {"vggnet_scores": _VERSION}
        self.parts = self.parts_of(path)
        self.rows: list[Row] = []  # of the next part
        self.done = 0  # pictures that are in parts
        _arrow()
        if path.exists():
            check_same_job(path, self.record)
        unasked = not resume and self.parts.exists()
        try:
            self.parts.mkdir(exist_ok=True)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.parts)) from None
        busy = f"{path}: another process is writing it; wait for its end, or --save to another file"
        with ExitStack() as stack:
            stack.enter_context(locked(self.parts / _LOCK, busy))
            if unasked:
                raise ValueError(
                    f"{self.parts}: the parts of a job that did not end; give --resume to go on "
                    "with it, or delete the folder"
                )
            self._begin()
            self._lock = stack.pop_all()  # until the end of the context
        self._last_part = time.monotonic()

    @staticmethod
    def parts_of(path: Path) -> Path:
        """The folder in which the parts of that file lie until all are there."""
        return path.with_name(f"{path.name}.parts")

    def _begin(self) -> None:
        if (self.parts / _RECORD).exists() or self._sorted_parts():
            self._go_on()
            return
        with whole_file(self.parts / _RECORD, only_writer=True) as file:
            file.write(json.dumps(self.record, allow_nan=False).encode())

    def _go_on(self) -> None:
        try:
            saved = json.loads((self.parts / _RECORD).read_bytes())
        except (OSError, ValueError) as error:
            raise ValueError(
                f"{self.parts}: {_RECORD} cannot be read ({error}); delete the folder and begin "
                "anew"
            ) from None
        differing = _differences(saved, self.record)
        if differing:
            raise ValueError(f"{self.parts}: another job's parts: {differing}")
        self.record = saved  # with the command that began it
        for part in self._sorted_parts():
            if int(part.stem) != self.done:
                raise ValueError(f"{part}: the part before it is missing; begin anew")
            self.done += _read(part).num_rows

    def _sorted_parts(self) -> list[Path]:
        return sorted(part for part in self.parts.glob("[0-9]*.parquet"))

    def __enter__(self) -> ScoresWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, _: Any) -> None:
        with self._lock:
            if not isinstance(error, OSError):  # after which another attempt would fail as well
                self._write_part()
            if kind is not None and not self.done:  # else it were in the way of the next job
                shutil.rmtree(self.parts, ignore_errors=True)

    def add(self, rows: Sequence[Row]) -> None:
        """More pictures; all of one chunk, since a resumed job begins with a new one."""
        self.rows += rows
        late = time.monotonic() - self._last_part >= PART_SECONDS
        if late or len(self.rows) >= PART_ROWS:
            self._write_part()

    def _write_part(self) -> None:
        if not self.rows:
            return
        _, parquet = _arrow()
        buffer = io.BytesIO()  # since the library's own files report a full disk each in its way
        parquet.write_table(_table(self.rows), buffer)
        with whole_file(self.parts / f"{self.done:09}.parquet", only_writer=True) as file:
            file.write(buffer.getbuffer())
        self.done += len(self.rows)
        self.rows = []
        self._last_part = time.monotonic()

    def finish(self) -> None:
        """Put the file together, part by part, and remove the parts."""
        self._write_part()
        arrow, parquet = _arrow()
        schema = _schema().with_metadata({"vggnet": json.dumps(self.record, allow_nan=False)})
        parts = self._sorted_parts()
        with (
            whole_file(self.path, only_writer=True) as file,
            parquet.ParquetWriter(file, schema, compression="zstd") as writer,
        ):
            waiting = schema.empty_table()
            for part in parts:
                waiting = arrow.concat_tables([waiting, _read(part).replace_schema_metadata(
                    schema.metadata)])  # fmt: skip
                whole = waiting.num_rows - waiting.num_rows % _GROUP_ROWS
                if whole:
                    writer.write_table(waiting.slice(0, whole), row_group_size=_GROUP_ROWS)
                    waiting = waiting.slice(whole).combine_chunks()
            writer.write_table(waiting)
        for part in reversed(parts):  # so that what is left of them is a beginning
            part.unlink()
        shutil.rmtree(self.parts)


# What the record says of a job that a resumed one need not share: the machine's, not the scores'.
_MAY_DIFFER = ("command", "commit", "vggnet", "vggnet_scores", "data_path")


def check_same_job(path: Path, record: Mapping[str, Any]) -> None:
    """Raises ValueError, in one line that says what to do, where `path` is of another job."""
    _, parquet = _arrow()
    try:
        differing = _differences(_record(path, _told(path, parquet.read_schema)), record)
    except ValueError as error:
        raise ValueError(f"{error}; delete it, or --save to another file") from None
    if differing:
        raise ValueError(
            f"{path}: the scores of another job: {differing}; delete it, or --save to another file"
        )


def _differences(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What of a record is another job's; "" for none."""
    before, now = _of_the_job(saved), _of_the_job(asked)
    return differences(before, {name: now.get(name) for name in {**before, **now}})


def _of_the_job(record: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in record.items() if name not in _MAY_DIFFER}
    return kept | {"data": identity(kept["data"])} if "data" in kept else kept


def read_scores(path: str | Path) -> ScoresTable:
    """The file's contents. Raises ValueError, in one line that names it, for one that is no such.

    The scores of 50,000 pictures of 1,000 classes take 200 MB.
    """
    path = Path(path)
    if not path.is_file():
        parts = ScoresWriter.parts_of(path)
        unfinished = f"; its job has not ended ({parts.name}): go on with --resume"
        raise ValueError(f"{path}: no such file{unfinished if parts.is_dir() else ''}")
    table = _read(path)
    record = _record(path, table.schema)
    num_classes = len(record["classes"])
    good = table.filter(table["scores"].is_valid())
    faulty = table.filter(table["scores"].is_null())
    values: NDArray[np.float32] = good["scores"].combine_chunks().flatten().to_numpy()
    if len(values) != good.num_rows * num_classes:
        raise ValueError(f"{path}: its rows do not have {num_classes} scores each")
    return ScoresTable(
        record,
        good["index"].to_numpy(),
        tuple(good["picture"].to_pylist()),
        good["target"].to_numpy().astype(np.int64),
        values.reshape(-1, num_classes),
        dict(zip(faulty["index"].to_pylist(), faulty["fault"].to_pylist(), strict=True)),
    )


def in_memory(rows: Sequence[Row], record: Mapping[str, Any]) -> ScoresTable:
    """What `read_scores` would give of a file of these rows."""
    good = [row for row in rows if row.scores is not None]
    scores = [row.scores for row in good if row.scores is not None]
    return ScoresTable(
        record,
        np.array([row.index for row in good], np.int64),
        tuple(row.picture for row in good),
        np.array([row.target for row in good], np.int64),
        np.stack(scores) if scores else np.empty((0, len(record["classes"])), np.float32),
        {row.index: row.fault or "" for row in rows if row.scores is None},
    )


def _schema() -> Any:
    arrow, _ = _arrow()
    return arrow.schema(
        [
            ("index", arrow.int64()),
            ("picture", arrow.string()),
            ("target", arrow.int32()),
            ("scores", arrow.list_(arrow.float32())),
            ("fault", arrow.string()),
        ]
    )


def _table(rows: Sequence[Row]) -> Any:
    arrow, _ = _arrow()
    return arrow.table(
        {
            "index": [row.index for row in rows],
            "picture": [row.picture for row in rows],
            "target": [row.target for row in rows],
            "scores": [None if row.scores is None else row.scores.tolist() for row in rows],
            "fault": [row.fault for row in rows],
        },
        schema=_schema(),
    )


def _record(path: Path, schema: Any) -> dict[str, Any]:
    """The record in a file's schema. Raises ValueError where it is not that of scores."""
    try:
        record: dict[str, Any] = json.loads((schema.metadata or {})[b"vggnet"])
        if record["vggnet_scores"] != _VERSION:
            raise ValueError(
                f"scores of version {record['vggnet_scores']!r}; this vggnet reads {_VERSION}"
            )
        len(record["classes"])
        if not schema.equals(_schema()):
            raise ValueError(f"its columns are {', '.join(schema.names)}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not scores that vggnet wrote ({error})") from None
    return record


def _read(path: Path) -> Any:
    _, parquet = _arrow()
    return _told(path, parquet.read_table)


def _told(path: Path, read: Callable[[Path], Any]) -> Any:
    """What `read` gives; its errors in one line."""
    arrow, _ = _arrow()
    try:
        return read(path)
    except (arrow.ArrowException, OSError) as error:
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from None


def _arrow() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow
        import pyarrow.parquet as parquet
    except ImportError:
        raise ValueError(
            "files of scores are Parquet, which needs pyarrow: pip install 'vggnet[parquet]'"
        ) from None
    return arrow, parquet
