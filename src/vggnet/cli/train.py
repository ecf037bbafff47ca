"""`vggnet train DATA`: a network trained from pictures.

In: a folder of class folders or Parquet, a recipe. Out: a folder with checkpoint, metrics, curves
and model.safetensors.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from vggnet.cli.output import note, progress_bar
from vggnet.cli.recipe_options import with_recipe_options
from vggnet.training.recipe import RECIPES, vary

if TYPE_CHECKING:
    from vggnet.data import Dataset

Dtype = Literal["fp32", "bf16", "fp16"]


@with_recipe_options
def train(
    data: Annotated[str, typer.Argument(help="Folder of class folders, or Parquet.")],
    changes: dict[str, Any],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/vggnet"),
    recipe: Annotated[str, typer.Option(help="Where to start from: modern or paper.")] = "modern",
    init: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from, at their size, batch 32, rate 0.01, 10 epochs by default."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out.")] = False,
    dtype: Annotated[Dtype, typer.Option(help="Type of the saved weights.")] = "fp32",
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare pictures.")] = 1,
    threads: Annotated[int | None, typer.Option(min=1, help="Threads that compute.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, help="Time between checkpoints; 0 for one after every step.")
    ] = 60.0,
    stop_after: Annotated[int | None, typer.Option(min=1, help="Stop after this step.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at a broken picture.")] = False,
) -> None:
    """Train a network. Ctrl-C leaves a checkpoint; --resume goes on from it, bit for bit."""
    if recipe not in RECIPES:
        raise ValueError(f"recipe {recipe!r} must be one of {', '.join(RECIPES)}")
    torch = _torch()
    from vggnet.data import open_dataset
    from vggnet.model import load_weights
    from vggnet.training.loop import Interrupted, Options, train
    from vggnet.weights import state

    if threads:
        torch.set_num_threads(threads)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    initial = load_weights(init) if init else None
    if initial:
        changes = _fine_tuning(initial.spec.input_size) | changes
    dataset = open_dataset(data, "train")
    with _StopRequest() as stop, _Bar() as bar:
        options = Options(
            out, resume, workers, device, checkpoint_seconds, stop_after, strict=strict,
            reporter=bar, should_stop=stop.requested,
        )  # fmt: skip
        try:
            weights = train(dataset, vary(RECIPES[recipe], changes), options, initial)
        except Interrupted as interruption:
            bar.note(f"{interruption}; go on with --resume")
            raise typer.Exit(130 if stop.requested() else 0) from None
    path = out / "model.safetensors"
    state.save(path, weights, dtype)
    validation = _validation_score(data, dataset, path)
    if validation:
        metrics = {**weights.training["metrics"], "validation": validation}  # type: ignore[dict-item]
        training = {**weights.training, "metrics": metrics}
        state.save(path, replace(weights, training=training), dtype)
    note(f"saved {path}")


def _fine_tuning(size: int) -> dict[str, Any]:
    """What is usual from good weights and with few pictures: their size, a low rate, few epochs."""
    return {"input_size": size, "sizes": f"{size}x10", "batch_size": 32, "learning_rate": 0.01}


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise ValueError("training needs torch: pip install 'vggnet[train]'") from None
    return torch


def _validation_score(data: str, dataset: Dataset, path: Path) -> dict[str, Any] | None:
    """The finished file's score on the validation pictures, where the data keeps some apart."""
    from vggnet.data import open_dataset
    from vggnet.evaluation import class_indices, evaluate
    from vggnet.model import load

    try:
        validation = open_dataset(data, "validation")
    except ValueError:
        return None
    if validation.where(0) == dataset.where(0):  # data without splits is the same for either
        return None
    model = load(path)
    with progress_bar("validation", len(validation.labels)) as advance:
        score = evaluate(
            model.logits,
            validation,
            model.preprocessing,
            class_index=class_indices(model.labels, validation.classes),
            progress=advance,
        )
    note(f"validation:{score}")
    return {"top1": score.top1, "top5": score.top5, "images": score.images}


class _StopRequest:
    """Ctrl-C and SIGTERM, noted; the run stops after the step that is under way."""

    def __enter__(self) -> _StopRequest:
        self._seen = False
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._notice) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        self._seen = True
        signal.signal(number, signal.SIG_DFL)  # the second time it is meant

    def requested(self) -> bool:
        return self._seen


class _Bar:
    """Progress on standard error: a bar on a terminal, a line an epoch elsewhere."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("step {task.completed}/{task.total}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]:.3f} top-1 {task.fields[accuracy]:.1%}"),
            TextColumn("{task.fields[rate]:.0f} images/s"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
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
        self._console.print(text, soft_wrap=True)
