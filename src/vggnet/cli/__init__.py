"""The command `vggnet`: one file a command, put together here.

In: the command line. Out: exit status 0, or 2 with one line on standard error for a user's mistake
(128 and the signal's number after Ctrl-C and the like; 141, as any program that a closed pipe ends,
where nobody reads the output any more). Heavy imports stay inside the commands, so that each starts
quickly.
"""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from vggnet.cli.benchmark import benchmark
from vggnet.cli.describe import describe
from vggnet.cli.evaluate import evaluate
from vggnet.cli.features import features
from vggnet.cli.mistakes import in_one_line
from vggnet.cli.output import note
from vggnet.cli.predict import predict
from vggnet.cli.stack import stack
from vggnet.cli.train import train
from vggnet.cli.weights import weights

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
for command in (predict, describe, stack, evaluate, features, train, benchmark):
    app.command()(command)
app.add_typer(weights, name="weights")


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from vggnet import __version__
    from vggnet.engines import available

    print(f"vggnet {__version__}")
    engines = available()
    for name, absence in engines.items():
        print(f"engine {name}: {absence or 'available'}")
    if engines["native"] is None:
        from vggnet.machine import instruction_sets

        print(f"instruction sets of the native engine: {', '.join(instruction_sets())}")
    raise typer.Exit


@app.callback()
def vggnet(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Version and engines."
        ),
    ] = False,
) -> None:
    """The whole VGG family: look at it, run it, train it, test it."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its status."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # what its encoding lacks is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = app(args=given or ["--help"], prog_name="vggnet", standalone_mode=False) or 0
        sys.stdout.flush()
    # The reader, such as head, has seen enough; Typer makes a SystemExit of what it notices of it.
    except (BrokenPipeError, SystemExit):
        status = 141
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except (TyperException, ValueError, OSError, OverflowError, MemoryError, RuntimeError) as error:
        status = _failed(error)
    _leave(status)


def _failed(error: Exception) -> int:
    """Say what went wrong; the exit status. Raises again what only a programmer can mend."""
    if isinstance(error, NotImplementedError | RecursionError):
        raise error
    if isinstance(error, OverflowError | MemoryError | RuntimeError) and sys.flags.dev_mode:
        raise error
    note(f"vggnet: {in_one_line(error)}")
    return 2


def _leave(status: int) -> NoReturn:
    """End the process; what standard output cannot take any more is let go without a trace."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
