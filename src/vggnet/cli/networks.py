"""The networks of a command line: configurations or weight files, and how they are varied.

In: a command with a parameter `choice`. Out: the same command with the names and the options that
vary a network instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import click

from vggnet.analysis import Analysis, analyze
from vggnet.cli.model_options import with_options
from vggnet.cli.options import PathOrName, Real, Whole, network_names
from vggnet.layers import LARGEST
from vggnet.spec import Head, Spec, configuration


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
        return None if self.input_size is None else _parse_size(self.input_size)

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
            raise ValueError(f"{error}; nor is there a weight file of that name") from None
    return load_weights(name).spec


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,7})(?:x([0-9]{1,7}))?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(
            f"input size {short_repr(text)}: give a side or HEIGHTxWIDTH, as 224 or 256x320, "
            f"of at most {LARGEST:,}"
        )
    return int(match[1]), int(match[2] or match[1])


def title_of(spec: Spec, asked: str) -> str:
    """The paper's name, the one `asked` for where it is another configuration's name, and in what
    but the input size the spec differs from the paper's net.
    """
    try:
        paper = configuration(spec.name)
    except ValueError:
        return spec.name
    changes = [asked.strip()] if _is_other_name(asked, spec.name) else []
    if spec.batch_norm != paper.batch_norm:
        changes.append("batch norm" if spec.batch_norm else "no batch norm")
    head: Head | None = "average" if "avgpool" in spec.tokens else None
    width = _width(spec, paper.scaled(head=head, num_classes=spec.num_classes))
    if width is None:
        changes.append("other layers")
    elif width != 1:
        changes.append(f"width {width:.6g}")
    if head:
        changes.append("global average")
    if spec.num_classes != paper.num_classes:
        changes.append(f"{spec.num_classes:,} classes" if spec.num_classes else "no head")
    return f"{spec.name} ({', '.join(changes)})" if changes else spec.name


def _is_other_name(asked: str, name: str) -> bool:
    """Whether it is a configuration's name, and not only spelled in another case."""
    try:
        return configuration(asked).name == name and asked.strip().lower() != name.lower()
    except ValueError:
        return False


def _width(spec: Spec, paper: Spec) -> float | None:
    """A factor that makes the paper's channels the spec's, in the fewest digits; None: no such."""
    mine, papers = (
        [layer.output[0] for layer in each.layers if layer.kind in ("conv", "fc")]
        for each in (spec, paper)
    )
    if len(mine) != len(papers):
        return None
    pairs = list(zip(mine, papers, strict=True))[: -1 if spec.num_classes else None]
    # Each number was rounded, and none goes below 1.
    low = max(((count - 0.5) / of_paper for count, of_paper in pairs if count > 1), default=0.0)
    high = min((count + 0.5) / of_paper for count, of_paper in pairs)
    widths = (round((low + high) / 2, digits) for digits in range(1, 10))
    return next((w for w in widths if w > 0 and paper.scaled(w).tokens == spec.tokens), None)
