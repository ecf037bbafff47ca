"""How commands speak: results on standard output, all else on standard error.

In: values and texts. Out: JSON alone on standard output; notes for people beside it, each of which
begins with `vggnet:`. Tables are in tables.py.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Literal

import click

from vggnet.printable import printable

_LONGEST_NOTE = 20_000  # characters; a list of all that does not fit may be long

Format = Literal["table", "json"]


def print_json(value: object, indent: int | None = 2) -> None:
    """`value` on standard output, alone, so that it can be piped; without `indent` on one line.

    Escaped where it holds what the output's encoding lacks, such as a file name that is not UTF-8,
    so that `json` gives the very name back.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    if not can_print(text):
        text = json.dumps(value, indent=indent, allow_nan=False)
    sys.stdout.write(text + "\n")


def can_print(text: str) -> bool:
    """Whether standard output's encoding has all of its characters."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def bold(text: str) -> str:
    return click.style(text, bold=True) if _in_colour() else text


def coloured(text: str) -> str:
    """In the colour of bars, those of shares and probabilities."""
    return click.style(text, fg="blue") if _in_colour() else text


def _in_colour() -> bool:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def note(text: str) -> None:
    """One line for people, on standard error; what would not print on one line is escaped."""
    print(f"vggnet: {printable(text, _LONGEST_NOTE)}", file=sys.stderr, flush=True)
