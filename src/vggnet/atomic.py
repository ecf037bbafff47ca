"""Files that are written whole or not at all.

In: a path, and what writes the file. Out: the file, which takes its place once all of it is on the
disk. A reader never sees half a file; where writing fails, what stood there before stays.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, a quota, the longest file there


@contextmanager
def whole_file(path: Path, *, only_writer: bool = False) -> Iterator[BinaryIO]:
    """A file open for writing, which replaces `path` at the end. Takes and raises as `whole_path`.

    `file.name` is the path of the temporary file.
    """
    with whole_path(path, only_writer=only_writer) as partial, partial.open("wb") as file:
        yield file


@contextmanager
def whole_path(path: Path, *, only_writer: bool = False) -> Iterator[Path]:
    """The path of an empty temporary file in the same folder, which replaces `path` at the end.

    For writers that take a path; the suffix is that of `path`. Where `path` is a link, the file
    takes the place of the link. With `only_writer`, no other process writes `path`, and what a
    killed one left is written over. Raises OSError, which names `path`, where no file can be made
    there or the disk is full.
    """
    part = "" if only_writer else f"{secrets.token_hex(4)}."
    partial = path.with_name(f".partial.{part}{path.name}")
    try:
        _create(partial, path, only_writer)
        yield partial
        put_in_place(partial, path)
    except Exception as error:
        if (number := _full(error)) is None:
            raise
        reason = f"{os.strerror(number)}; make room, or write to another disk"
        raise OSError(number, reason, str(path)) from None
    finally:
        partial.unlink(missing_ok=True)


def put_in_place(partial: Path, path: Path) -> None:
    """Renames a complete file of the same folder to `path`, so that both outlive a power cut."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(path)
    # The name is in the folder. Not every system lets folders be opened or flushed.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _create(partial: Path, path: Path, over: bool) -> None:
    """Makes the empty file, with the permissions that any new file gets."""
    try:
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, "not a file on a disk, so that none can take its place")
        partial.open("wb" if over else "xb").close()
    except OSError as error:
        there = path.parent.is_dir()
        reason = error.strerror if there else f"the folder {path.parent} is missing; make it first"
        raise OSError(error.errno, reason, str(path)) from None


def _full(error: BaseException | None) -> int | None:
    """The error number where a full disk is the cause, which libraries may hide behind another."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return error.errno
        error = error.__cause__ or error.__context__
    return None
