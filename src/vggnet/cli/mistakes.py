"""What went wrong, as the one line that a command ends with.

In: an exception. Out: a text for people, without the words of the libraries that raised it.
"""

from __future__ import annotations

import click


def in_one_line(error: BaseException) -> str:
    """What `error` says. The kinds that no check of ours raised are named, to be reported."""
    if isinstance(error, click.ClickException):
        line = " ".join(error.format_message().split()).removesuffix(".")
        if isinstance(error, click.MissingParameter) and error.ctx:
            line += f"; {error.ctx.command_path} -h has examples"
        return line
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"out of memory{': ' * bool(text)}{text}"
    if isinstance(error, OverflowError | RuntimeError):
        first = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {first} (python -X dev -m vggnet shows where)"
    if isinstance(error, OSError) and error.strerror:  # without the number
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return text
