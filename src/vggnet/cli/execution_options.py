"""How a training is carried out, as options: those that all commands that train share.

In: a command with a parameter `execution`. Out: the same command with the options; it gets their
values as a dict of fields of `vggnet.training.loop.TrainingOptions`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from vggnet.cli.model_options import with_options
from vggnet.cli.options import Decorator, Real, Whole

_OPTIONS: dict[str, Decorator] = {
    "workers": click.option(
        "--workers", type=Whole(0, 1024), default=1, help="Processes that prepare pictures."
    ),
    "threads": click.option(
        "--threads",
        type=Whole(1, 1024),
        help="Threads that compute.  [default: all, or as a run that is resumed was begun]",
    ),
    "device": click.option(
        "--device",
        metavar="NAME",
        default="auto",
        help="auto (as a run that is resumed was begun, else CUDA where it is), cpu, cuda, cuda:1.",
    ),
    "convolutions": click.option(
        "--convolutions",
        type=click.Choice(["auto", "native", "torch"]),
        default="auto",
        help="Who computes them: the native engine, in fp32 on the CPU, or torch; auto: as a run "
        "that is resumed was begun, else the native engine where it can.",
    ),
    "strict": click.option("--strict", is_flag=True, help="Stop at a picture that cannot be read."),
}
checkpoint_option = click.option(
    "--checkpoint-seconds",
    type=Real(0),
    default=60.0,
    help="Time between checkpoints; 0 for one after every step.",
)


def execution_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options."""

    @wraps(command)
    def wrapped(**values: Any) -> Any:
        execution = {name: values.pop(name) for name in _OPTIONS}
        return command(execution=execution, **values)

    return with_options(_OPTIONS.values(), wrapped)
