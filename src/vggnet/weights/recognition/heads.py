"""FC layers under whatever names, behind convolutions that are known: what fine-tuning leaves.

In: the arrays of a file, and which of them are the net's convolutions. Out: a Head: the FC layers
in order, where one follows from the other by what it takes and gives, or why they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isqrt

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.recognition.conventions import Convention, Form, Found
from vggnet.weights.recognition.graphs.chain import Drawing, Source
from vggnet.weights.recognition.layouts import matrix_shape
from vggnet.weights.recognition.unused import is_of_training

_MOST_LAYERS = 16


@dataclass(frozen=True)
class Head:
    """FC layers by the paths of their arrays, in order, or a `fault` for which they are left out.

    `average` is True where the first takes a number of each channel.
    """

    matrices: tuple[str, ...] = ()
    sources: Mapping[tuple[str, str], Source] = field(default_factory=dict)
    average: bool = False
    fault: str = ""


def own_head(
    each: Convention,
    form: Form,
    contents: Contents,
    usual: Drawing,
    channels: int,
) -> Head:
    """The FC layers of a file behind the convolutions of `usual`, the last of `channels`.

    Empty for a file without any.
    """
    if not each.own_heads:
        return Head()
    sketch, first = usual.sketch, usual.sketch.convolutions[0]
    convolutions = {*sketch.convolutions, *sketch.norms}
    body = {source.name for (layer, _), source in usual.sources.items() if layer in convolutions}
    found = form.any_layers(name for name in contents.arrays if name not in body)
    first_name = usual.sources[first, "weight"].name
    others = _other_nets(contents.arrays, first_name, first)
    sizes = _sizes(each, contents.arrays, found, others)
    listed = contents.metadata.get("layer_names")
    places = {n: i for i, n in enumerate(listed)} if isinstance(listed, list) else {}
    order = sorted(sizes, key=lambda layer: _place(layer, places))
    start = next((name for name in order if _is_map(sizes[name][1], channels)), None)
    if start is None:
        return Head()
    chain = [start]
    while len(chain) <= _MOST_LAYERS and (
        after := [n for n in order if n not in chain and sizes[n][1] == sizes[chain[-1]][0]]
    ):
        # Of two that fit, one that gives as much as it takes: the other may follow it.
        chain.append(min(after, key=lambda name: sizes[name][0] != sizes[name][1]))
    return Head(
        tuple(chain),
        {
            (layer, part): Source(found[layer, part], each.matrix)
            for layer in chain
            for part in ("weight", "bias")
        },
        sizes[start][1] == channels,
        _fault(chain, order, sizes)
        or _misnamed(chain, sizes, _known_heads(each, first_name[: first_name.index(first)])),
    )


def _known_heads(each: Convention, prefix: str) -> set[tuple[str, ...]]:
    """The FC layers that the convention names, in a net of this prefix."""
    heads = {form.scheme.head for form in each.forms} - {()}
    heads |= {("fc6", "fc7", "fc8")} if () in {form.scheme.head for form in each.forms} else set()
    return {tuple(prefix + name for name in head) for head in heads}


def _fault(
    chain: Sequence[str],
    order: Sequence[str],
    sizes: Mapping[str, tuple[int, int]],
) -> str:
    """Why the chain is no VGG's head, or nothing."""
    if len(chain) > _MOST_LAYERS:
        return f"more than {_MOST_LAYERS} FC layers follow each other"
    taken = {sizes[name][1] for name in chain}
    rival = next((n for n in order if n not in chain and sizes[n][1] in taken), None)
    if rival:
        twin = next(name for name in chain if sizes[name][1] == sizes[rival][1])
        return f"{twin} and {rival} take the same {sizes[rival][1]:,} numbers"
    for before, after in pairwise(chain):
        if _number(after) - _number(before) == 1 and _parent(before) == _parent(after):
            return f"no ReLU lies between {before} and {after}"
    return ""


def _misnamed(
    chain: Sequence[str], sizes: Mapping[str, tuple[int, int]], heads: set[tuple[str, ...]]
) -> str:
    """The same for layers with known names: the classes are theirs, and of the last one alone."""
    for head in heads:
        if head == tuple(chain[: len(head)]) and len(chain) > len(head):
            after = chain[len(head)]
            return f"{after} takes the scores of {head[-1]}, and nothing tells what lies between"
        out, num_in = sizes[chain[-1]]
        if tuple(chain) == head[:-1] and out == num_in:
            return f"it ends at {chain[-1]}, whose numbers are no classes"
    return ""


def _sizes(
    each: Convention, arrays: Mapping[str, StoredArray], found: Found, others: set[str]
) -> dict[str, tuple[int, int]]:
    """Layer -> (out, in), of layers with two axes and a bias that fits."""
    sizes = {}
    for (layer, part), name in found.items():
        shape = arrays[name].shape
        bias = arrays.get(found.get((layer, "bias"), ""))
        if part != "weight" or bias is None or len(shape) != 2 or is_of_training(name):
            continue
        size = matrix_shape(shape, each.matrix)
        if size and bias.shape == size[:1] and others.isdisjoint(_folders(name)):
            sizes[layer] = (size[0], size[1])
    return sizes


def _other_nets(names: Collection[str], first: str, layer: str) -> set[str]:
    """What stands before the names of other nets, which have an array like this one's first."""
    tail = first[first.index(layer) :]
    others = {name.removesuffix(tail) for name in names if name != first and name.endswith(tail)}
    return {each for each in others if each and not first.startswith(each)}


def _folders(name: str) -> list[str]:
    """What names in the folders around an array begin with: "a." and "a.b." for "a.b.c"."""
    return [name[: match.end()] for match in re.finditer(r"[./]", name)]


def _is_map(numbers: int, channels: int) -> bool:
    side = isqrt(numbers // channels)
    return side > 0 and side * side * channels == numbers


def _place(layer: str, places: Mapping[str, int]) -> tuple[int, list[tuple[int, int, str]]]:
    """Where a layer stands: in the file's list, where it has one; else 2 before 10 in its name."""
    parts = re.findall(r"\d{1,9}|\D+", layer)
    return max(places.get(name, -1) for name in layer.split("/")), [
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts
    ]


def _parent(layer: str) -> str:
    return re.split(r"[./][^./]*$", layer)[0]


def _number(layer: str) -> int:
    """Its place in a Sequential; for any other name one far from all others."""
    last = re.split(r"[./]", layer)[-1]
    return int(last) if last.isdecimal() and len(last) < 9 else -(10**9)
