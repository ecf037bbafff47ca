"""The record of a run: one JSON line a step and one an epoch, and their curves as a picture.

In: the figures as they come. Out: metrics.jsonl, which a resumed run cuts back to its checkpoint
and goes on with, and curves.png.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from vggnet.training.record.disk import writing


class History:
    """An append-only file of JSON lines; `length` is its size in bytes, which checkpoints keep."""

    def __init__(self, path: Path, length: int = 0) -> None:
        """Open the file and forget all that it holds beyond `length` bytes.

        Raises ValueError where it is shorter than that: then it is not this run's.
        """
        self.path = path
        found = path.stat().st_size if path.exists() else 0
        if found < length:
            raise ValueError(
                f"{path}: {found} bytes, but the checkpoint counts on {length}; put the run's own "
                "file back beside its checkpoint"
            )
        self._file = path.open("ab")
        self._file.truncate(length)
        self._file.seek(length)  # `tell` would give the old end until the first write

    def add(self, values: dict[str, Any]) -> None:
        with writing(self.path):
            self._file.write((json.dumps(values) + "\n").encode())

    def flush(self) -> int:
        """Put everything on the disk; the length in bytes."""
        with writing(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        with suppress(OSError):  # lines after the last `flush`, which a resumed run forgets anyway
            self._file.close()


class Unkept(History):
    """The history in a process that leaves writing it to another."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, values: dict[str, Any]) -> None:
        pass

    def flush(self) -> int:
        return 0

    def close(self) -> None:
        pass


def read(path: Path) -> list[dict[str, Any]]:
    """All lines of a metrics file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def draw_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """Loss a step, accuracy an epoch, learning rate: a PNG of three panels."""
    from matplotlib.figure import Figure

    steps = [line for line in lines if "step" in line]
    epochs = [line for line in lines if "epoch" in line]
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    loss, accuracy, rate = figure.subplots(1, 3)
    smooth: list[float] = []
    for line in steps:
        smooth.append(0.98 * smooth[-1] + 0.02 * line["loss"] if smooth else line["loss"])
    loss.plot([line["step"] for line in steps], [line["loss"] for line in steps], color="0.85")
    loss.plot([line["step"] for line in steps], smooth, color="C0")
    loss.set(title="training loss", xlabel="step")
    numbers = [line["epoch"] for line in epochs]
    for key, label in (
        ("train_top1", "training views, top-1"),
        ("top1", "held back, top-1"),
        ("top5", "held back, top-5"),
    ):
        shown = [line.get(key) for line in epochs]
        if any(value is not None for value in shown):
            accuracy.plot(numbers, shown, marker=".", label=label)
    accuracy.set(title="accuracy", xlabel="epoch", ylim=(0, 1))
    if accuracy.lines:
        accuracy.legend()
    rate.plot([line["step"] for line in steps], [line["learning_rate"] for line in steps])
    rate.set(title="learning rate", xlabel="step")
    figure.savefig(path, dpi=100)
