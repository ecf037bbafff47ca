"""What the layers of a VGG are called in weight files: schemes that work in both directions.

In: the layer names found in a file. Out: a `Sketch`, which says which of them follow each other and
where the pools are. Back: the name of each canonical layer of a Spec, to write a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import ClassVar

from vggnet.spec import Spec


class Unfit(ValueError):
    """Why an array, or a name, is not what a scheme or a layout says."""


@dataclass(frozen=True)
class Sketch:
    """A net's layers by their names in a file: convolutions stage by stage, then FC layers.

    `norms` is the batch norm of each convolution, or empty. `pooled` is False where the names do
    not tell the stages: all convolutions are in the first one then. `lrn` holds the convolutions
    that local response normalisation follows. `average` is True where a global average is known to
    come before the FC layers. `input_size` is the side of the picture, where the file states one.
    `sigmoid` is True where the scores are known to go through one, each by itself.
    """

    stages: tuple[tuple[str, ...], ...]
    norms: tuple[str, ...] = ()
    matrices: tuple[str, ...] = ()
    pooled: bool = True
    lrn: frozenset[str] = frozenset()
    average: bool = False
    input_size: int | None = None
    sigmoid: bool = False

    def __post_init__(self) -> None:
        if not self.stages or not all(self.stages):
            raise Unfit("it has no convolutions")
        if self.norms and len(self.norms) != len(self.convolutions):
            raise Unfit(f"{len(self.norms)} batch norms for {len(self.convolutions)} convolutions")

    @property
    def convolutions(self) -> tuple[str, ...]:
        return tuple(name for stage in self.stages for name in stage)


# Any text fits in one way at most: were the group repeated, n signs could take 2^n steps.
_NUMBERED_HEAD = r"fc\d{1,4}(?:[-_][\w-]+)?"

Layers = Mapping[str, int]  # a layer's name in the file -> number of axes of its weight


@dataclass(frozen=True)
class ByStage:
    """Names that hold a convolution's stage and its place in it, as conv3_2 or block3_conv2.

    `head` names the FC layers, of which a file has all or the last; () is fc6, fc7, fc8, with
    whatever a fine-tuned net has added ("fc8_flickr").
    """

    convolution: str
    norm: str = ""
    head: tuple[str, ...] = ()

    @property
    def has_norms(self) -> bool:
        return bool(self.norm)

    def is_matrix(self, layer: str) -> bool:
        """Whether the name is that of an FC layer."""
        return layer in self.head if self.head else layer.startswith("fc")

    def is_whole(self, layers: Layers) -> bool:
        """Whether FC layers that do not follow each other are a net's own, some of them missing."""
        return not self.head

    @property
    def pattern(self) -> str:
        """A regular expression for the name of a layer."""
        numbered = [each for each in (self.convolution, self.norm) if each]
        head = "|".join(map(re.escape, self.head)) or _NUMBERED_HEAD
        return "|".join([*(_expression(each, False) for each in numbered), head])

    def sketch(self, layers: Layers) -> Sketch:
        """Raises Unfit where stages, convolutions or FC layers are missing."""
        convolutions = _numbered(layers, self.convolution)
        stages: list[tuple[str, ...]] = []
        for stage in range(1, 1 + max((stage for stage, _ in convolutions), default=0)):
            last = max((index for each, index in convolutions if each == stage), default=1)
            keys = [(stage, index) for index in range(1, last + 1)]
            lacking = [key for key in keys if key not in convolutions]
            if lacking:
                raise Unfit(f"it lacks {_fill(self.convolution, *lacking[0])}")
            stages.append(tuple(convolutions[key] for key in keys))
        norms = _numbered(layers, self.norm) if self.norm else {}
        return Sketch(
            tuple(stages),
            tuple(norms[key] for key in sorted(norms)),
            _head(layers, self.head) if self.head else _numbered_head(layers),
        )

    def layer_names(self, spec: Spec) -> dict[str, str]:
        """Canonical layer -> its name. Raises Unfit for a spec that the scheme cannot express."""
        names = {}
        for layer in spec.layers:
            if layer.kind in ("conv", "batchnorm"):
                found = re.fullmatch(r"[a-z]+(\d+)_(\d+)", layer.name)
                template = self.convolution if layer.kind == "conv" else self.norm
                if not found or not template:
                    raise Unfit(f"it has no name for {layer.name}")
                names[layer.name] = _fill(template, int(found[1]), int(found[2]))
        return names | _head_names(spec, self.head)


