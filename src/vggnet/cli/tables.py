"""Tables on standard output. Rich, which draws them, takes longer to start than a short command.

In: Rich tables and lines. Out: text as wide as the terminal, with colours where it is one.
"""

from __future__ import annotations

import os

from rich.console import Console

from vggnet.progress import PipedConsole


def standard_output() -> Console:
    """Where tables go: as wide as the terminal or as COLUMNS says, else 120 characters."""
    console = PipedConsole(highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 120
    return console
