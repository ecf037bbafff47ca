"""One process at a time.

In: the path of a lock file. Out: the right to do what it stands for, for as long as the context
lasts. The system takes it back from a process that dies, however it dies; the file that stays
behind says nothing.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Raises ValueError with `busy` where another has it, OSError where no file can be locked."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(busy) from None
    except NotImplementedError:
        raise OSError(errno.ENOLCK, "files cannot be locked there", str(path.parent)) from None
    try:
        yield
    finally:
        lock.release()