@dataclass(frozen=True)
class ByPosition:
    """torchvision's numbers: each convolution, batch norm, ReLU and pool counts."""

    head: tuple[str, ...]
    prefix: str = "features."
    has_norms: ClassVar[bool] = True

    def is_matrix(self, layer: str) -> bool:
        """See `ByStage.is_matrix`."""
        return layer in self.head

    def is_whole(self, layers: Layers) -> bool:
        """See `ByStage.is_whole`."""
        return self.head[-1] in layers

    @property
    def pattern(self) -> str:
        return rf"{re.escape(self.prefix)}\d{{1,4}}|" + "|".join(map(re.escape, self.head))

    def sketch(self, layers: Layers) -> Sketch:
        """Raises Unfit where the numbers are not those of convolutions, ReLUs and pools."""
        kinds = {
            int(name.removeprefix(self.prefix)): axes
            for name, axes in layers.items()
            if name.startswith(self.prefix)
        }
        stages: list[list[str]] = [[]]
        norms: list[str] = []
        expected = 0
        for position in sorted(kinds):
            if kinds[position] == 1:
                if position != expected - 1 or len(norms) + 1 != sum(map(len, stages)):
                    raise Unfit(f"{self.prefix}{position} follows no convolution")
                norms.append(f"{self.prefix}{position}")
                expected += 1
                continue
            if position == expected + 1 and expected:  # a pool lies between
                stages.append([])
            elif position != expected:
                raise Unfit(
                    f"no convolution is at {self.prefix}{expected} or {self.prefix}{expected + 1}, "
                    f"and one at {self.prefix}{position}"
                )
            stages[-1].append(f"{self.prefix}{position}")
            expected = position + 2  # a ReLU follows
        return Sketch(tuple(map(tuple, stages)), tuple(norms), _head(layers, self.head))

    def layer_names(self, spec: Spec) -> dict[str, str]:
        """See `ByStage.layer_names`."""
        names: dict[str, str] = {}
        position = count()
        for layer in spec.layers:
            if layer.kind in ("avgpool", "fc"):
                break
            if layer.kind == "lrn":
                raise Unfit(f"it has no name for {layer.name}")
            names[layer.name] = f"{self.prefix}{next(position)}"
        kept = {layer.name for layer in spec.layers if layer.kind in ("conv", "batchnorm")}
        return {name: names[name] for name in names if name in kept} | _head_names(spec, self.head)


@dataclass(frozen=True)
class ByOrder:
    """What Keras calls layers itself: conv2d, conv2d_1, ...; dense, dense_1, ...

    It counts all that a program makes, so that a net may begin at any number. Nothing tells where
    the pools are.
    """

    convolution: str = "conv2d"
    matrix: str = "dense"
    head: ClassVar[tuple[str, ...]] = ()
    has_norms: ClassVar[bool] = False

    def is_matrix(self, layer: str) -> bool:
        """See `ByStage.is_matrix`."""
        return layer.startswith(self.matrix)

    def is_whole(self, layers: Layers) -> bool:
        """See `ByStage.is_whole`."""
        return True

    @property
    def pattern(self) -> str:
        return rf"(?:{re.escape(self.convolution)}|{re.escape(self.matrix)})(?:_\d+)?"

    def sketch(self, layers: Layers) -> Sketch:
        """Raises Unfit where a number is missing."""
        convolutions, matrices = (
            self._in_order(layers, base) for base in (self.convolution, self.matrix)
        )
        return Sketch((convolutions,), matrices=matrices, pooled=False)

    def _in_order(self, layers: Layers, base: str) -> tuple[str, ...]:
        found = (re.fullmatch(rf"{re.escape(base)}(?:_(\d{{1,9}}))?", name) for name in layers)
        numbers = [int(match[1] or 0) for match in found if match]
        first = min(numbers, default=0)
        names = tuple(_ordinal(base, first + index) for index in range(len(numbers)))
        lacking = [name for name in names if name not in layers]
        if lacking:
            raise Unfit(f"it lacks {lacking[0]}")
        return names

    def layer_names(self, spec: Spec) -> dict[str, str]:
        """See `ByStage.layer_names`."""
        names: dict[str, str] = {}
        for kind, base in (("conv", self.convolution), ("fc", self.matrix)):
            layers = [layer.name for layer in spec.layers if layer.kind == kind]
            names |= {name: _ordinal(base, index) for index, name in enumerate(layers)}
        return names


Scheme = ByStage | ByPosition | ByOrder


def _ordinal(base: str, index: int) -> str:
    return f"{base}_{index}" if index else base


def _fill(template: str, stage: int, index: int) -> str:
    return template.format(stage=stage, index=index)


def _expression(template: str, named: bool) -> str:
    """The regular expression of a template such as "conv{stage}_{index}"."""
    expression = re.escape(template)
    for field in ("stage", "index"):
        number = rf"(?P<{field}>\d{{1,4}})" if named else r"\d{1,4}"
        expression = expression.replace(re.escape(f"{{{field}}}"), number)
    return expression


def _numbered(layers: Layers, template: str) -> dict[tuple[int, int], str]:
    """Stage and place of each name that the template fits."""
    found = ((name, re.fullmatch(_expression(template, True), name)) for name in layers)
    return {(int(match["stage"]), int(match["index"])): name for name, match in found if match}


def _head(layers: Layers, head: tuple[str, ...]) -> tuple[str, ...]:
    """The FC layers that are there: all, the last one, or none."""
    there = tuple(name for name in head if name in layers)
    if there not in ((), head, head[-1:]):
        lacking = [name for name in head if name not in layers]
        raise Unfit(f"it has {', '.join(there)} and lacks {', '.join(lacking)}")
    return there


def _numbered_head(layers: Layers) -> tuple[str, ...]:
    """fc6, fc7, fc8: numbers that follow each other."""
    found = ((name, re.match(r"fc(\d{1,4})", name)) for name in layers)
    numbers = {int(match[1]): name for name, match in found if match}
    lacking = [f"fc{n}" for n in range(min(numbers, default=0), max(numbers, default=0))
               if n not in numbers]  # fmt: skip
    if lacking:
        raise Unfit(f"it lacks {', '.join(lacking)}")
    return tuple(numbers[number] for number in sorted(numbers))


def _head_names(spec: Spec, head: tuple[str, ...]) -> dict[str, str]:
    layers = [layer.name for layer in spec.layers if layer.kind == "fc"]
    if not head:
        return {name: name for name in layers}
    if len(layers) not in (0, 1, len(head)):
        raise Unfit(f"it names {len(head)} FC layers, and {spec.name} has {len(layers)}")
    return dict(zip(layers, head[-len(layers) :], strict=True)) if layers else {}
