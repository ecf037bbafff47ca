"""The command `vggnet`: one file a command, put together here.

In: the command line. Out: exit status 0, or 2 with one line on standard error for a user's mistake
(130 after Ctrl-C). Heavy imports stay inside the commands, so that each starts quickly.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from typer.exceptions import TyperException

from vggnet.cli.describe import describe
from vggnet.cli.evaluate import evaluate
from vggnet.cli.features import features
from vggnet.cli.predict import predict
from vggnet.cli.stack import stack
from vggnet.cli.train import train

app = typer.Typer(add_completion=False, rich_markup_mode=None)
for command in (predict, describe, stack, evaluate, features, train):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    from vggnet import __version__
    from vggnet.engines import available

    print(f"vggnet {__version__}")
    for name, absence in available().items():
        print(f"engine {name}: {absence or 'available'}")
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


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its status."""
    try:
        given = sys.argv[1:] if arguments is None else arguments
        status = app(args=given or ["--help"], prog_name="vggnet", standalone_mode=False)
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except (TyperException, ValueError, OSError) as error:
        text = error.format_message() if isinstance(error, TyperException) else str(error)
        print("vggnet: " + " ".join(text.split()), file=sys.stderr)
        status = 2
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    sys.exit(status)
