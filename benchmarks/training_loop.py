"""What the training loop adds to the bare step, and how many workers hide the loader.

    pip install 'vggnet[train,parquet]'; python benchmarks/training_loop.py DATA

Half-width D with batch norm at 64 pixels in batches of 128, fp32, by `vggnet.training.train` on the
training pictures of DATA: decoded in memory, and taken from the files as they are encoded (which is
what happens where memory is short), each with several numbers of worker processes. Beside it, in
turns, the same step on tensors in memory (benchmarks/training_tasks.py). Medians of steps; of the
parts of a step too. Writes benchmarks/results/training_loop_DATE.json.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import report
import torch
from machine import machine
from torch.optim import optimizer
from training_tasks import TASKS, make_step

from vggnet.data import Dataset, open_dataset
from vggnet.torch_network import Network
from vggnet.training.batches.transfer import Transfer
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import MODERN, vary
from vggnet.training.train import train

PARTS = ("preprocessing", "forward", "backward", "step", "rest")
_WARM = 3  # steps that are not counted
_TASK = TASKS["half"]


class Clock:
    """When each part of a step began and ended."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._ended: float | None = None  # of the step before
        self._at = 0.0

    def lap(self, part: str) -> None:
        """The time since the last part ended is that of this one."""
        now = time.perf_counter()
        self.seconds[part].append(now - self._at)
        self._at = now

    def begin(self) -> None:
        self._at = time.perf_counter()

    def end_step(self) -> None:
        self.lap("step")
        if self._ended is not None:
            self.seconds["interval"].append(self._at - self._ended)
        self._ended = self._at

    def medians(self) -> dict[str, float]:
        """Seconds of a whole step, from end to end, and of its parts; the rest is the loader's."""
        found = {part: statistics.median(times[_WARM:]) for part, times in self.seconds.items()}
        whole = found.pop("interval")
        return {"whole": whole, **found, "rest": whole - sum(found.values())}


@contextmanager
def clocked() -> Iterator[Clock]:
    """A clock of every step that is taken within the context.

    A hook on every module would have each computed by itself, not with its neighbours; so what is
    clocked is put in another's place.
    """
    clock, convert, forward = Clock(), Transfer.__call__, Network.forward

    def clocked_convert(transfer: Transfer, pixels_NHWC: torch.Tensor) -> torch.Tensor:
        clock.begin()
        images_NCHW = convert(transfer, pixels_NHWC)
        clock.lap("preprocessing")
        return images_NCHW

    def clocked_forward(network: Network, images_NCHW: torch.Tensor) -> torch.Tensor:
        logits = forward(network, images_NCHW)
        clock.lap("forward")
        return logits

    handles = [
        optimizer.register_optimizer_step_pre_hook(lambda *_: clock.lap("backward")),
        optimizer.register_optimizer_step_post_hook(lambda *_: clock.end_step()),
    ]
    Transfer.__call__ = clocked_convert  # type: ignore[method-assign,assignment]
    Network.forward = clocked_forward  # type: ignore[method-assign,assignment]
    try:
        yield clock
    finally:
        Transfer.__call__ = convert  # type: ignore[method-assign]
        Network.forward = forward  # type: ignore[method-assign]
        for handle in handles:
            handle.remove()


def recipe(precision: str) -> Recipe:
    changes = {
        "config": "D", "batch_norm": True, "width": 0.5, "head": "average", "input_size": 64,
        "sizes": "64x4", "batch_size": _TASK.batch, "precision": precision, "weight_average": 0.0,
    }  # fmt: skip
    return vary(MODERN, changes)


def of_loop(dataset: Dataset, workers: int, in_memory: bool, steps: int) -> dict[str, float]:
    """Medians of so many steps of a run."""
    with TemporaryDirectory() as folder, clocked() as clock:
        options = TrainingOptions(
            Path(folder) / "run", workers=workers, threads=2, convolutions="native",
            checkpoint_seconds=1e9, stop_after=steps + _WARM,
            memory_limit=None if in_memory else 1 << 28, curves=False,
        )  # fmt: skip
        try:
            train(dataset, recipe("fp32"), options)
        except Interrupted:
            return clock.medians()
    raise SystemExit("the data are too few for so many steps")


def of_bare_step(steps: int) -> float:
    """Seconds of a step on tensors in memory; the median of so many."""
    step, seconds = make_step(_TASK, "vggnet fp32", _TASK.batch), []
    for _ in range(steps + _WARM):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[_WARM:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--no-result", action="store_true", help="write nothing to results/")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    dataset = open_dataset(arguments.data, "train")
    rows = []
    for in_memory in (True, False):
        for workers in arguments.workers:
            bare = of_bare_step(arguments.steps)
            found = of_loop(dataset, workers, in_memory, arguments.steps)
            row = {"in_memory": in_memory, "workers": workers, "bare": bare, **found}
            rows.append(row)
            print(line(row), file=sys.stderr, flush=True)
    if not arguments.no_result:
        result = {"title": _TASK.title, **machine(), "rows": rows}
        name = f"training_loop_{result['date']}.json"
        print(f"written to {report.write(name, result)}", file=sys.stderr)


def line(row: dict[str, Any]) -> str:
    """One variant in words."""
    where = "decoded in memory" if row["in_memory"] else "from the files"
    parts = ", ".join(f"{part} {1e3 * row[part]:.0f}" for part in PARTS)
    return (
        f"{where}, {row['workers']} workers: {1e3 * row['whole']:.0f} ms a step, bare "
        f"{1e3 * row['bare']:.0f}, {row['whole'] / row['bare'] - 1:+.1%} ({parts})"
    )


if __name__ == "__main__":
    main()
