"""One network, or several beneath each other, as columns of layers.

In: layers with a name and a line of facts each. Out: a Scene. A column's height is the side of the
layer's map and its width the number of its channels, both on a log scale; equal neighbours share
their labels and bear their count. Of several networks equal layers stand beneath each other, and
those that differ bear a diamond.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import log2, prod, sqrt

from vggnet.drawing.columns import Fold, Unit, fold_name, folds, slots
from vggnet.drawing.language import Language, said
from vggnet.drawing.quantities import dimensions, grouped
from vggnet.drawing.scene import Box, Diamond, Rule, Scene, Shape, Words, text_width
from vggnet.drawing.theme import MEANINGS, ROLES
from vggnet.layers import Layer
from vggnet.printable import printable

_MARGIN = 16  # pixels around the drawing
_AXIS, _BESIDE = 20, 6  # least width of the figures of the scale, and from them to the drawing
_OCTAVE, _LOWEST = 20, 10  # height of each doubling of the map's side, and of a side of 1
_WIDENING, _NARROWEST = 3, 3  # width of each doubling of the channels, and of one channel
_NORM = 3  # width of a normalisation, at the end of its column
_SPACE, _LINE = 12, 15  # between folds, and from line to line
_SIZE, _SMALL = 11, 10  # of text
_MOST_COLUMNS = 8  # of a fold; more are drawn as one
_CAPTION = (
    "Height: side of the map. Width: channels. Both on a log scale. ReLU and dropout are not drawn."
)


@dataclass(frozen=True)
class Drawn:
    """A network to be drawn: what it is called, a line that says more, its layers in order."""

    name: str
    facts: str
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class _Place:
    """A fold, where it begins, how much room it has, and where its columns lie in that."""

    fold: Fold
    x: float
    width: float
    columns: tuple[tuple[float, float], ...]  # x and width; one for a fold that is too long

    def centre(self, network: int) -> float:
        """Of those columns that the network has."""
        if len(self.columns) < len(self.fold):
            return self.x + self.width / 2
        pairs = zip(self.fold, self.columns, strict=True)
        of_network = [column for slot, column in pairs if slot[network]]
        return (of_network[0][0] + sum(of_network[-1])) / 2

    def shown(self, network: int) -> list[Unit]:
        return [unit for slot in self.fold if (unit := slot[network])]


def network_scene(
    networks: Sequence[Drawn], language: Language = "en", legend: bool = True
) -> Scene:
    """The drawing of one network or of several, with what its colours mean beneath it or without.

    Raises ValueError for no network.
    """
    if not networks:
        raise ValueError("there is no network to draw: name one or more")
    places = _places(folds(slots([network.layers for network in networks])), len(networks))
    right = places[-1].x + places[-1].width
    beneath = list(_legend(places, len(networks) > 1, language)) if legend else []
    texts = [shape for shape in beneath if isinstance(shape, Words)]
    texts += [_heading(each, 0) for each in networks]
    texts += [Words(_MARGIN, 0, each.facts, _SIZE + 1) for each in networks]
    width = max(right, *(each.left + each.width for each in texts)) + _MARGIN
    shapes: list[Shape] = []
    y = float(_MARGIN)
    for number, network in enumerate(networks):
        row = _Row(number, network, places, y)
        shapes += row.shapes(right)
        y = row.bottom + 2 * _SPACE
    shapes = [_translated(shape, language) for shape in shapes]
    shapes += [_moved(shape, y) for shape in beneath]
    title = said(" and ".join(printable(network.name) for network in networks), language)
    bottom = y + 2 * _LINE if beneath else y - 2 * _SPACE
    return Scene(width, bottom + _MARGIN, title, tuple(shapes))


def _places(all_folds: Sequence[Fold], num_networks: int) -> list[_Place]:
    """The folds from left to right, each as wide as its columns and its labels need."""
    found: list[_Place] = []
    sides = [_side(unit) for fold in all_folds for slot in fold for unit in slot if unit]
    x = _MARGIN + _BESIDE + max(_AXIS, *(text_width(f"{side:.0f}", _SMALL) for side in sides))
    for fold in all_folds:
        widths = [max(_width(unit) for unit in slot if unit) for slot in fold]
        if len(fold) > _MOST_COLUMNS:
            widths = [max(widths)]
        of_columns = sum(widths) + len(widths) - 1
        labels = [
            label.width
            for number in range(num_networks)
            if (shown := [unit for slot in fold if (unit := slot[number])])
            for label in _labels(shown)
        ]
        width = max(of_columns, *labels)
        columns, at = [], x + (width - of_columns) / 2
        for each in widths:
            columns.append((at, each))
            at += each + 1
        found.append(_Place(fold, x, width, tuple(columns)))
        x += width + _SPACE
    return found


@dataclass(frozen=True)
class _Row:
    """One network: its head, its columns on a common ground line, the labels beneath them."""

    number: int
    network: Drawn
    places: Sequence[_Place]
    top: float

    @property
    def units(self) -> list[Unit]:
        return list(chain.from_iterable(place.shown(self.number) for place in self.places))

    @property
    def ground(self) -> float:
        """The line on which the columns stand; above them is room for a mark and a count."""
        return self.top + 2 * _LINE + 3 * _SPACE + max(map(_height, self.units))

    @property
    def bottom(self) -> float:
        return self.ground + 3 * _LINE + 4

    def shapes(self, right: float) -> Iterator[Shape]:
        yield _heading(self.network, self.top + 14)
        yield Words(_MARGIN, self.top + 14 + _LINE, self.network.facts, _SIZE + 1, role="faint")
        yield from self._scale(right)
        for place in self.places:
            if shown := place.shown(self.number):
                yield from self._columns(place, shown)
                yield from self._labels(place, shown)

    def _scale(self, right: float) -> Iterator[Shape]:
        """Rules at the sides of the maps, those left out whose figures would touch."""
        left, above = self.places[0].x, float("inf")
        for side in sorted({_side(unit) for unit in self.units}, reverse=True):
            height = _LOWEST + _OCTAVE * log2(side)
            if above - height >= _LINE:
                y, above = self.ground - height, height
                yield Rule(left, y, right, y)
                yield Words(left - _BESIDE, y + 4, f"{side:.0f}", _SMALL, "end", role="faint")

    def _columns(self, place: _Place, shown: list[Unit]) -> Iterator[Shape]:
        top = self.ground - _height(shown[0])
        if len(place.columns) == len(place.fold):
            pairs = zip(place.fold, place.columns, strict=True)
            drawn = [([unit], column) for slot, column in pairs if (unit := slot[self.number])]
        else:
            drawn = [(shown, place.columns[0])]
        for units, (x, room) in drawn:
            width = _width(units[0])
            x += (room - width) / 2
            names = tuple(layer.name for unit in units for layer in unit.layers)
            title = "\n".join(map(_hint, units))
            box = Box(x, top, width, self.ground - top, _role(units[0]), names, title, self.number)
            yield box
            for strip in range(len(units[0].layers) - 1):
                at = x + width - _NORM * (strip + 1)
                yield Box(at, top, _NORM, box.height, "norm", names, title, self.number)
            if any(unit.differs for unit in units):
                yield Diamond(x + width / 2, top - 7)
        if len(shown) > 1:
            raised = 14 if any(unit.differs for unit in shown) else 5
            count = f"×{len(shown)}"
            yield Words(place.centre(self.number), top - raised, count, _SIZE, "middle", bold=True)

    def _labels(self, place: _Place, shown: list[Unit]) -> Iterator[Shape]:
        centre, y = place.centre(self.number), self.ground
        labels = _labels(shown)
        half = max(label.width for label in labels) / 2
        # Within the fold's own room, where no other label is.
        x = min(max(centre, place.x + half), place.x + place.width - half)
        for label in labels:
            y += _LINE
            yield replace(label, x=x, y=y)


def _heading(network: Drawn, y: float) -> Words:
    return Words(_MARGIN, y, printable(network.name), 15, bold=True)


def _legend(places: Sequence[_Place], several: bool, language: Language) -> Iterator[Shape]:
    """What the colours, the diamond and the scales mean, on two lines from y = 0 on."""
    units = [unit for place in places for slot in place.fold for unit in slot if unit]
    roles = {_role(unit) for unit in units}
    if any(len(unit.layers) > 1 for unit in units):
        roles.add("norm")
    x = float(_MARGIN)
    for role, english in MEANINGS.items():
        if role in roles:
            meaning = said(english, language)
            yield Box(x, 1, 10, 10, role)
            yield Words(x + 15, 10, meaning, _SIZE)
            x += 15 + text_width(meaning, _SIZE) + _SPACE
    if several:
        yield Diamond(x + 5, 6)
        yield Words(x + 15, 10, said("not the same in all", language), _SIZE)
    yield Words(_MARGIN, 10 + _LINE + 2, said(_CAPTION, language), _SIZE, role="faint")


def _translated(shape: Shape, language: Language) -> Shape:
    if isinstance(shape, Words):
        return replace(shape, text=said(shape.text, language))
    if isinstance(shape, Box):
        lines = (said(line, language) for line in shape.title.split("\n"))
        return replace(shape, title="\n".join(lines))
    return shape


def _moved(shape: Shape, down: float) -> Shape:
    assert not isinstance(shape, Rule)
    return replace(shape, y=shape.y + down)


def _side(unit: Unit) -> float:
    """Of the map; of one that is not square, that of the square with as many positions."""
    return sqrt(prod(unit.output[1:]))


def _height(unit: Unit) -> float:
    return _LOWEST + _OCTAVE * log2(_side(unit))


def _width(unit: Unit) -> float:
    return _NARROWEST + _WIDENING * log2(unit.output[0]) + _NORM * (len(unit.layers) - 1)


def _role(unit: Unit) -> str:
    return ROLES[unit.kind] if unit.kind else "input"


def _labels(shown: Sequence[Unit]) -> list[Words]:
    """What stands beneath a column, each line at x = 0 and y = 0."""
    channels, *sides = shown[0].output
    shape = [channels] if shown[0].kind in ("fc", "softmax") else [channels, *sides]
    return [
        Words(0, 0, fold_name(shown), _SIZE, "middle", bold=True),
        Words(0, 0, _kernel(shown[0]), _SMALL, "middle", role="faint"),
        Words(0, 0, dimensions(shape), _SMALL, "middle", role="faint"),
    ]


def _kernel(unit: Unit) -> str:
    """The sides and, where it is not 1, the stride: 3×3, 11×11 /4; else what it does."""
    layer = unit.layers[0]
    if unit.kind in ("conv", "maxpool"):
        stride = f" /{layer.stride}" if layer.stride > 1 else ""
        return f"{layer.kernel}×{layer.kernel}{stride}"
    if unit.kind in ("fc", "avgpool"):
        return dimensions(layer.input[1:])
    return "soft-max" if unit.kind == "softmax" else "picture"


def _hint(unit: Unit) -> str:
    """The layer in a line, for a reader who points at it."""
    layer = unit.layers[0]
    if unit.kind is None:
        return f"the picture, {dimensions(layer.output)}"
    names = " and ".join(each.name for each in unit.layers)
    parameters = f", {grouped(unit.parameters)} parameters" if unit.parameters else ""
    return (
        f"{names}: {_kernel(unit)}, {dimensions(layer.input)} to {dimensions(layer.output)}"
        f"{parameters}"
    )
