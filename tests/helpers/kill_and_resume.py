"""A training run that is killed again and again: run by test_loop in a process of its own.

In: the folder of pictures, a folder for the runs, the number of kills, who computes convolutions.
Out: the number of kills that struck while a checkpoint was being written, on standard output. Each
attempt is a forked child, so that torch is imported only once. Every second one dies as a
checkpoint goes to the disk, however fast the machine is; the others are killed after a random time.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from small_data import SMALL

from vggnet.data import open_dataset
from vggnet.torch_network import Convolutions
from vggnet.training import loop
from vggnet.training.loop import TrainingOptions
from vggnet.training.train import resume, train

loop.can_draw = lambda: False  # drawing curves would take most of the time
RECIPES = {
    "torch": replace(SMALL, head="fc", sizes="32x20"),  # dropout, so the random state counts
    "native": replace(SMALL, width=1 / 4, sizes="32x20"),  # channels that the engine takes
}
PARTIAL = ".partial.checkpoint.pt"


def run(pictures: Path, folder: Path, convolutions: Convolutions) -> None:
    """Start or resume the run, to its end."""
    options = TrainingOptions(folder, workers=0, checkpoint_seconds=0)
    dataset = open_dataset(pictures, "train")
    if (folder / "checkpoint.pt").exists():
        resume(dataset, options)
    else:
        train(dataset, RECIPES[convolutions], replace(options, convolutions=convolutions))


def attempt(
    pictures: Path, folder: Path, convolutions: Convolutions, dies_at: int | None = None
) -> int:
    """Start or resume the run in a child; its process id.

    It kills itself where the checkpoint of that number, counted from 1, is flushed to the disk.
    """
    child = os.fork()
    if child:
        return child
    try:
        if dies_at:
            os.fsync = _deadly(folder / PARTIAL, dies_at, os.fsync)
        run(pictures, folder, convolutions)
        os._exit(0)
    finally:
        os._exit(1)


def _deadly(partial: Path, dies_at: int, fsync: Callable[[int], None]) -> Callable[[int], None]:
    written = 0

    def flush(file: int) -> None:
        nonlocal written
        written += partial.exists()
        if written == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        fsync(file)

    return flush


def main() -> None:
    pictures, folder, num_kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    convolutions: Any = sys.argv[4]
    torch.set_num_threads(1)
    run(pictures, folder / "alone", convolutions)  # here, so that the children have what it imports
    killed = folder / "killed"
    while_writing = 0
    for number in range(num_kills):
        (killed / PARTIAL).unlink(missing_ok=True)  # else it would count again
        if number % 2:
            child = attempt(
                pictures, killed, convolutions, dies_at=10
            )  # so that no machine ends the run
            time.sleep(random.uniform(0, 0.3))
            os.kill(child, signal.SIGKILL)
        else:
            child = attempt(pictures, killed, convolutions, dies_at=1 + number % 8)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the run ended before it was killed: make it longer"
        while_writing += (killed / PARTIAL).exists()
    _, status = os.waitpid(attempt(pictures, killed, convolutions), 0)
    assert status == 0, "the resumed run failed"
    print(while_writing)


if __name__ == "__main__":
    main()
