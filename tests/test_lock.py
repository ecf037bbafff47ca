"""vggnet.training.lock: one process at a time, and none that is dead."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from vggnet.training.lock import locked


def _in_a_child(folder: Path, then: Callable[[], None]) -> int:
    """The id of a process that has the lock, once it has it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child:
        os.close(writer)
        assert os.read(reader, 1) == b"!"
        os.close(reader)
        return child
    try:
        with locked(folder):
            os.write(writer, b"!")
            then()
    finally:
        os._exit(0)


def test_a_second_process_is_one_line_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    child = _in_a_child(tmp_path, signal.pause)
    text = rf"{tmp_path}: another process is training there; wait .* --out"
    with pytest.raises(ValueError, match=text), locked(tmp_path):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with locked(tmp_path):
        pass


def test_it_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path), pytest.raises(ValueError, match="another process"), locked(tmp_path):
        pass


def test_processes_that_prepare_pictures_do_not_keep_it(tmp_path: Path) -> None:
    """They are forked while it is held, and may outlive a trainer that is killed."""
    reader, writer = os.pipe()

    def fork_and_die() -> None:
        worker = os.fork()
        if not worker:
            signal.pause()
        os.write(writer, worker.to_bytes(8, "little"))
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(_in_a_child(tmp_path, fork_and_die), 0)
    worker = int.from_bytes(os.read(reader, 8), "little")
    try:
        with locked(tmp_path):
            pass
    finally:
        os.kill(worker, signal.SIGKILL)
