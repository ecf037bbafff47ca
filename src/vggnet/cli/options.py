"""What the options of several commands have in common: types, and groups of options.

In: a command. Out: the same command with these options.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vggnet.engines import MOST_THREADS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
Number = TypeVar("Number", int, float)


class _Bounded(click.ParamType[Number]):
    """A number from `low` to `high`, either of which may be open."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self.low, self.high = low, high

    def within(
        self, number: Number, given: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Number:
        """`number`, which was `given` as a text; fails where it is out of bounds."""
        if self.low is not None and number < self.low:
            self.fail(f"{short_repr(given)} is too small, give {self.low:g} or more", param, ctx)
        if self.high is not None and number > self.high:
            self.fail(f"{short_repr(given)} is too large, give {self.high:g} or less", param, ctx)
        return number


class Whole(_Bounded[int]):
    """A whole number from `low` to `high`."""

    name = "whole"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            number = int(str(value))
        except ValueError:
            digits = str(value).strip().lstrip("+-")
            fault = "is too large" if digits.isdigit() else "is not a whole number"
            self.fail(f"{short_repr(value)} {fault}", param, ctx)
        return self.within(number, value, param, ctx)


class Real(_Bounded[float]):
    """A number from `low` to `high`."""

    name = "real"

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
        return self.within(number, value, param, ctx)


class PathOrName(click.ParamType[str]):
    """A path, or one of `names`, which are asked for when a shell completes what is typed."""

    name = "text"

    def __init__(self, names: Callable[[], Iterable[str]] = tuple) -> None:
        self.names = names

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Paths first: in bash a path takes the place of all that stands before it."""
        from click.shell_completion import CompletionItem

        meant = [each for each in self.names() if each.startswith(incomplete)]
        return [CompletionItem(incomplete, type="file"), *map(CompletionItem, meant)]


def weights_names() -> list[str]:
    """Of the model inside the package and of published files."""
    from vggnet.weights.named import EMBEDDED
    from vggnet.weights.published.catalog import CATALOG

    return [*EMBEDDED, *CATALOG]


def network_names() -> list[str]:
    """Of configurations, and of the model inside the package."""
    from vggnet.configurations import configuration_names
    from vggnet.weights.named import EMBEDDED

    return [*configuration_names(), *EMBEDDED]


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
language_option = click.option(
    "--language", type=click.Choice(["en", "zh"]),
    help="Call classes that have a WordNet id by their English or Chinese names.  [default: as the "
    "weight file does]",
)  # fmt: skip
