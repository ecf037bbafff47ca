"""The training loop: batches in, checkpoints and a weight file out.

In: a Dataset, a Recipe, Options. Out: in the run's folder checkpoint.pt, metrics.jsonl, curves.png
and at the end model.safetensors. A run that was interrupted, however, goes on from its checkpoint
and ends with the same bits. Source: Section 3.1 of the paper.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset
from vggnet.evaluation import evaluate
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess
from vggnet.training import checkpoint
from vggnet.training.history import History, draw_curves, read
from vggnet.training.pictures import Memory, available_memory, batches, steps_per_epoch
from vggnet.training.provenance import provenance
from vggnet.training.recipe import Recipe
from vggnet.training.run import Run
from vggnet.training.start import (
    colour_statistics,
    differences,
    fingerprint,
    split,
    starting_arrays,
    starting_spec,
)
from vggnet.weights.rewrite import fold_batch_norm
from vggnet.weights.state import Weights


class Interrupted(Exception):
    """The run was asked to stop; its checkpoint is saved."""


class Reporter(Protocol):
    """Who is told how the run goes."""

    def step(self, step: int, num_steps: int, loss: float, accuracy: float, rate: float) -> None:
        """After every step: mean loss and accuracy in the epoch so far, images/s."""

    def epoch(self, line: dict[str, Any]) -> None:
        """After every epoch, with its line of metrics.jsonl."""

    def note(self, text: str) -> None:
        """Anything else worth a line."""


class Silent:
    """Tells nobody."""

    def step(self, step: int, num_steps: int, loss: float, accuracy: float, rate: float) -> None:
        pass

    def epoch(self, line: dict[str, Any]) -> None:
        pass

    def note(self, text: str) -> None:
        pass


@dataclass(frozen=True)
class Options:
    """How a run is carried out. Of these only the device changes what it computes."""

    folder: Path
    resume: bool = False
    workers: int = 1
    device: str = "cpu"
    checkpoint_seconds: float = 60.0
    stop_after: int | None = None
    memory_limit: int | None = None  # bytes of decoded pictures; by default half of what is free
    strict: bool = False  # whether a broken picture ends the run
    reporter: Reporter = field(default_factory=Silent)
    should_stop: Callable[[], bool] = lambda: False


def train(
    dataset: Dataset, recipe: Recipe, options: Options, initial: Weights | None = None
) -> Weights:
    """Train a network on `dataset` and give the weights to keep, batch norm folded.

    `initial` weights are started from where their shapes agree: a new head where the classes
    differ. Raises Interrupted when asked to stop, NonFiniteLoss, and ValueError for data and
    recipes that do not fit together.
    """
    spec = starting_spec(recipe, dataset, initial)
    for size in {*recipe.epoch_sizes, *recipe.test_size_choices}:
        spec.layers_at(size, size)  # raises for a size that the network cannot take
    training, held_back = split(len(dataset.labels), recipe)
    num_steps = steps_per_epoch(recipe, len(training)) * len(recipe.epoch_sizes)
    path = options.folder / "checkpoint.pt"
    if path.exists() and not options.resume:
        raise ValueError(f"{path}: a run was begun there; resume it, or choose another folder")
    options.folder.mkdir(parents=True, exist_ok=True)
    saved = checkpoint.load(path) if path.exists() else None
    identity = {
        "recipe": recipe.to_json(),
        "spec": spec.to_json(),
        "data": fingerprint(dataset),
    }
    if saved and saved["identity"] != identity:
        raise ValueError(
            f"{path}: the checkpoint is of another run: {differences(saved['identity'], identity)}"
        )
    if saved:
        preprocess = Preprocess.from_json(saved["preprocess"])
    elif initial:
        preprocess = replace(initial.preprocess, resize=recipe.input_size, crop=recipe.input_size)
    else:
        preprocess = colour_statistics(dataset, training, recipe)
    state = None if initial is None or saved else starting_arrays(initial, spec)
    run = Run(recipe, spec, preprocess, num_steps, options.device, state)
    progress = _Progress()
    if saved:
        run.from_values(saved["run"])
        progress = _Progress(**saved["progress"])
        options.reporter.note(f"resuming at step {run.step} of {num_steps}")
    loop = _Loop(dataset, training, held_back, options, run, progress, identity)
    try:
        loop.go()
    finally:
        loop.history.close()
    return loop.finish(provenance())


@dataclass
class _Progress:
    """Sums over the epoch that is under way, the length of the history, and the time spent."""

    loss: float = 0.0
    correct: int = 0
    images: int = 0
    history: int = 0
    seconds: float = 0.0


class _Loop:
    """One process's way through a run."""

    def __init__(
        self,
        dataset: Dataset,
        training: NDArray[np.int64],
        held_back: NDArray[np.int64],
        options: Options,
        run: Run,
        progress: _Progress,
        identity: dict[str, Any],
    ) -> None:
        self.dataset, self.training, self.held_back = dataset, training, held_back
        self.options, self.run, self.progress, self.identity = options, run, progress, identity
        self.history = History(options.folder / "metrics.jsonl", progress.history)
        self.memory = Memory(dataset)
        self.steps_per_epoch = steps_per_epoch(run.recipe, len(training))
        self.saved_at = self.started = time.monotonic()

    def go(self) -> None:
        """Train until the last step, until told to stop, or until the loss is not finite."""
        self._decode()
        run, workers = self.run, self.options.workers
        stream = batches(self.memory, run.recipe, self.training, run.step, workers)
        previous = time.monotonic()
        for pixels, labels in stream:
            if run.plateau.finished:
                break
            progress = self.progress
            rate = run.learning_rate()
            loss, correct = run.take(pixels, labels)
            progress.loss += loss * len(labels)
            progress.correct += correct
            progress.images += len(labels)
            self.history.add({"step": run.step, "loss": loss, "learning_rate": rate})
            now = time.monotonic()
            self.options.reporter.step(
                run.step,
                run.num_steps,
                progress.loss / progress.images,
                progress.correct / progress.images,
                len(labels) / max(1e-9, now - previous),
            )
            previous = now
            if self.memory.broken and self.options.strict:
                raise PictureError(min(self.memory.broken))
            if run.step % self.steps_per_epoch == 0:
                self._end_epoch()
            if self.options.should_stop() or run.step == self.options.stop_after:
                self._save()
                raise Interrupted(f"stopped at step {run.step} of {run.num_steps}")
            if now - self.saved_at >= self.options.checkpoint_seconds:
                self._save()
        self._save()

    def finish(self, provenance: dict[str, Any]) -> Weights:
        """The weights to keep, tested on the held-back pictures, with where they come from."""
        run, recipe = self.run, self.run.recipe
        lines = read(self.history.path)
        draw_curves(lines, self.options.folder / "curves.png")
        metrics: dict[str, Any] = {}
        chosen = run.preprocess
        if len(self.held_back):
            tested = {}
            for size in recipe.test_size_choices:
                preprocess = replace(run.preprocess, resize=size, crop=size)
                score = evaluate(run.function(), self.dataset, preprocess, indices=self.held_back)
                tested[size] = score
                self.options.reporter.note(f"held back, tested at {size}:{score}")
            best = max(tested, key=lambda size: tested[size].top1)
            chosen = replace(run.preprocess, resize=best, crop=best)
            metrics["held_back"] = {
                str(size): {"top1": score.top1, "top5": score.top5, "images": score.images}
                for size, score in tested.items()
            }
        state = {name: tensor.cpu().numpy() for name, tensor in run.best.state_dict().items()}
        spec, state = fold_batch_norm(run.network.spec, state)
        for text in sorted(self.memory.broken):
            self.options.reporter.note(f"left out: {text}")
        return Weights(
            spec,
            state,
            chosen,
            self.dataset.classes,
            {
                **provenance,
                "data": self.identity["data"],
                "recipe": recipe.to_json(),
                "epochs": run.step / self.steps_per_epoch,
                "steps": run.step,
                "wall_seconds": round(self.progress.seconds),
                "broken_pictures": len(self.memory.broken),
                "metrics": metrics,
            },
        )

    def _decode(self) -> None:
        limit = self.options.memory_limit
        limit = available_memory() // 2 if limit is None else limit
        fits = self.memory.fill(self.training, limit)
        where = "decoded in memory" if fits else "read from disk as they are needed"
        self.options.reporter.note(f"{len(self.training)} training pictures, {where}")

    def _end_epoch(self) -> None:
        run, progress = self.run, self.progress
        epoch = run.step // self.steps_per_epoch
        line: dict[str, Any] = {
            "epoch": epoch,
            "size": run.recipe.epoch_sizes[epoch - 1],
            "train_loss": progress.loss / progress.images,
            "train_top1": progress.correct / progress.images,
        }
        if len(self.held_back):
            score = evaluate(run.function(), self.dataset, run.preprocess, indices=self.held_back)
            line |= {"top1": score.top1, "top5": score.top5}
            run.plateau.epoch(score.top1, run.recipe.patience)
        self.history.add(line)
        self.progress = replace(progress, loss=0.0, correct=0, images=0)
        self.history.flush()
        draw_curves(read(self.history.path), self.options.folder / "curves.png")
        self.options.reporter.epoch(line)

    def _save(self) -> None:
        now = time.monotonic()
        self.progress.seconds += now - self.started
        self.progress.history = self.history.flush()
        self.saved_at = self.started = now
        checkpoint.save(
            self.options.folder / "checkpoint.pt",
            {
                "identity": self.identity,
                "preprocess": self.run.preprocess.to_json(),
                "run": self.run.to_values(),
                "progress": dict(vars(self.progress)),
            },
        )
