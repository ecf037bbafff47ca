"""Stored values that say of which version they are, so that later versions can add fields.

In: a dictionary from a file, and for each field the version that brought it. Out: its fields, where
they are those of its version. A field that came later is absent, and gets a default; one that only
a newer version knows is refused, since nobody here knows what it means.
"""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as short_repr
from typing import Any


def latest(since: Mapping[str, int]) -> int:
    """The version that has all the fields."""
    return max(since.values(), default=1)


def checked(what: str, values: object, since: Mapping[str, int]) -> dict[str, Any]:
    """The fields of `values` without its "version", which is 1 where it says none.

    Raises ValueError, in one line, for fields of its version that are missing and for unknown ones.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{what} is {short_repr(values)}; give an object with named fields")
    found = dict(values)
    version = found.pop("version", 1)
    if type(version) is not int or version < 1:
        raise ValueError(f"{what} is of version {short_repr(version)}; give a whole number from 1")
    unknown = sorted(map(str, found.keys() - since.keys()))
    if unknown and version > latest(since):
        raise ValueError(
            f"{what} is of version {version} and has the unknown {short_repr(unknown)}; this "
            f"vggnet knows version {latest(since)}: install a newer one"
        )
    missing = sorted(
        name for name, begun in since.items() if begun <= version and name not in found
    )
    faults = [f"lacks {short_repr(missing)}"] * bool(missing)
    faults += [f"has the unknown {short_repr(unknown)}"] * bool(unknown)
    if faults:
        raise ValueError(
            f"{what} {' and '.join(faults)}; its fields are {', '.join(sorted(since))}"
        )
    return found
