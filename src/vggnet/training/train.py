"""A whole training run: begun, or resumed, to the weights to keep.

In: a Dataset, a Recipe or a checkpoint, TrainingOptions. Out: Weights, batch norm folded, that say
where they come from; in the run's folder the same as a file, beside what the loop leaves there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from vggnet.data import Dataset
from vggnet.data.fingerprint import data_differences, fingerprint
from vggnet.differences import differences
from vggnet.evaluation.figures import can_draw
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.training.batches.held_back import split
from vggnet.training.beginning import Beginning, begin
from vggnet.training.finish import finish
from vggnet.training.hardware import Hardware, choose, remark, set_torch
from vggnet.training.loop import Loop, TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.record import checkpoint
from vggnet.training.record.lock import locked
from vggnet.training.teacher import teacher_of
from vggnet.weights.named import WEIGHTS_OF_A_RUN
from vggnet.weights.weights import Weights


def train(dataset: Dataset, recipe: Recipe, options: TrainingOptions) -> Weights:
    """Train a network on `dataset` in a new folder; the weights to keep, which are saved there too.

    Raises Interrupted when asked to stop, Diverged, and ValueError for data and recipes that do not
    fit together, for a folder that has a run already and for one where another process trains.
    """
    if options.process.writes:
        check_new(options.folder)
    start = begin(dataset, recipe, options)
    options.reporter.note(remark(start.hardware))
    run = start.run()
    options.folder.mkdir(parents=True, exist_ok=True)
    with _owned(options):
        if options.process.writes:
            check_new(options.folder)  # since then, another process may have been here
        return _carry_out(
            Loop(dataset, start.training, start.held_back, options, start.hardware, run)
        )


def resume(
    dataset: Dataset, options: TrainingOptions, asked: Mapping[str, Any] | None = None
) -> Weights:
    """Go on with the run in the options' folder, as its own recipe says, and end it like `train`.

    Raises ValueError where there is none or another process is at it, for other pictures or
    hardware than it was begun with, and where fields of the recipe that are `asked` for are not as
    they were, naming both values.
    """
    path = options.folder / checkpoint.FILE_NAME
    if not path.exists():
        raise ValueError(f"{options.folder}: there is no run to resume; begin one without --resume")
    with _owned(options):
        return _carry_out(_continued(dataset, options, asked or {}, path))


@contextmanager
def _owned(options: TrainingOptions) -> Iterator[None]:
    """The lock on the run's folder, for the process that writes there."""
    if options.process.writes:
        with locked(options.folder):
            yield
    else:
        yield


def check_new(folder: Path) -> None:
    """Raises ValueError where a run was begun in the folder, or has left its weights there."""
    path, weights = folder / checkpoint.FILE_NAME, folder / WEIGHTS_OF_A_RUN
    if path.exists():
        raise ValueError(f"{path}: a run was begun there; --resume it, or choose another folder")
    if weights.exists():
        raise ValueError(
            f"{weights}: a trained model is there already; move it, or choose another folder"
        )


def _continued(
    dataset: Dataset, options: TrainingOptions, asked: Mapping[str, Any], path: Path
) -> Loop:
    """The loop of the checkpoint at `path`."""
    saved = checkpoint.load(path)
    try:
        recipe, spec = Recipe.from_json(saved.recipe), Spec.from_json(saved.spec)
        preprocessing = Preprocess.from_json(saved.preprocess)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    changed = differences(asdict(recipe), asked)
    changed = changed or data_differences(saved.data, fingerprint(dataset))
    if changed:
        raise ValueError(f"{path}: the checkpoint is of another run: {changed}")
    begun = Hardware(**saved.hardware)
    hardware = choose(
        options.device, options.threads, recipe.precision, begun, options.convolutions,
        options.process,
    )  # fmt: skip
    set_torch(hardware)
    training, held_back = split(len(dataset.labels), recipe)
    teacher = teacher_of(recipe, dataset.classes, hardware)
    # All arrays, and the axes of a shift of colours, come with the run's own values.
    start = Beginning(recipe, spec, preprocessing, {}, None, training, held_back, hardware, teacher)
    run = start.run()
    run.from_values(saved.run)
    saved.run.clear()  # copied; it would take up the memory of the whole run
    options.reporter.note(f"resuming at step {run.step} of {run.num_steps}; {remark(hardware)}")
    return Loop(dataset, training, held_back, options, hardware, run, saved)


def _carry_out(loop: Loop) -> Weights:
    report = loop.options.reporter
    if loop.options.curves and not can_draw():
        report.note("no curves will be drawn: matplotlib is missing (pip install 'vggnet[train]')")
    try:
        loop.go()
        return finish(loop)
    finally:
        loop.history.close()
