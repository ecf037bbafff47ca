"""The command `vggnet`: one file a command, put together here.

In: the command line. Out: exit status 0, or 2 with one line on standard error for a user's mistake
(130 after Ctrl-C). Heavy imports stay inside the commands, so that each starts quickly.
"""

from __future__ import annotations

import sys

import typer
from typer.exceptions import TyperException

from vggnet.cli.train import train

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
for command in (train,):
    app.command()(command)


@app.callback()
def vggnet() -> None:
    """The whole VGG family: look at it, run it, train it, test it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its status."""
    try:
        status = app(args=arguments, prog_name="vggnet", standalone_mode=False)
    except (TyperException, ValueError, OSError) as error:
        text = error.format_message() if isinstance(error, TyperException) else str(error)
        print("vggnet: " + " ".join(text.split()), file=sys.stderr)
        status = 2
    sys.exit(status)
