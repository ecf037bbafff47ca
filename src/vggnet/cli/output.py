"""How commands speak: results on standard output, all else on standard error.

In: values and Rich tables. Out: JSON alone, or a table; notes for people beside it.
"""

from __future__ import annotations

import json
import sys
from enum import Enum
from typing import Annotated

import typer
from rich.console import Console


class Format(str, Enum):
    table = "table"
    json = "json"


FormatOption = Annotated[
    Format, typer.Option("--format", help="A table for people or JSON for programs.")
]


def print_json(value: object) -> None:
    """`value` on standard output, alone, so that it can be piped."""
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write("\n")


def standard_output() -> Console:
    """Where tables go; plain text, unbroken, when it is not a terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    return console


def note(text: str) -> None:
    """One line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)
