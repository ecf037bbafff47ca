"""Training runs in several processes: run by test_distributed in a process of its own.

In: a folder of pictures and jobs as JSON, one after the other: the run's folder, the number of
processes, fields of the recipe, options. Out: the runs' folders, in each first_gradient.npz: the
gradient of the first step of the session. As torchrun does, the parent keeps the store and tells
each process who it is; they are forked, so that torch is imported only once.
"""

import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from small_data import SMALL
from torch import Tensor
from torch.distributed import TCPStore

from vggnet.data import open_dataset
from vggnet.training import loop
from vggnet.training.distributed import joined, this_process
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.run import Outcome, Run
from vggnet.training.train import resume, train

GRADIENT = "first_gradient.npz"


learn = Run.train_step


def recorded_step(self: Run, pixels_NHWC: Tensor, labels_N: Tensor) -> Outcome:
    """A step. Its gradient is written if it is the first, and all processes have the same network.

    The gradient goes to the folder that `child` leaves in the environment.
    """
    outcome = learn(self, pixels_NHWC, labels_N)
    path = Path(os.environ["FOLDER_OF_THE_RUN"]) / GRADIENT
    if self.process.writes and not path.exists():
        np.savez(
            path, **{name: each.grad.numpy() for name, each in self.network.named_parameters()}
        )
    digest = hashlib.sha256()
    for network in (self.network, self.network_to_keep):
        for values in network.state_dict().values():
            digest.update(values.numpy().tobytes())
    assert len(set(self.process.gathered(digest.hexdigest()))) == 1, "networks differ"
    return outcome


def run(pictures: Path, job: dict[str, Any]) -> None:
    """Start or resume the run of the job, as one of its processes."""
    process, folder = this_process(), Path(job["folder"])
    options = TrainingOptions(folder, workers=0, process=process, **job.get("options", {}))
    dataset = open_dataset(str(pictures), "train")
    with joined(process):
        try:
            if job.get("resume"):
                resume(dataset, options)
            else:
                train(dataset, replace(SMALL, **job["recipe"]), options)
        except Interrupted:
            pass


def child(pictures: Path, job: dict[str, Any], rank: int, port: int) -> int:
    """The process of that rank; its process id."""
    forked = os.fork()
    if forked:
        return forked
    status = 1
    try:
        number = str(job["processes"])
        os.environ.update(
            MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), TORCHELASTIC_USE_AGENT_STORE="True",
            RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=number, LOCAL_WORLD_SIZE=number,
            FOLDER_OF_THE_RUN=job["folder"],
        )  # fmt: skip
        run(pictures, job)
        status = 0
    except BaseException as error:
        print(f"rank {rank}: {error!r}", file=sys.stderr)
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    pictures, jobs = Path(sys.argv[1]), json.loads(sys.argv[2])
    torch.set_num_threads(1)
    loop.can_draw = lambda: False  # drawing curves would take most of the time
    Run.train_step = recorded_step  # type: ignore[method-assign]
    for job in jobs:
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        children = [child(pictures, job, rank, store.port) for rank in range(job["processes"])]
        statuses = [os.waitpid(each, 0)[1] for each in children]
        assert not any(statuses), f"{job['folder']}: {statuses}"


if __name__ == "__main__":
    main()
