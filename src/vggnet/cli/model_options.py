"""The options of every command that has a model, and the model that they choose.

In: a command with a parameter `choice`, or `read_as`. Out: the same command with one option a field
of ModelChoice, or of ReadAs, instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import wraps
from reprlib import repr as short_repr
from typing import TYPE_CHECKING, Any, TypeVar

import click

from vggnet.cli.options import (
    Decorator,
    PathOrName,
    Whole,
    precision_option,
    threads_option,
    weights_names,
)
from vggnet.cli.output import note

if TYPE_CHECKING:
    from vggnet.model import Model
    from vggnet.preprocess import ColourOrder

Chosen = TypeVar("Chosen", "ReadAs", "ModelChoice")


@dataclass(frozen=True)
class ReadAs:
    """What a weight file is to be read as, where it does not say so itself."""

    convention: str | None
    colour: ColourOrder | None
    net: str | None
    labels: str | None
    input_size: int | None
    resize: int | None
    mean: tuple[float, float, float] | None
    std: tuple[float, float, float] | None

    def given(self) -> dict[str, Any]:
        """Those that were asked for, as `load` and `load_weights` take them."""
        return {name: value for name, value in vars(self).items() if value is not None}


@dataclass(frozen=True)
class ModelChoice:
    """What is to be loaded, and how it is to run."""

    weights: str
    read_as: ReadAs
    engine: str
    precision: str
    threads: int | None
    device: str | None

    def load(self, language: str | None = None) -> Model:
        """The model; what was left out of it is told. Raises ValueError, in one line, for none."""
        from vggnet.model import load

        model = load(
            self.weights,
            engine=self.engine,
            precision=self.precision,
            threads=self.threads,
            device=self.device,
            language=language,
            **self.read_as.given(),
        )
        for each in model.notes:
            note(f"{self.weights}: {each}")
        return model


class Three(click.ParamType[tuple[float, float, float]]):
    """Three numbers, for R, G and B."""

    name = "three"

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "R,G,B"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float, float]:
        try:
            red, green, blue = map(float, str(value).split(","))
        except ValueError:
            self.fail(f"{short_repr(value)}: give three numbers, as 0.485,0.456,0.406", param, ctx)
        return red, green, blue


CONVENTION_HELP = (
    "Read the weight file as oxford, torchvision, keras ... name their arrays.  [default: as "
    "recognised]"
)
COLOUR_HELP = "The order of channels that the net wants.  [default: as recognised]"
NET_HELP = "Which of several nets in the file, such as model_ema.  [default: the largest]"
READ_AS = (
    click.option("--convention", metavar="NAME", help=CONVENTION_HELP),
    click.option("--colour", type=click.Choice(["RGB", "BGR"]), help=COLOUR_HELP),
    click.option("--net", metavar="NAME", help=NET_HELP),
    click.option(
        "--labels", metavar="FILE|NAME",
        help="Names of the classes: imagenet-1k, tiny-imagenet, or a file with a class a line or "
        "JSON.  [default: what the file says]",
    ),
    click.option(
        "--input-size", type=Whole(1, 10**6),
        help="Side in pixels of the square that the net gets.  [default: what the file says]",
    ),
    click.option(
        "--resize", type=Whole(1, 10**6),
        help="Short side in pixels that the square is cut from.  [default: what the file says]",
    ),
    click.option(
        "--mean", type=Three(),
        help="Mean that is subtracted, of pixels from 0 to 1, or from 0 to 255 where one is above "
        "1.  [default: what the file says]",
    ),
    click.option(
        "--std", type=Three(),
        help="Deviation that is divided by, in the range of the mean.  [default: what the file "
        "says]",
    ),
)  # fmt: skip
_WEIGHTS_HELP = (
    "tiny-imagenet (inside the package), a weight file of any framework, the folder of a run, or a "
    "published file such as vgg16 or vgg16@oxford."
)
_WEIGHTS = click.option(
    "--weights",
    type=PathOrName(weights_names),
    metavar="FILE|NAME",
    default="tiny-imagenet",
    help=_WEIGHTS_HELP,
)
_SEVERAL_WEIGHTS = click.option(
    "--weights", type=PathOrName(weights_names), metavar="FILE|NAME", multiple=True,
    default=("tiny-imagenet",),
    help=f"{_WEIGHTS_HELP} May be given again: the posteriors of several nets are averaged.",
)  # fmt: skip
_ENGINE = (
    click.option(
        "--engine", metavar="NAME", default="auto",
        help="What computes: auto, or an engine that vggnet --version lists.",
    ),
    precision_option,
    threads_option,
    click.option(
        "--device", metavar="NAME",
        help="Where torch computes: cpu, cuda, cuda:1.  [default: cpu]",
    ),
    *READ_AS,
)  # fmt: skip


def with_options(options: Iterable[Decorator], command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with these options, the first on top."""
    for option in reversed(list(options)):
        command = option(command)
    return command


def _taken(kind: type[Chosen], values: dict[str, Any]) -> Chosen:
    """A dataclass of the values of its fields' names, which are taken out of `values`."""
    return kind(**{each.name: values.pop(each.name) for each in fields(kind)})


def read_as_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options of ReadAs; it gets them as `read_as`."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:
        return command(read_as=_taken(ReadAs, values), **values)

    return with_options(READ_AS, wrapped)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options of ModelChoice; it gets them as `choice`."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:
        values["read_as"] = _taken(ReadAs, values)
        return command(choice=_taken(ModelChoice, values), **values)

    return with_options((_WEIGHTS, *_ENGINE), wrapped)


def several_models_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The same with `--weights` any number of times: `command` gets `choices`, one or more."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:
        values["read_as"] = _taken(ReadAs, values)
        first, *others = values["weights"]
        values["weights"] = first
        choice = _taken(ModelChoice, values)
        choices = (choice, *(replace(choice, weights=each) for each in others))
        return command(choices=choices, **values)

    return with_options((_SEVERAL_WEIGHTS, *_ENGINE), wrapped)
