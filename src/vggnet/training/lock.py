"""One process at a time in a run's folder.

In: the folder. Out: the right to write there, for as long as the context lasts. The system takes it
back from a process that dies, however it dies; the file that stays behind says nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_NAME = "run.lock"  # in the folder of the run


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Raises ValueError where another process has the folder, OSError where none can lock it."""
    from filelock import FileLock, Timeout

    lock = FileLock(folder / FILE_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"{folder}: another process is training there; wait for its end, or choose another "
            "folder with --out"
        ) from None
    except NotImplementedError:
        raise OSError(errno.ENOLCK, "files cannot be locked there", str(folder)) from None
    try:
        yield
    finally:
        lock.release()
