"""How commands speak: results on standard output, all else on standard error.

In: values and Rich tables. Out: JSON alone, or a table; notes for people beside it.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Literal

import typer
from rich.console import Console

from vggnet.printable import printable

_LONGEST_NOTE = 20_000  # characters; a list of all that does not fit may be long

Format = Literal["table", "json"]
FormatOption = Annotated[
    Format, typer.Option("--format", help="A table for people or JSON for programs.")
]


def print_json(value: object) -> None:
    """`value` on standard output, alone, so that it can be piped.

    Escaped where it holds what the output's encoding lacks, such as a file name that is not UTF-8,
    so that `json` gives the very name back.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2, allow_nan=False)
    sys.stdout.write(text + "\n")


class _Console(Console):
    """A console that leaves a closed pipe to whoever runs the command, instead of exiting."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("nobody reads standard output any more")


def standard_output() -> Console:
    """Where tables go: as wide as the terminal or as COLUMNS says, else 120 characters."""
    console = _Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def note(text: str) -> None:
    """One line for people, on standard error; what would not print on one line is escaped."""
    print(printable(text, _LONGEST_NOTE), file=sys.stderr, flush=True)
