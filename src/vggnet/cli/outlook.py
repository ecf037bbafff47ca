"""What `vggnet train --dry-run` says.

In: an Outlook. Out: lines for people on standard output.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from vggnet.analysis import analyze
from vggnet.cli.durations import in_words
from vggnet.cli.small_chart import chart
from vggnet.drawing.quantities import short

if TYPE_CHECKING:
    from vggnet.training.dry_run import Outlook


def show_outlook(outlook: Outlook) -> None:
    for name, text in _lines(outlook):
        print(f"{name:10}{text}")


def _lines(outlook: Outlook) -> Iterator[tuple[str, str]]:
    start, recipe = outlook.beginning, outlook.beginning.recipe
    cost = analyze(start.spec, recipe.input_size)
    norm = " with batch norm" if start.spec.batch_norm else ""
    yield (
        "network",
        (
            f"{start.spec.name}{norm} on {recipe.input_size}x{recipe.input_size} pixels: "
            f"{cost.parameters:,} parameters, {short(cost.macs)} MACs a picture"
        ),
    )
    yield "begins", _beginning(outlook)
    yield (
        "pictures",
        (
            f"{len(start.training):,} to learn from, {len(start.held_back):,} held back, "
            f"{start.spec.num_classes} classes"
        ),
    )
    epochs = [f"{len(list(group))} at {size}" for size, group in groupby(recipe.epoch_sizes)]
    parts = f", each in {recipe.accumulate} parts" if recipe.accumulate > 1 else ""
    yield (
        "steps",
        (
            f"{start.num_steps:,}: {start.steps_per_epoch:,} an epoch, epochs {', '.join(epochs)}; "
            f"batches of {min(recipe.batch_size, len(start.training))}{parts}"
        ),
    )
    until = f", divided by 10 after {recipe.patience} epochs without progress"
    yield (
        "rate",
        (
            f"{recipe.schedule}, {recipe.learning_rate:g} at most"
            f"{until if recipe.schedule == 'plateau' else ''}; by epoch:"
        ),
    )
    for line in chart(outlook.rates()):
        yield "", line
    yield "memory", _memory(outlook)
    yield "time", _time(outlook)
    yield "", "nothing was trained, nothing was written"


def _beginning(outlook: Outlook) -> str:
    start, recipe = outlook.beginning, outlook.beginning.recipe
    if recipe.init:
        return f"with {recipe.init}"
    drawn = f"drawn ({recipe.initialization}, seed {recipe.seed})"
    if not recipe.init_from:
        return f"with weights {drawn}"
    layers = dict.fromkeys(name.partition(".")[0] for name in start.arrays)
    return f"with {', '.join(layers)} of {recipe.init_from}, the rest {drawn}"


def _memory(outlook: Outlook) -> str:
    memory, start = outlook.memory, outlook.beginning
    held = (
        f"the pictures decoded {_bytes(memory.pictures)}"
        if memory.pictures
        else f"the pictures are {outlook.held}"
    )
    teacher = " (and the teacher's weights)" if start.teacher else ""
    return (
        f"{_bytes(memory.on_device)} at least on {start.hardware.device}: weights, gradients and "
        f"momenta{teacher} {_bytes(memory.weights)}, activations {_bytes(memory.activations)}; "
        f"{held}"
    )


def _time(outlook: Outlook) -> str:
    memory, timing = outlook.memory, outlook.timing
    if timing is None:
        return (
            f"not measured, since only {_bytes(memory.available)} are free: compute a batch in "
            "parts (--accumulate 4) or make it smaller (--batch-size)"
        )
    workers = {0: "beside it", 1: "meanwhile, by one process"}
    by = workers.get(outlook.workers, f"meanwhile, by {outlook.workers} processes")
    steps = [
        f"{outlook.step_seconds(size):.2g} s at {size} (computing {timing.computing[size]:.2g}, "
        f"preparing {timing.preparing[size]:.2g} {by})"
        for size in timing.computing
    ]
    tests = f"; a test of what is held back {timing.testing:.2g} s" if timing.testing else ""
    return (
        f"about {in_words(outlook.seconds)}, as this machine is now: a step {', '.join(steps)}"
        f"{tests}"
    )


def _bytes(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
