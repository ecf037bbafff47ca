"""What the options of several commands have in common: types, and groups of options.

In: a command. Out: the same command with these options.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    pass

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
MOST_THREADS = 1024


class Whole(click.ParamType[int]):
    """A whole number from `low` to `high`."""

    name = "whole"

    def __init__(self, low: int | None = None, high: int | None = None) -> None:
        self.low, self.high = low, high

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(str(value))
        except ValueError:
            digits = str(value).strip().lstrip("+-")
            fault = "is too large" if digits.isdigit() else "is not a whole number"
            self.fail(f"{short_repr(value)} {fault}", param, ctx)
        check_range(self, number, value, param, ctx)
        return number


class Real(click.ParamType[float]):
    """A number from `low` to `high`."""

    name = "real"

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "X"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if math.isnan(number):
            self.fail(f"{short_repr(value)} is not a number", param, ctx)
        check_range(self, number, value, param, ctx)
        return number


def check_range(
    kind: Whole | Real,
    number: float,
    given: object,
    param: click.Parameter | None,
    ctx: click.Context | None,
) -> None:
    if kind.low is not None and number < kind.low:
        kind.fail(f"{short_repr(given)} is too small, give {kind.low:g} or more", param, ctx)
    if kind.high is not None and number > kind.high:
        kind.fail(f"{short_repr(given)} is too large, give {kind.high:g} or less", param, ctx)


def command(*examples: str, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help ends with these examples. Its docstring is the rest of the help."""
    heading = "Example:" if len(examples) == 1 else "Examples:"
    lines = "\n".join(f"  {example}" for example in examples)
    return click.command(
        epilog=f"\b\n{heading}\n{lines}",
        context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
        **settings,
    )


def format_option(*formats: str) -> Decorator:
    """`--format` with these choices, the first of which is the default."""
    texts = {
        "table": "a table for people",
        "json": "JSON for programs",
        "jsonl": "a line of JSON each",
        "csv": "CSV for spreadsheets",
    }
    meant = [texts[each] for each in formats]
    text = f"{', '.join(meant[:-1])} or {meant[-1]}"
    return click.option(
        "--format", type=click.Choice(formats), default=formats[0],
        help=f"{text[0].upper()}{text[1:]}.",
    )  # fmt: skip


threads_option = click.option(
    "--threads", type=Whole(1, MOST_THREADS),
    help="Threads that compute.  [default: all cores]",
)  # fmt: skip
precision_option = click.option(
    "--precision", type=click.Choice(["fp32", "bf16"]), default="fp32",
    help="The type that products are computed in.",
)  # fmt: skip
