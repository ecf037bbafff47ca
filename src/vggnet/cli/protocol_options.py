"""The options of the paper's ways of testing.

In: a command with a parameter `asked`. Out: the same command with one option a field of Asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vggnet.cli.model_options import with_options
from vggnet.cli.options import Whole

if TYPE_CHECKING:
    from vggnet.evaluation.protocols import ScoreAverage


@dataclass(frozen=True)
class Asked:
    """What the options of a protocol say; None where one was not given."""

    protocol: str | None
    scales: tuple[int, ...] | None
    train_scale: str | None
    flip: bool | None
    score_average: ScoreAverage | None
    save: Path | None
    resume: bool
    expect: str | None

    @property
    def anything(self) -> bool:
        """Whether one of them was given, so that it is not the plain centre crop."""
        return any(value not in (None, False) for value in vars(self).values()) or (
            self.flip is not None
        )


class Scales(click.ParamType[tuple[int, ...]]):
    """Lengths of the short side in pixels."""

    name = "scales"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "Q,Q,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        whole = Whole(1, 10_000)
        return tuple(whole.convert(each.strip(), param, ctx) for each in str(value).split(","))


_OPTIONS = (
    click.option(
        "--protocol",
        type=click.Choice(["centre", "single", "multi-scale", "dense", "multicrop", "both"]),
        help="The paper's names: the whole picture at one scale (single) or three (multi-scale, "
        "also called dense), 5 x 5 crops at three scales, or both. All test the mirror image too.  "
        "[default: one centre crop]",
    ),
    click.option(
        "--scales", type=Scales(),
        help="Test scales, the short side in pixels.  [default: as the paper takes them for the "
        "scale that the net was trained at]",
    ),
    click.option(
        "--train-scale", metavar="S|S-S",
        help="The scale that the net was trained at, such as 256 or 256-512.  [default: what the "
        "file says, else its resize]",
    ),
    click.option(
        "--flip/--no-flip", default=None,
        help="Whether the mirror image is tested too.  [default: in all protocols but centre]",
    ),
    click.option(
        "--score-average", type=click.Choice(["logits", "softmax"]),
        help="What of the positions of a dense map is averaged.  [default: logits]",
    ),
    click.option(
        "--save", type=click.Path(path_type=Path), metavar="FILE.parquet",
        help="Write each picture's scores to a file, as they come; vggnet report reads it.",
    ),
    click.option(
        "--resume", is_flag=True, help="Go on with the --save file of a job that was cut off."
    ),
    click.option(
        "--expect", type=click.Choice(["published"]),
        help="Compare with what was published for these weights, and end with status 1 where it "
        "is not equal within the interval.",
    ),
)  # fmt: skip


def protocol_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options of Asked; it gets them as `asked`."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:
        taken = {each.name: values.pop(each.name) for each in fields(Asked)}
        return command(asked=Asked(**taken), **values)

    return with_options(_OPTIONS, wrapped)
