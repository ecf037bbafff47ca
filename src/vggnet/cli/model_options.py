"""The options that every command with a model takes, and the model that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from vggnet.model import Model

WeightsOption = Annotated[
    str, typer.Option("--weights", help="tiny-imagenet (inside the package) or a weight file.")
]
EngineOption = Annotated[
    Literal["auto", "torch", "numpy"], typer.Option("--engine", help="What computes.")
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16"], typer.Option("--precision", help="Type that products are computed in.")
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads that compute; by default all.")
]


def load_model(weights: str, engine: str, precision: str, threads: int | None) -> Model:
    """The model that the options name."""
    from vggnet.model import load

    return load(weights, engine=engine, precision=precision, threads=threads)
