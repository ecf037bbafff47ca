"""The options of every command that has a model, and the model that they choose.

In: a command with a parameter `choice: ModelChoice`. Out: the same command with one option a field
instead. So the dataclass is the only list of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from vggnet.cli.output import note
from vggnet.preprocess import ColourOrder

if TYPE_CHECKING:
    from vggnet.model import Model


@dataclass(frozen=True)
class ModelChoice:
    """What is to be loaded, and how it is to run."""

    weights: Annotated[
        str,
        typer.Option(
            help="tiny-imagenet (inside the package), a weight file of any framework, the folder "
            "of a run, or a published file: vgg16, vgg16@oxford ..."
        ),
    ] = "tiny-imagenet"
    engine: Annotated[
        str, typer.Option(help="What computes: auto, or an engine of vggnet --version.")
    ] = "auto"
    precision: Annotated[
        str, typer.Option(help="Type that products are computed in: fp32, bf16.")
    ] = "fp32"
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=1024, help="Threads that compute; by default all."),
    ] = None

    convention: Annotated[
        str | None,
        typer.Option(help="Read the weight file so: oxford, keras ...; else it is recognised."),
    ] = None
    colour: Annotated[
        ColourOrder | None, typer.Option(help="The order of channels that the net wants.")
    ] = None
    net: Annotated[
        str | None,
        typer.Option(help="Which of several nets in the weight file: model_ema ..."),
    ] = None

    def load(self) -> Model:
        """The model; what was left out of it is told. Raises ValueError, in one line, for none."""
        from vggnet.model import load

        model = load(
            self.weights,
            engine=self.engine,
            precision=self.precision,
            threads=self.threads,
            convention=self.convention,
            colour=self.colour,
            net=self.net,
        )
        for each in model.notes:
            note(f"vggnet: {self.weights}: {each}")
        return model


def with_model_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace the parameter `choice` by an option for each field of ModelChoice."""
    hints = get_type_hints(ModelChoice, include_extras=True)
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in fields(ModelChoice)
    ]
    signature = inspect.signature(command, eval_str=True)
    kept = [each for each in signature.parameters.values() if each.name != "choice"]

    @wraps(command)
    def wrapped(**values: Any) -> None:
        choice = ModelChoice(
            **{field.name: values.pop(field.name) for field in fields(ModelChoice)}
        )
        command(choice=choice, **values)

    wrapped.__signature__ = signature.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {each.name: each.annotation for each in [*kept, *options]}
    return wrapped
