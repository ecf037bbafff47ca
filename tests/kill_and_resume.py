"""A training run that is killed again and again: run by test_loop in a process of its own.

In: the folder of pictures, a folder for the runs, the number of kills. Out: the number of kills
that struck while a checkpoint was being written, on standard output. Each attempt is a forked
child, so that torch is imported only once.
"""

import os
import random
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from small_data import SMALL

from vggnet.data import open_dataset
from vggnet.training import loop
from vggnet.training.loop import TrainingOptions
from vggnet.training.train import resume, train

loop.can_draw = lambda: False  # drawing curves would take most of the time
RECIPE = replace(SMALL, head="fc", sizes="32x12")  # dropout, so the random state counts


def attempt(pictures: Path, folder: Path) -> int:
    """Start or resume the run in a child; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        options = TrainingOptions(folder, workers=0, checkpoint_seconds=0)
        dataset = open_dataset(pictures, "train")
        if (folder / "checkpoint.pt").exists():
            resume(dataset, options)
        else:
            train(dataset, RECIPE, options)
        os._exit(0)
    finally:
        os._exit(1)


def main() -> None:
    pictures, folder, num_kills = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    alone, killed = folder / "alone", folder / "killed"
    _, status = os.waitpid(attempt(pictures, alone), 0)
    assert status == 0, "the run left alone failed"
    partial = killed / "checkpoint.pt.tmp"
    while_writing = 0
    for number in range(num_kills):
        partial.unlink(missing_ok=True)  # else one that an earlier kill left would count again
        child = attempt(pictures, killed)
        if number % 2:
            time.sleep(random.uniform(0.02, 0.5))
        else:
            deadline = time.monotonic() + 60
            while not partial.exists() and time.monotonic() < deadline:
                time.sleep(0.0005)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the run ended before it was killed: make it longer"
        while_writing += partial.exists()
    _, status = os.waitpid(attempt(pictures, killed), 0)
    assert status == 0, "the resumed run failed"
    print(while_writing)


if __name__ == "__main__":
    main()
