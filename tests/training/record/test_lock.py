"""vggnet.training.record.lock: one process at a time, and none that is dead."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vggnet.training.record.lock import locked

HOLD = """
import os, signal, sys
from pathlib import Path
from vggnet.training.record.lock import locked
with locked(Path(sys.argv[1])):
    if sys.argv[2] == "alone":
        print(0, flush=True)
    elif os.fork() == 0:  # it says so itself, once it is past what happens at a fork
        print(os.getpid(), flush=True)
    signal.pause()
"""


def _holder(folder: Path, kind: str) -> tuple[subprocess.Popen[str], int]:
    """A process that has the lock, and the id of the one that it has forked, or 0."""
    command = [sys.executable, "-c", HOLD, str(folder), kind]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def test_a_second_process_is_one_line_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    holder, _ = _holder(tmp_path, "alone")
    with holder:
        text = rf"{re.escape(str(tmp_path))}: another process is training there; wait .* --out"
        with pytest.raises(ValueError, match=text), locked(tmp_path):
            pass
        holder.kill()
    with locked(tmp_path):
        pass


def test_a_process_that_prepares_pictures_does_not_keep_it(tmp_path: Path) -> None:
    """It is forked while the lock is held, and may outlive a trainer that is killed."""
    holder, worker = _holder(tmp_path, "with a worker")
    try:
        holder.kill()
        holder.wait()
        with locked(tmp_path):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
        holder.communicate()


def test_it_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path), pytest.raises(ValueError, match="another process"), locked(tmp_path):
        pass
