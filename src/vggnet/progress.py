"""Progress for people: one line that is drawn again and again, on standard error.

In: what to show, and how far things are. Out: a bar where standard error is a terminal, else
nothing at all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn


class PipedConsole(Console):
    """A console that leaves a closed pipe to whoever writes, instead of ending the process."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("nobody reads it any more")


def bar(first: str, *others: str | ProgressColumn) -> Progress:
    """What `first` says, a bar, what the others say, and how long it will take still.

    Texts are filled in from a task: "step {task.completed}/{task.total}". Whatever else is to stand
    on standard error meanwhile goes through the bar's `console`.
    """
    console = PipedConsole(stderr=True, highlight=False, markup=False, emoji=False)
    columns = [TextColumn(each, markup=False) if isinstance(each, str) else each for each in others]
    return Progress(
        TextColumn(first, markup=False),
        BarColumn(),
        *columns,
        TimeRemainingColumn(),
        console=console,
        redirect_stdout=False,  # which rich would print on standard error
        disable=not (sys.stderr and sys.stderr.isatty()),
    )


@contextmanager
def counting_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for `total` things; gives the function that is told how many are done."""
    start = time.perf_counter()
    text = "{task.description} {task.completed}/{task.total}"
    with bar(text, "{task.fields[rate]:.0f}/s") as progress:
        task = progress.add_task(what, total=total, rate=0.0)

        def advance(done: int) -> None:
            rate = done / max(1e-9, time.perf_counter() - start)
            progress.update(task, completed=done, rate=rate)

        yield advance
