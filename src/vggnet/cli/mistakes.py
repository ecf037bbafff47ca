"""What went wrong, as the one line that a command ends with.

In: an exception. Out: a text for people, without the words of the libraries that raised it.
"""

from __future__ import annotations

from reprlib import repr as short_repr
from typing import Any

from typer.exceptions import TyperException


def in_one_line(error: BaseException) -> str:
    """What `error` says. The kinds that no check of ours raised are named, to be reported."""
    if isinstance(error, TyperException):
        return _of_command_line(error)
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"out of memory{': ' * bool(text)}{text}"
    if isinstance(error, OverflowError | RuntimeError):
        first = str(error).strip().partition("\n")[0]
        return f"{type(error).__name__}: {first} (python -X dev -m vggnet shows where)"
    if isinstance(error, OSError) and error.strerror:  # without the number
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return text


def _of_command_line(error: TyperException) -> str:
    """Typer's own line, with pydantic's part of it in plain words."""
    line = " ".join(error.format_message().split())
    faults: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not faults:
        return line
    plain = _plain(faults[0])
    return line.replace(" ".join(error.message.split()), plain) if plain else line


def _plain(fault: dict[str, Any]) -> str | None:
    kind, given, bounds = fault["type"], short_repr(fault["input"]), fault.get("ctx", {})
    if kind in ("int_parsing", "int_from_float"):
        return f"{given} is not a whole number"
    if kind == "int_parsing_size":
        return f"{given} is too large"
    if kind == "float_parsing":
        return f"{given} is not a number"
    if kind == "greater_than_equal":
        return f"{given} is too small, give {bounds['ge']} or more"
    if kind == "less_than_equal":
        return f"{given} is too large, give {bounds['le']} or less"
    if kind == "value_error":  # a choice
        return str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return None
