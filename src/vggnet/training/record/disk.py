"""What a run says when a file of it cannot be written, as on a full disk.

In: what the system says. Out: one line that names the file and what to do.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vggnet.training.record import checkpoint


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises ValueError where writing the run's file at `path` fails within the context."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        reason = _of_the_system(error)
        if reason is None:
            raise
        saved = (path.parent / checkpoint.FILE_NAME).exists()
        fault = str(reason) if reason.errno is None else os.strerror(reason.errno)
        then = "go on from the last checkpoint with --resume" if saved else "begin again"
        raise ValueError(
            f"{path}: cannot be written: {fault}; make room there (or mend "
            f"what else it is) and {then}"
        ) from None


def _of_the_system(error: BaseException | None) -> OSError | None:
    """The error of the system, in which torch may have run into another one."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
