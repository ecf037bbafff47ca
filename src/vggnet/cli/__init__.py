"""The command `vggnet`: one file a command.

In: the command line. Out: exit status 0; 2 with one line on standard error for a user's mistake; 1
where some of many pictures failed; after a signal 128 and its number, as of any other program.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn

import click

from vggnet.cli import completion
from vggnet.cli.commands import vggnet as app
from vggnet.cli.mistakes import in_one_line
from vggnet.cli.output import note


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its status."""
    _replace_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # what its encoding lacks is escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _tell
            status = _run(given or ["--help"])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as head, has seen enough
        status = 141
    except (KeyboardInterrupt, click.Abort):
        status = 130
    except (
        click.ClickException, ValueError, OSError, OverflowError, MemoryError, RuntimeError
    ) as error:  # fmt: skip
        status = _failed(error)
    _leave(status)


def _replace_closed_streams() -> None:
    """Those that the process was started without, as by `>&-`, read and write nothing.

    Also so that no file that is opened later gets their numbers, to which libraries write.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115, stays


def _run(arguments: list[str]) -> int:
    """The status of the command. Click's own `main` ends with 1 where a pipe is closed."""
    if instruction := os.environ.get(completion.VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(app, {}, "vggnet", completion.VARIABLE, instruction)
    try:
        with app.make_context("vggnet", list(arguments)) as context:
            return app.invoke(context) or 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as asked:  # the help is its message
        click.echo(asked.format_message(), err=True)
        return 2


def _tell(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
    """Say a warning that a user can act on as a note; the others are for programmers."""
    if issubclass(category, UserWarning) or sys.flags.dev_mode:
        note(str(message).strip().partition("\n")[0])


def _failed(error: Exception) -> int:
    """Say what went wrong; the exit status. Raises again what only a programmer can mend."""
    if isinstance(error, NotImplementedError | RecursionError):
        raise error
    if isinstance(error, OverflowError | MemoryError | RuntimeError) and sys.flags.dev_mode:
        raise error
    note(in_one_line(error))
    return 2


def _leave(status: int) -> NoReturn:
    """End the process; what standard output cannot take any more is let go without a trace."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)
