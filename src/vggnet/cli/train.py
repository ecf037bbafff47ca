"""`vggnet train DATA`: a network trained from pictures.

In: a folder of class folders or Parquet, a recipe. Out: a folder with checkpoint, metrics, curves
and model.safetensors.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import TaskID

from vggnet.cli.output import note
from vggnet.cli.recipe_options import with_recipe_options
from vggnet.cli.stopping import StopRequest
from vggnet.data import Dataset, open_dataset, splits
from vggnet.model import load_weights
from vggnet.progress import bar
from vggnet.training.recipe import RECIPES, Recipe, fine_tuning, vary


@with_recipe_options
def train(
    data: Annotated[str, typer.Argument(help="Folder of class folders, or Parquet.")],
    changes: dict[str, Any],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/vggnet"),
    recipe: Annotated[
        str | None, typer.Option(help="Where to start from: modern or paper. [default: modern]")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Go on with the run in --out, as its checkpoint says."),
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare pictures.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Threads that compute. [default: all, or as the run was begun]"),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto (as the run was begun, else CUDA where it is), cpu or cuda.")
    ] = "auto",
    checkpoint_seconds: Annotated[
        float,
        typer.Option(min=0, help="Time between checkpoints; 0 for one after every step."),
    ] = 60.0,
    stop_after: Annotated[int | None, typer.Option(min=1, help="Stop after this step.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a broken picture.")] = False,
) -> None:
    """Train a network. Ctrl-C, SIGTERM and the end of the terminal leave a checkpoint.

    --resume goes on from it, needs no other option but --out, and ends with the same bits as a run
    that was left alone: on the same type of CPU, with the number of threads that it was begun with.
    """
    if recipe and recipe not in RECIPES:
        raise ValueError(f"recipe {recipe!r} must be one of {', '.join(RECIPES)}")
    asked = _recipe(recipe or "modern", changes) if recipe or not resume else None
    _need_torch()
    from vggnet.training import checkpoint
    from vggnet.training import train as run
    from vggnet.training.loop import Interrupted, TrainingOptions

    dataset, validation = open_dataset(data, "train"), _kept_apart(data)
    with StopRequest() as stop, _Reporter() as reporter:
        options = TrainingOptions(
            out, workers, device, threads, checkpoint_seconds, stop_after, strict=strict,
            validation=validation, reporter=reporter, should_stop=stop.requested,
        )  # fmt: skip
        try:
            if resume:
                run.resume(dataset, options, asdict(asked) if asked else changes)
            else:
                assert asked is not None
                run.train(dataset, asked, options)
        except (Interrupted, KeyboardInterrupt) as interruption:
            what = str(interruption) or "stopped before a step was done"
            begun = (out / checkpoint.FILE_NAME).exists()
            reporter.note(f"{what}; {'go on with --resume' if begun else 'nothing was begun'}")
            raise typer.Exit(stop.exit_status) from None


def _recipe(name: str, changes: dict[str, Any]) -> Recipe:
    """The recipe of that name with the changes, for fine-tuning where they name weights."""
    if not changes.get("init"):
        return vary(RECIPES[name], changes)
    return fine_tuning(RECIPES[name], changes, load_weights(changes["init"]).spec.input_size)


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise ValueError("training needs torch: pip install 'vggnet[train]'")


def _kept_apart(data: str) -> Dataset | None:
    """The validation pictures of the data, else its test pictures, where it keeps any apart."""
    for split in splits(data):
        if split != "train":
            try:
                return open_dataset(data, split)
            except ValueError as error:  # such as the labels of a contest, which are hidden
                note(f"the {split} pictures are left out: {error}")
    return None


class _Reporter:
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

    def __enter__(self) -> _Reporter:
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
