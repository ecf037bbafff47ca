"""Several nets in one file, such as a model and its average: which are there, which is read.

In: the arrays that a form of names finds, by net. Out: the names of the nets, and the file without
what belongs to the others. Unless one is asked for, the net with the most arrays is read, and of
several such the first in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from vggnet.printable import printable
from vggnet.weights.containers import Contents
from vggnet.weights.recognition.conventions import Form, Found
from vggnet.weights.recognition.naming import Unfit

_MOST_NETS = 20  # in a file, of those that are shown


def number_of_axes(found: Found, contents: Contents) -> dict[str, int]:
    """Layer -> number of axes of its weight."""
    return {
        layer: len(contents.arrays[name].shape)
        for (layer, part), name in found.items()
        if part == "weight"
    }


def whole_nets(form: Form, nets: Mapping[str, Found], contents: Contents) -> list[str]:
    """The names of those nets that have convolutions and all the layers between them."""
    names = []
    for name, found in islice(nets.items(), _MOST_NETS):
        try:
            form.scheme.sketch(number_of_axes(found, contents))
        except Unfit:
            continue
        names.append(name)
    return names


def alone(
    contents: Contents, nets: Mapping[str, Found], name: str, others: Iterable[str], asked: bool
) -> Contents:
    """The file without what belongs to `others`, whole nets in it beside the one of that name.

    Where the net was asked for, nothing but what stands under its name is left.
    """
    elsewhere = {array for other in others for array in nets[other].values()}
    theirs = tuple(begin for other in others for begin in _begins(other))
    own = _begins(name)
    kept = {
        array: stored
        for array, stored in contents.arrays.items()
        if array not in elsewhere
        and (array.startswith(own) or not array.startswith(theirs))
        and (array.startswith(own) or not (own and asked))
    }
    return replace(contents, arrays=kept)


def _begins(name: str) -> tuple[str, ...]:
    """How the names of a net's arrays begin; () where nothing stands before them."""
    return () if name == "." else (f"{name}.", f"{name}/")


def remark(nets: tuple[str, ...], asked: bool) -> str:
    """Why of the nets the first is read."""
    read, listed = printable(nets[0]), listed_nets(nets)
    why = "as asked for" if asked else "which has the most arrays, or as many and comes first"
    return f"{len(nets)} nets are in it ({listed}): {read} is read, {why}"


def listed_nets(nets: Iterable[str]) -> str:
    """Their names in a line, in the order of the alphabet."""
    return ", ".join(map(printable, sorted(nets)))
