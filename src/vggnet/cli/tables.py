"""Tables on standard output. Rich, which draws them, takes longer to start than a short command.

In: Rich tables and lines. Out: text as wide as the terminal, with colours where it is one.
"""

from __future__ import annotations

import os

from rich.console import Console


class _Console(Console):
    """A console that leaves a closed pipe to whoever runs the command, instead of exiting."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError("nobody reads standard output any more")


def standard_output() -> Console:
    """Where tables go: as wide as the terminal or as COLUMNS says, else 120 characters."""
    console = _Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console
