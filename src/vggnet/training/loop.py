"""The training loop: batches in, checkpoints and metrics out.

In: a Dataset, a Run, TrainingOptions. Out: in the run's folder checkpoint.pt, metrics.jsonl and
curves.png; the Run trained. A run that was interrupted, however, goes on from its checkpoint and
ends with the same bits. Source: Section 3.1 of the paper.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from vggnet.data import Dataset
from vggnet.data.fingerprint import fingerprint
from vggnet.evaluation import Score, evaluate
from vggnet.evaluation.figures import can_draw
from vggnet.image import PictureError
from vggnet.machine import available_memory
from vggnet.torch_network import CONVOLUTIONS, Convolutions
from vggnet.training.batches.colours import at_scale
from vggnet.training.batches.held_back import HeldBack, share, together
from vggnet.training.batches.pictures import DecodedPictures, WorkerEnded, batches, steps_per_epoch
from vggnet.training.distributed import ALONE, Process, ProcessEnded
from vggnet.training.hardware import Hardware
from vggnet.training.record import checkpoint
from vggnet.training.record.checkpoint import Checkpoint
from vggnet.training.record.disk import writing
from vggnet.training.record.history import History, Unkept, draw_curves, read
from vggnet.training.record.provenance import carried_on, provenance
from vggnet.training.reporter import Reporter, Silent
from vggnet.training.run import Outcome, Run, figures

_MOST_UNREAD = 32  # steps that a CUDA device may be behind


class Interrupted(Exception):
    """The run was asked to stop; its checkpoint is saved."""


@dataclass(frozen=True)
class TrainingOptions:
    """How a run is carried out.

    `folder` is the run's: checkpoint.pt, metrics.jsonl, curves.png and, at the end, the weights as
    model.safetensors. Of the options only device, threads, convolutions and the number of processes
    change the bits that it computes. A run that is resumed keeps the first three as it was begun
    with them: "auto" and None.

    Raises ValueError for numbers that are too small and for convolutions that nobody computes.
    """

    folder: Path  # a text becomes one
    workers: int = 1
    device: str = "auto"
    threads: int | None = None
    convolutions: Convolutions = "auto"
    checkpoint_seconds: float = 60.0
    stop_after: int | None = None
    memory_limit: int | None = None  # bytes of pictures kept; by default half of what is free
    strict: bool = False  # whether a broken picture ends the run
    validation: Dataset | None = None  # kept apart; the finished weights are tested on them
    curves: bool = True  # whether they are drawn after each epoch, which takes a moment
    reporter: Reporter = field(default_factory=Silent)
    should_stop: Callable[[], bool] = lambda: False
    process: Process = ALONE  # of several, those that torchrun started; `joined` connects them

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))
        for name, value, least in (("workers", self.workers, 0), ("threads", self.threads, 1)):
            if value is not None and value < least:
                raise ValueError(f"{name} {value} must be at least {least}")
        if self.convolutions not in CONVOLUTIONS:
            raise ValueError(
                f"convolutions {self.convolutions!r} must be one of {', '.join(CONVOLUTIONS)}"
            )

    def memory_for_pictures(self) -> int:
        """The limit in bytes; of several processes on a machine each has its share of it."""
        if self.memory_limit is not None:
            return self.memory_limit
        return available_memory() // 2 // self.process.local_world_size


@dataclass
class Progress:
    """Sums over the epoch that is under way, the length of the history, and the time spent."""

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    history: int = 0
    seconds: float = 0.0


class Loop:
    """One process's way through a run.

    Several do the same steps, each with its part of every batch. Rank 0 alone writes.
    """

    def __init__(
        self,
        dataset: Dataset,
        training: NDArray[np.int64],
        held_back: NDArray[np.int64],
        options: TrainingOptions,
        hardware: Hardware,
        run: Run,
        saved: Checkpoint | None = None,
    ) -> None:
        """Go on from `saved`. `training` and `held_back` are indices into the data set.

        Raises ValueError where there are more processes than pictures in a batch.
        """
        process = options.process
        self.dataset, self.training, self.held_back = dataset, training, held_back
        self.options, self.hardware, self.run = options, hardware, run
        self.begun, self.data = saved is not None, fingerprint(dataset)
        self.progress = Progress(**saved.progress) if saved else Progress()
        self.memory_limit = options.memory_for_pictures()
        for_held_back = share(self.memory_limit, len(training), len(held_back))
        self.pictures, self.crops = DecodedPictures(dataset), HeldBack(dataset, for_held_back)
        self._broken_before = frozenset(saved.broken if saved else ())
        self.sessions = carried_on(saved.sessions if saved else [], provenance(hardware), run.step)
        self.steps_per_epoch = steps_per_epoch(run.recipe, len(training))
        smallest = min(run.recipe.batch_size, len(training) // self.steps_per_epoch)
        if smallest < process.world_size:
            raise ValueError(
                f"{process.world_size} processes for batches of {smallest} pictures: start fewer, "
                "or make batches larger"
            )
        self._faults_told = 0
        run.join(process)
        path = options.folder / "metrics.jsonl"
        self.history = History(path, self.progress.history) if process.writes else Unkept(path)
        self.counted_to = self.saved_at = time.monotonic()
        self._unread: list[Outcome] = []

    def go(self) -> None:
        """Train until the last step, until told to stop, or until the loss is not finite.

        Raises Interrupted, Diverged, and ValueError where it is past the step to stop after;
        WorkerEnded where a process that prepares pictures died, ProcessEnded where another that
        trains did.
        """
        last = self.options.stop_after
        if last is not None and last <= self.run.step:
            raise ValueError(
                f"stop-after {last}: the run is at step {self.run.step} already; give a later one, "
                "or leave it out"
            )
        if not self.begun:
            self._save()  # so that the run can be resumed whenever it is killed
        self._decode()
        self._go_on_together()
        self._stop_at_broken_pictures()
        if self.run.step % self.steps_per_epoch == 0 and self.progress.images:
            self._end_epoch()  # it was interrupted while the held-back pictures were tested
        self._steps()
        self._save()

    @property
    def broken(self) -> list[str]:
        """The faults of the pictures that were left out, in this session or before."""
        return sorted(self._broken_before | self.pictures.broken)

    def _steps(self) -> None:
        run = self.run
        self._read_at = time.monotonic()
        for pixels, labels in self._batches():
            self._go_on_together()
            self._stop_at_broken_pictures()
            if run.ended_by_plateau:
                self.options.reporter.note(
                    f"the run ends at step {run.step} of {run.num_steps}: held-back accuracy has "
                    "stopped improving at the lowest rate"
                )
                break
            self._unread.append(run.train_step(pixels, labels))
            if run.checks_each_step or len(self._unread) == _MOST_UNREAD:
                self._read()
            if run.step % self.steps_per_epoch == 0:
                self._end_epoch()
            if not self.options.process.several:  # else they stop together, before the next step
                self.stop_if_asked()
            if run.step == self.options.stop_after:
                self._stop(together=True)
            if time.monotonic() - self.saved_at >= self.options.checkpoint_seconds:
                self._save()
        self._go_on_together()

    def _go_on_together(self) -> None:
        """Between two steps: several processes go on or stop together, and tell broken pictures."""
        process, broken = self.options.process, self.pictures.broken
        if not process.several:
            return
        with self._noticing_processes_that_end():
            stop, news = process.sums(self.options.should_stop(), len(broken) - self._faults_told)
            if news:
                broken.update(*process.gathered(broken))
        self._faults_told = len(broken)
        if stop:
            self._stop(together=True)

    @contextmanager
    def _noticing_processes_that_end(self) -> Iterator[None]:
        """Only between two steps, where the run is whole and is saved."""
        try:
            yield
        except ProcessEnded:
            self._save()
            raise

    def _read(self) -> None:
        """Take in what the steps since the last time gave. Raises Diverged where one did."""
        outcomes, self._unread = self._unread, []
        if not outcomes:
            return
        progress = self.progress
        for outcome, (loss, correct) in zip(outcomes, figures(outcomes), strict=True):
            progress.loss += loss * outcome.images
            progress.correct += correct
            progress.images += outcome.images
            line = {"step": outcome.step, "loss": loss, "learning_rate": outcome.learning_rate}
            self.history.add(line)
        now = time.monotonic()
        self.options.reporter.step(
            self.run.step,
            self.run.num_steps,
            progress.loss / progress.images,
            progress.correct / progress.images,
            sum(outcome.images for outcome in outcomes) / max(1e-9, now - self._read_at),
        )
        self._read_at = now

    def _batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches from the run's step on. A worker that died is noticed between two steps."""
        run, options = self.run, self.options
        stream = batches(
            self.pictures,
            run.recipe,
            self.training,
            run.step,
            options.workers,
            pinned=self.hardware.kind == "cuda",
            shift_axes_CC=run.shift_axes_CC,
            process=options.process,
        )
        with self._noticing_workers_that_end():
            yield from stream

    @contextmanager
    def _noticing_workers_that_end(self) -> Iterator[None]:
        try:
            yield
        except WorkerEnded as error:
            self.stop_if_asked()
            self._save()
            raise WorkerEnded(f"{error}, and go on with --resume") from None

    def test(self, size: int) -> Score:
        """The score on the held-back pictures, their short side rescaled to `size`.

        Of several processes each tests its share of them, and all get the score of all. Broken ones
        are left out and remembered; with strict they raise PictureError.
        """
        preprocessing = at_scale(self.run.preprocessing, self.run.recipe, size)
        process = self.options.process
        ours = self.held_back[process.rank :: process.world_size]
        found = evaluate(
            self.run.function(),
            self.dataset,
            preprocessing,
            indices=ours,
            batch_size=512 if self.hardware.kind == "cuda" else 64,
            progress=self.stop_if_asked,
            prepare=self.crops.crops(preprocessing),
        ) if len(ours) else None  # fmt: skip
        with self._noticing_processes_that_end():
            score = together(process.gathered(found))
        self.pictures.broken.update(score.broken)
        self._stop_at_broken_pictures()
        return score

    def draw(self) -> None:
        """The curves of the history so far, where matplotlib is there to draw them."""
        path = self.options.folder / "curves.png"
        try:
            if self.options.curves and can_draw() and self.options.process.writes:
                draw_curves(read(self.history.path), path)
        except OSError as error:  # no reason to end a run
            path.unlink(missing_ok=True)
            self.options.reporter.note(f"{path}: not drawn: {error.strerror or error}")

    def _decode(self) -> None:
        limit = self.memory_limit - self.crops.most_bytes
        with self._noticing_workers_that_end():
            held = self.pictures.fill(
                self.training, limit, self.options.folder, self.stop_if_asked, self.options.workers
            )
        how = self.pictures.in_words(held)
        self.options.reporter.note(f"{len(self.training)} training pictures, {how}")

    def _end_epoch(self) -> None:
        """Test, write the epoch's line, begin the sums anew. Interrupted, it does none of it."""
        self._read()
        run, progress = self.run, self.progress
        epoch = run.step // self.steps_per_epoch
        line: dict[str, Any] = {
            "epoch": epoch,
            "size": run.recipe.epoch_sizes[epoch - 1],
            "train_loss": progress.loss / progress.images,
            "train_top1": progress.correct / progress.images,
        }
        if len(self.held_back):
            score = self.test(run.recipe.test_size)
            line |= {"top1": score.top1, "top5": score.top5}
            if run.recipe.schedule == "plateau" and epoch > run.recipe.warmup_epochs:
                run.plateau.epoch(score.top1, run.recipe.patience)
        self.history.add(line)
        progress.loss, progress.correct, progress.images = 0.0, 0, 0
        self.history.flush()
        self.draw()
        self.options.reporter.epoch(line)
        self._read_at = time.monotonic()  # the test is no part of the rate of training

    def stop_if_asked(self, _done: int = 0) -> None:
        """Raises Interrupted, with a checkpoint saved, where the options ask for a stop."""
        if self.options.should_stop():
            self._stop()

    def _stop_at_broken_pictures(self) -> None:
        """With strict: before a batch that lacks one is learnt from, or the score of a test that
        lacks one is written, so that it can be mended."""
        if self.options.strict and self.pictures.broken:
            fault = min(self.pictures.broken)
            self.pictures.broken.clear()  # not left out
            self._save()
            raise PictureError(f"{fault}; mend it, or leave --strict out, and go on with --resume")

    def _stop(self, together: bool = False) -> None:
        self._save()
        if together:
            self.options.process.sums(0)  # rank 0 has saved, so that any of them can say so
        raise Interrupted(f"stopped at step {self.run.step} of {self.run.num_steps}")

    def _save(self) -> None:
        self._read()  # so that no step that diverged is saved
        now = time.monotonic()
        if not self.options.process.writes:
            self.saved_at = now
            return
        self.progress.seconds += now - self.counted_to
        self.counted_to = now
        self.progress.history = self.history.flush()
        run, path = self.run, self.options.folder / checkpoint.FILE_NAME
        values = Checkpoint(
            recipe=run.recipe.to_json(),
            spec=run.network.spec.to_json(),
            data=self.data,
            preprocess=run.preprocessing.to_json(),
            hardware=asdict(self.hardware),
            run=run.to_values(),
            progress=asdict(self.progress),
            sessions=self.sessions,
            broken=self.broken,
        )
        with writing(path):
            checkpoint.save(path, values)
        self.saved_at = time.monotonic()  # after the write, which may take longer than the interval
