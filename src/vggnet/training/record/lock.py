"""One process at a time in a run's folder.

In: the folder. Out: the right to write there, for as long as the context lasts.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from vggnet import lock

FILE_NAME = "run.lock"  # in the folder of the run


def locked(folder: Path) -> AbstractContextManager[None]:
    """Raises ValueError where another process has the folder, OSError where none can lock it."""
    return lock.locked(
        folder / FILE_NAME,
        f"{folder}: another process is training there; wait for its end, or choose another "
        "folder with --out",
    )
