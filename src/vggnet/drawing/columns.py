"""Which layers a drawing shows, which stand beneath each other, and which are folded into one.

In: the layers of one network or of several. Out: Slots from left to right, in each at most one Unit
of each network, gathered into Folds of equal neighbours. ReLU and dropout write over their input
and are not shown; a normalisation is part of the convolution that it follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from math import prod

from vggnet.layers import ActivationShape, Kind, Layer


@dataclass(frozen=True)
class Unit:
    """What is drawn as one column: a layer, with the normalisations that follow it.

    `differs` is whether the network beside it has no equal layer here.
    """

    layers: tuple[Layer, ...]
    differs: bool = False

    @property
    def name(self) -> str:
        return self.layers[0].name

    @property
    def kind(self) -> Kind | None:
        """None for the picture that the network is given."""
        return self.layers[0].kind if self.layers[0].name != _INPUT else None

    @property
    def output(self) -> ActivationShape:
        return self.layers[0].output

    @property
    def does(self) -> Hashable:
        """What the layer is, whatever it is called and given."""
        first = self.layers[0]
        kernel = (first.kernel, first.stride, first.padding) if first.kind != "fc" else ()
        channels = first.output[0] if first.parameter_shapes else None
        return self.kind, kernel, channels, tuple(each.kind for each in self.layers)

    @property
    def parameters(self) -> int:
        return sum(prod(shape) for each in self.layers for shape in each.parameter_shapes.values())


Slot = tuple[Unit | None, ...]  # of each network
Fold = list[Slot]  # neighbours that are equal in each network
_INPUT = "input"


def units(layers: Sequence[Layer]) -> list[Unit]:
    """The picture, then the layers as they are drawn."""
    picture = layers[0].input
    found = [Unit((Layer(_INPUT, "softmax", picture, picture),))]
    for layer in layers:
        if layer.kind in ("batchnorm", "lrn") and found[-1].kind == "conv":
            found[-1] = replace(found[-1], layers=(*found[-1].layers, layer))
        elif layer.kind not in ("relu", "dropout"):
            found.append(Unit((layer,)))
    return found


def slots(networks: Sequence[Sequence[Layer]]) -> list[Slot]:
    """The units of each network, equal ones of one network and the next in one slot.

    Paired are first layers of the same name that do the same, then those that do the same, then
    those of the same kind.
    """
    first, *others = (units(layers) for layers in networks)
    aligned: list[Slot] = [(unit,) for unit in first]
    for number, other in enumerate(others, start=1):
        aligned = _beside(aligned, other, number)
    return [_marked(slot) for slot in aligned] if others else aligned


def _beside(aligned: list[Slot], other: list[Unit], number: int) -> list[Slot]:
    """The slots with the units of one more network, whose number this is."""
    nothing: Slot = (None,) * number
    last = [next(unit for unit in reversed(slot) if unit) for slot in aligned]
    return [
        (*(aligned[i] if i is not None else nothing), other[j] if j is not None else None)
        for i, j in _pairs(last, other, 0, 0, _KEYS)
    ]


_Key = Callable[[Unit], Hashable]
_KEYS: tuple[_Key, ...] = (
    lambda unit: (unit.name, unit.does),
    lambda unit: unit.does,
    lambda unit: unit.kind,
)


def _pairs(
    ours: Sequence[Unit], theirs: Sequence[Unit], start: int, other_start: int, keys: Iterable[_Key]
) -> Iterator[tuple[int | None, int | None]]:
    """Positions that belong together by the first key, between them those by the next ones."""
    if not (keys := tuple(keys)):
        yield from ((start + i, None) for i in range(len(ours)))
        yield from ((None, other_start + j) for j in range(len(theirs)))
        return
    key, *coarser = keys
    matcher = SequenceMatcher(None, [*map(key, ours)], [*map(key, theirs)], autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        if operation == "equal":
            yield from zip(
                range(start + i1, start + i2), range(other_start + j1, other_start + j2),
                strict=True,
            )  # fmt: skip
        else:
            yield from _pairs(ours[i1:i2], theirs[j1:j2], start + i1, other_start + j1, coarser)


def _marked(slot: Slot) -> Slot:
    """The slot with `differs` set on each unit that is not equal to those of all the others."""
    kinds = {(unit.does, unit.parameters) if unit else None for unit in slot}
    return tuple(unit and replace(unit, differs=len(kinds) > 1) for unit in slot)


def folds(aligned: Sequence[Slot]) -> list[Fold]:
    """Neighbours of the same convolution and map, gathered; other layers stand alone."""
    found: list[Fold] = []
    for slot in aligned:
        if found and _alike(found[-1], slot):
            found[-1].append(slot)
        else:
            found.append([slot])
    return found


def _alike(fold: Fold, slot: Slot) -> bool:
    """Whether the slot goes on with the fold: some network with the same convolution and map, and
    none with another one."""
    goes_on = any(before and after for before, after in zip(fold[-1], slot, strict=True))
    for column in zip(*fold, slot, strict=True):
        present = [unit for unit in column if unit]
        if any(unit.kind != "conv" for unit in present):
            return False
        if len({(unit.does, unit.output) for unit in present}) > 1:
            return False
    return goes_on


def fold_name(shown: Sequence[Unit]) -> str:
    """conv3_1–3 for conv3_1 to conv3_3."""
    names = [unit.name for unit in shown]
    stems = {re.sub(r"\d+$", "", name) for name in names}
    if len(names) == 1:
        return names[0]
    if len(stems) == 1:
        return f"{names[0]}–{names[-1].removeprefix(stems.pop())}"
    return f"{names[0]}–{names[-1]}"
