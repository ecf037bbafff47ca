"""Text of a file, or of a library that repeats it, as people may be shown it."""

from __future__ import annotations

_LONGEST = 300  # characters; the longest of any sound file's names


def printable(text: str, longest: int = _LONGEST) -> str:
    """`text` on one line and not without end: what would not print is escaped, as "\\n"."""
    short = text if len(text) <= longest else f"{text[:longest]}..."
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in short)
