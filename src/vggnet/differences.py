"""How saved values differ from those that are asked for, in words.

In: two mappings of plain values, which may be nested. Out: one line that names each that differs by
its path, with both values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST = 3  # that are named


def differences(saved: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """What under the names of `asked` is not as it was saved; "" where all is the same.

    "nets 0 precision 'bf16' there and 'fp32' here, seed 3 there and 4 here". What is missing on
    one side is None there.
    """
    here = dict(_leaves(asked))
    there = dict(_leaves({name: saved.get(name) for name in asked}))
    differing = [
        f"{name} {there.get(name)!r} there and {here.get(name)!r} here"
        for name in {**there, **here}
        if there.get(name) != here.get(name)
    ]
    more = f" and {len(differing) - _MOST} more" if len(differing) > _MOST else ""
    return ", ".join(differing[:_MOST]) + more


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The plain values in nested ones, by their path: ("nets 0 protocol name", "dense")."""
    if isinstance(value, Mapping | list | tuple):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(inner, f"{name} {key}".strip())
    else:
        yield name, value
