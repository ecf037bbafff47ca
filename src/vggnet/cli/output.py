"""How commands speak: results on standard output, all else on standard error.

In: values and Rich tables. Out: JSON alone, or a table; notes for people beside it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn


class Format(str, Enum):
    table = "table"
    json = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="A table for people or JSON for programs.")
]


def print_json(value: object) -> None:
    """`value` on standard output, alone, so that it can be piped."""
    unicode = (sys.stdout.encoding or "").lower().startswith("utf")
    json.dump(value, sys.stdout, indent=2, ensure_ascii=not unicode, allow_nan=False)
    sys.stdout.write("\n")


def standard_output() -> Console:
    """Where tables go: as wide as the terminal or as COLUMNS says, else 120 characters."""
    console = Console(highlight=False)
    if console.is_terminal or "COLUMNS" in os.environ:
        return console
    return Console(highlight=False, width=120)


def note(text: str) -> None:
    """One line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, where that is a terminal; gives the function that moves it."""
    console = Console(stderr=True)
    columns = (
        TextColumn(f"{what} {{task.completed}}/{total}"),
        BarColumn(),
        TextColumn("{task.fields[rate]:.0f}/s"),
        TimeRemainingColumn(),
    )
    start = time.perf_counter()
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=total, rate=0.0)

        def advance(done: int) -> None:
            rate = done / max(1e-9, time.perf_counter() - start)
            progress.update(task, completed=done, rate=rate)

        yield advance
