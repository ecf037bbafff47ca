"""`vggnet ladder DATA`: all the nets of the paper's Table 3, one after the other.

In: pictures. Out: a folder with a run's folder for each net and scale. It can be read before it
runs, and taken up again wherever it was stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from vggnet.analysis import analyze
from vggnet.cli.execution_options import checkpoint_option, execution_options
from vggnet.cli.options import PathOrName, command
from vggnet.cli.recipe_options import recipe_options
from vggnet.cli.stopping import StopRequest
from vggnet.cli.tables import standard_output
from vggnet.cli.train import TrainingReporter, kept_apart, need_torch
from vggnet.data import Dataset, open_dataset
from vggnet.training.distributed import refuse_several
from vggnet.training.recipes import PAPER, SET_BY_LADDER

if TYPE_CHECKING:
    from vggnet.training.ladder import Record, Rung


@command(
    "vggnet ladder DATA --dry-run",
    "vggnet ladder DATA --out runs/ladder       # again, after it was stopped, to go on",
    "vggnet ladder DATA --width 0.25 --input-size 64 --epochs 20 --holdout 2500",
)
@click.argument("data", type=PathOrName(), metavar="DATA")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    default=Path("runs/ladder"),
    help="Folder of the runs.",
)
@click.option(
    "--dry-run", is_flag=True, help="List the runs, what each starts from; train nothing."
)
@checkpoint_option
@execution_options
@recipe_options({"paper": PAPER}, refused=SET_BY_LADDER)
def ladder(
    data: str,
    changes: dict[str, Any],
    execution: dict[str, Any],
    out: Path,
    dry_run: bool,
    checkpoint_seconds: float,
) -> int:
    """Train all the nets of the paper, one after the other.

    Nets A and A-LRN at S = 256; B, C, D and E from layers of A; then C, D and E at S = 384 and at S
    drawn from [256; 512], each from the one before. The options change the paper's recipe for all.

    Stopped by Ctrl-C, SIGTERM or anything else, the same command goes on where it was.
    """
    refuse_several("vggnet ladder")
    need_torch()
    from vggnet.training.ladder import climb, finished, rungs
    from vggnet.training.loop import Interrupted, TrainingOptions

    all_rungs = rungs(out, changes)
    dataset, validation = open_dataset(data, "train"), kept_apart(data)
    with StopRequest() as stop, TrainingReporter() as reporter:
        options = TrainingOptions(
            out, checkpoint_seconds=checkpoint_seconds, validation=validation, reporter=reporter,
            should_stop=stop.requested, **execution,
        )  # fmt: skip
        if dry_run:
            done = {
                rung.name: record
                for rung in all_rungs
                if (record := finished(out / rung.name, rung, options))
            }
        else:
            try:
                done = climb(dataset, all_rungs, options, reporter.note)
            except (Interrupted, KeyboardInterrupt) as interruption:
                what = str(interruption) or "stopped before a step was done"
                reporter.note(f"{what}; the same command goes on")
                return stop.exit_status
    _show(all_rungs, out, done, dataset)
    return 0


def _show(all_rungs: list[Rung], out: Path, done: Mapping[str, Record], dataset: Dataset) -> None:
    from vggnet.training.batches.held_back import split
    from vggnet.training.batches.pictures import steps_per_epoch

    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    for header in (
        "run", "net", "parameters", "S", "starts from", "rate", "epochs", "steps", "state",
    ):  # fmt: skip
        table.add_column(header, no_wrap=True)
    parameters = {
        rung.config: analyze(rung.recipe.spec(len(dataset.classes))).parameters
        for rung in all_rungs
        if not rung.recipe.init  # with it, the weights bring the net
    }
    for rung in all_rungs:
        recipe = rung.recipe
        training, _ = split(len(dataset.labels), recipe)
        steps = steps_per_epoch(recipe, len(training)) * len(recipe.epoch_sizes)
        drawn = f"drawn ({recipe.initialization})"
        start = f"{rung.source}, all layers" if recipe.init else f"{rung.source}, the rest {drawn}"
        record = done.get(rung.name)
        begun = (out / rung.name / "checkpoint.pt").exists()
        state = _accuracy(record) if record else "begun" if begun else "to do"
        table.add_row(
            rung.name, rung.config, f"{parameters[rung.config]:,}", recipe.short_side,
            start if rung.source else drawn, f"{recipe.learning_rate:g}",
            str(len(recipe.epoch_sizes)), f"{steps:,}", state,
        )  # fmt: skip
    console = standard_output()
    if not console.is_terminal:
        console.width = 200
    console.print(table)


def _accuracy(record: Record) -> str:
    """The best on the held-back pictures, in percent."""
    scores = record["metrics"].get("held_back", {}).values()
    return f"done, top-1 {100 * max(each['top1'] for each in scores):.2f}" if scores else "done"
