"""The networks of a command line: configurations or weight files, and how they are varied.

In: a command with a parameter `choice`. Out: the same command with the names and the options that
vary a network instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click

from vggnet.analysis import Analysis, analyze
from vggnet.cli.model_options import with_options
from vggnet.cli.options import PathOrName, Real, Whole, network_names
from vggnet.configurations import configuration
from vggnet.spec import Head, Spec, SpecError
from vggnet.variants import parse_size


@dataclass(frozen=True)
class NetworkChoice:
    """Which networks, and what of each is to be another than its own."""

    names: tuple[str, ...]
    input_size: str | None
    width: float
    classes: int | None
    head: Head | None
    batch_norm: bool

    def specs(self) -> list[Spec]:
        """Raises ValueError, in one line, for a name that neither a network nor a file has."""
        batch_norm = True if self.batch_norm else None
        return [
            spec_of(name).scaled(
                width=self.width, num_classes=self.classes, head=self.head, batch_norm=batch_norm
            )
            for name in self.names
        ]

    def size(self) -> tuple[int, int] | None:
        """Height and width of the picture where they were asked for."""
        return None if self.input_size is None else parse_size(self.input_size)

    def analyses(self) -> list[Analysis]:
        size = self.size()
        return [analyze(spec, size) for spec in self.specs()]


_OPTIONS = (
    click.argument(
        "names", type=PathOrName(network_names), metavar="CONFIG-OR-WEIGHTS...", nargs=-1,
        required=True,
    ),
    click.option(
        "--input-size", metavar="N|HxW", help="Size of the picture in pixels: 224, 256x320."
    ),
    click.option(
        "--width", type=Real(), default=1.0, help="Factor for the channels of each layer."
    ),
    click.option("--classes", type=Whole(), help="Number of classes."),
    click.option(
        "--head", type=click.Choice(["fc", "average"]),
        help="Three FC layers, or a global average and one.",
    ),
    click.option(
        "--batch-norm", is_flag=True, help="Put a batch norm after each convolution."
    ),
)  # fmt: skip


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the names and options of NetworkChoice; it gets them as `choice`."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:
        choice = NetworkChoice(
            **{field.name: values.pop(field.name) for field in fields(NetworkChoice)}
        )
        return command(choice=choice, **values)

    return with_options(_OPTIONS, wrapped)


def spec_of(name: str) -> Spec:
    """The configuration of that name, or the spec of an embedded model or of a weight file."""
    try:
        return configuration(name)
    except ValueError as error:
        from vggnet.weights.named import EMBEDDED, load_weights

        if name not in EMBEDDED and "://" not in name and not Path(name).exists():
            if isinstance(error, SpecError):  # it is tokens
                raise
            raise ValueError(f"{error}; nor is there a weight file of that name") from None
    return load_weights(name).spec
