"""`vggnet train DATA`: a network trained from pictures.

In: a folder of class folders or Parquet, a recipe. Out: a folder with checkpoint, metrics, curves
and model.safetensors.
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from rich.progress import TaskID

from vggnet.cli.execution_options import checkpoint_option, execution_options
from vggnet.cli.options import PathOrName, Whole, command
from vggnet.cli.outlook import show_outlook
from vggnet.cli.output import note
from vggnet.cli.recipe_options import recipe_options
from vggnet.cli.stopping import StopRequest
from vggnet.data import Dataset, open_dataset, splits
from vggnet.progress import bar
from vggnet.training.distributed import joined, refuse_several, speaks_first, this_process
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import RECIPES, fine_tuning, pre_training, vary
from vggnet.training.reporter import Silent
from vggnet.weights.named import load_weights


@command(
    "vggnet train DATA --config D --width 0.5 --batch-norm --input-size 64 --head average",
    "vggnet train PHOTOGRAPHS --init tiny-imagenet --epochs 5    # fine-tune on your own folder",
    "vggnet train DATA --recipe paper --config D --init-from runs/A    # from a shallower net",
    "vggnet train DATA --out RUN --resume",
    "torchrun --nproc-per-node 4 -m vggnet train DATA    # in four processes",
)
@click.argument("data", type=PathOrName(), metavar="DATA")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    default=Path("runs/vggnet"),
    help="Folder of the run.",
)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    help="The recipe that options change.  [default: modern]",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Say what would happen, how long it would take and in how much memory; train nothing.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in --out, as its checkpoint says.")
@checkpoint_option
@click.option("--stop-after", type=Whole(1), metavar="STEP", help="Stop after this step.")
@execution_options
@recipe_options()
def train(
    data: str,
    changes: dict[str, Any],
    execution: dict[str, Any],
    out: Path,
    recipe: str | None,
    dry_run: bool,
    resume: bool,
    checkpoint_seconds: float,
    stop_after: int | None,
) -> int:
    """Train a network. Ctrl-C, SIGTERM and the end of the terminal leave a checkpoint.

    DATA is a folder of class folders, or Parquet in the Hugging Face layout.

    --resume goes on from the checkpoint, needs no other option but --out, and ends with the same
    bits as a run that was left alone: on the same type of CPU, with the number of threads, and of
    processes under torchrun, that it was begun with.
    """
    if dry_run and resume:
        raise ValueError("--dry-run is of a new run: leave --resume out")
    if dry_run:
        refuse_several("vggnet train --dry-run")
    if resume and "epochs" in changes:
        raise ValueError("--epochs is of a new run: a run that is resumed keeps its own")
    process = this_process()
    with joined(process):
        asked = chosen_recipe(recipe or "modern", changes) if recipe or not resume else None
        dataset = open_dataset(data, "train")
        validation = kept_apart(data) if process.writes else None
        need_torch()
        from vggnet.training import train as run
        from vggnet.training.dry_run import look_ahead
        from vggnet.training.loop import Interrupted, TrainingOptions
        from vggnet.training.record import checkpoint

        told = TrainingReporter() if process.writes else nullcontext(Silent())
        with StopRequest(repeated=process.several) as stop, told as reporter:
            options = TrainingOptions(
                out, checkpoint_seconds=checkpoint_seconds, stop_after=stop_after,
                validation=validation, reporter=reporter, should_stop=stop.requested,
                process=process, **execution,
            )  # fmt: skip
            try:
                if dry_run:
                    assert asked is not None
                    outlook = look_ahead(dataset, asked, options)
                elif resume:
                    run.resume(dataset, options, asdict(asked) if asked else changes)
                else:
                    assert asked is not None
                    run.train(dataset, asked, options)
            except (Interrupted, KeyboardInterrupt) as interruption:
                what = str(interruption) or "stopped before a step was done"
                begun = (out / checkpoint.FILE_NAME).exists()
                if speaks_first(process):
                    tell = note if process.several else reporter.note
                    tell(f"{what}; {'go on with --resume' if begun else 'nothing was begun'}")
                return stop.exit_status
    if dry_run:
        show_outlook(outlook)
    return 0


def chosen_recipe(name: str, changes: dict[str, Any]) -> Recipe:
    """The recipe of that name with the changes, and with what is usual from weights they name."""
    if changes.get("init"):
        return fine_tuning(RECIPES[name], changes, load_weights(changes["init"]).spec.input_size)
    start = pre_training if changes.get("init_from") else vary
    return start(RECIPES[name], changes)


def need_torch() -> None:
    """Raises ValueError where torch, which training needs, is missing."""
    if find_spec("torch") is None:
        raise ValueError("training needs torch: pip install 'vggnet[train]'")


def kept_apart(data: str) -> Dataset | None:
    """The validation pictures of the data, else its test pictures, where it keeps any apart."""
    for split in splits(data):
        if split != "train":
            try:
                return open_dataset(data, split)
            except ValueError as error:  # such as the labels of a contest, which are hidden
                note(f"the {split} pictures are left out: {error}")
    return None


class TrainingReporter:
    """Progress on standard error: a bar on a terminal, a line an epoch elsewhere.

    Where the terminal is gone, and writing fails, the run goes on to its checkpoint.
    """

    def __init__(self) -> None:
        self._progress = bar(
            "step {task.completed}/{task.total}",
            "loss {task.fields[loss]:.3f} top-1 {task.fields[accuracy]:.1%}",
            "{task.fields[rate]:.0f} images/s",
        )
        self._task: TaskID | None = None

    def __enter__(self) -> TrainingReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._progress.stop()

    def step(self, step: int, num_steps: int, loss: float, accuracy: float, rate: float) -> None:
        figures: dict[str, Any] = {"loss": loss, "accuracy": accuracy, "rate": rate}
        if self._task is None:
            self._task = self._progress.add_task("", total=num_steps, **figures)
        self._progress.update(self._task, completed=step, **figures)

    def epoch(self, line: dict[str, Any]) -> None:
        text = f"epoch {line['epoch']} at {line['size']}: loss {line['train_loss']:.3f}"
        if "top1" in line:
            text += f" held back Acc@1 {100 * line['top1']:.2f} Acc@5 {100 * line['top5']:.2f}"
        self.note(text)

    def note(self, text: str) -> None:
        with suppress(OSError):
            self._progress.console.print(text, soft_wrap=True)
