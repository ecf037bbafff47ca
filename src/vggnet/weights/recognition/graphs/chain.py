"""A net's layers as a file's graph lists them, each checked to follow the one before as in a VGG.

In: one call a layer, in the graph's order, from those who read the graphs of ONNX and Caffe. Out: a
Drawing: a Sketch and where each layer's arrays lie. Exporters name arrays as they like, but a chain
of convolutions, ReLUs and pools is the same chain everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose

from vggnet.layers import BATCH_NORM_EPSILON
from vggnet.preprocess import Preprocess
from vggnet.weights.recognition.layouts import Layout
from vggnet.weights.recognition.naming import Sketch, Unfit


@dataclass(frozen=True)
class Source:
    """Where an array lies: its name in the file, and how it is laid out.

    `divisor` names the array of one number by which Caffe divides what its batch norms measured.
    `added` is added to each number after that: a variance takes with it what a file's epsilon has
    above our own. `second` says that it is the second row of two, the first being zeros: so the one
    unit of a net that answers yes or no becomes two classes.
    """

    name: str
    layout: Layout
    divisor: str = ""
    added: float = 0.0
    second: bool = False


Sources = Mapping[tuple[str, str], Source]  # by a layer's name in the file, and part


@dataclass(frozen=True)
class Drawing:
    """A net as its file draws it. `remark` says why its head is left out, or nothing.

    `preprocessing` is the range and order of colours that the file's own layers make of a picture
    in R, G, B; None where it has no such layers. `assumed` says what is usual and not stated.
    """

    sketch: Sketch
    sources: Sources
    remark: str = ""
    preprocessing: Preprocess | None = None
    assumed: tuple[str, ...] = ()


@dataclass
class Chain:
    """Collects a net's layers in order. All raise Unfit where a VGG has no such layer there.

    `input_size` is the side of the picture that the file states. `rounds_up` is set where a pool
    has a window more at the edge of a map of odd size, which ours leave out. `layout` is that of
    its convolutions. `sigmoid` is set where the scores go through one instead of a soft-max, and
    `answer` is the layer that is either.
    """

    input_size: int | None = None
    layout: Layout = "OIHW"
    sigmoid: bool = False
    answer: str = ""
    rounds_up: bool = False
    stages: list[list[str]] = field(default_factory=lambda: [[]])
    norms: dict[str, str] = field(default_factory=dict)  # by the convolution before
    matrices: list[str] = field(default_factory=list)
    lrn: set[str] = field(default_factory=set)
    average: bool = False
    linear: str = ""  # the layer that no ReLU has followed yet
    sources: dict[tuple[str, str], Source] = field(default_factory=dict)

    def convolve(self, layer: str, sides: Sequence[int], padding: Sequence[int],
                 weight: str, bias: str) -> None:  # fmt: skip
        """A convolution with a kernel of `sides`; an FC layer where that takes the whole map.

        This it does without padding after the last pool or the average, and after another such.
        `padding` is that of all four edges, or of rows and columns.
        """
        if len(sides) != 2 or sides[0] != sides[1]:
            raise Unfit(f"the kernel of {layer} is {' x '.join(map(str, sides))}, not square")
        ended = self.matrices or self.average
        after_pool = len(self.stages) > 1 and not self.stages[-1]
        if (ended or (after_pool and sides[0] > 1)) and not any(padding):
            self.multiply(layer, self.layout, weight, bias)
            return
        if any(each != sides[0] // 2 for each in padding):
            raise Unfit(f"the padding of {layer} is {list(padding)}, not {sides[0] // 2}")
        if ended:
            before = self.matrices[-1] if self.matrices else "the average"
            raise Unfit(f"{layer} is a convolution after {before}, which takes the whole map")
        self.stages[-1].append(layer)
        self._weigh(layer, self.layout, weight, bias)

    def multiply(self, layer: str, layout: Layout, weight: str, bias: str) -> None:
        """An FC layer."""
        if not self.matrices and self.stages[-1] and not self.average:
            raise Unfit(f"no pool lies before {layer}")
        self.matrices.append(layer)
        self._weigh(layer, layout, weight, bias)

    def _weigh(self, layer: str, layout: Layout, weight: str, bias: str) -> None:
        if self.linear:
            raise Unfit(f"no ReLU lies between {self.linear} and {layer}")
        self.linear = layer
        self.put(layer, "weight", Source(weight, layout))
        if bias:
            self.put(layer, "bias", Source(bias, "OIHW"))

    def add(self, bias: str) -> None:
        """A sum that is a node of its own."""
        if not self.linear or self.linear in self.norms:
            raise Unfit(f"{bias} is added to what is no layer")
        self.put(self.linear, "bias", Source(bias, "OIHW"))

    def put(self, layer: str, part: str, source: Source) -> None:
        if (layer, part) in self.sources:
            raise Unfit(f"{layer} has a second {part}, {source.name}")
        self.sources[layer, part] = source

    def normalise(self, parts: Mapping[str, str], epsilon: object, divisor: str = "") -> str:
        """A batch norm, of which `parts` are known; its name, to `put` others."""
        if not self.stages[-1] or self.linear != self.stages[-1][-1] or self.linear in self.norms:
            raise Unfit(f"a batch norm ({', '.join(parts.values())}) follows no convolution")
        norm = self.norms[self.linear] = f"the batch norm of {self.linear}"
        if not isinstance(epsilon, float):
            raise Unfit(f"the epsilon of {norm} is {epsilon}, no number")
        for part, name in parts.items():
            excess = part == "running_var" and not near(epsilon, BATCH_NORM_EPSILON)
            added = epsilon - BATCH_NORM_EPSILON if excess else 0.0
            self.put(norm, part, Source(name, "OIHW", divisor, added))
        return norm

    def rectify(self) -> None:
        if self.answer:
            raise Unfit(f"a ReLU follows {self.answer}")
        self.linear = ""

    def answers(self, layer: str, sigmoid: bool = False) -> None:
        """A soft-max or a sigmoid of the scores, of which there is one."""
        if self.answer:
            raise Unfit(f"the scores go through {self.answer} and then through {layer}")
        self.answer, self.sigmoid = layer, sigmoid

    def pool(self) -> None:
        if self.linear or not self.stages[-1]:
            raise Unfit("a pool follows no ReLU")
        self.stages.append([])

    def mean(self) -> None:
        """The average of each channel; of FC layers' one place that is nothing."""
        if self.matrices:
            return
        if self.stages[-1] or self.average:
            raise Unfit("no pool lies before the average")
        self.average = True

    def respond(self) -> None:
        if self.linear or not self.stages[-1]:
            raise Unfit("local response normalisation follows no ReLU")
        self.lrn.add(self.stages[-1][-1])

    def drawing(self, fault: str = "") -> Drawing:
        """The net, without its FC layers where they are no VGG's (`fault`)."""
        if self.rounds_up and self.input_size and self.input_size % 2 ** (len(self.stages) - 1):
            raise Unfit(f"its pools round up, and do not divide {self.input_size} pixels")
        if self.matrices and not fault and self.linear != self.matrices[-1]:
            fault = f"{self.matrices[-1]} is not the last layer"
        sketch = Sketch(
            tuple(tuple(stage) for stage in self.stages if stage),
            tuple(self.norms.values()),
            () if fault else tuple(self.matrices),
            lrn=frozenset(self.lrn),
            average=self.average and not fault,
            sigmoid=self.sigmoid and not fault,
            input_size=self.input_size,
        )
        layers = {*sketch.convolutions, *sketch.norms, *sketch.matrices}
        kept = {key: source for key, source in self.sources.items() if key[0] in layers}
        return Drawing(sketch, kept, f"its head is left out: {fault}" if fault else "")


def near(found: object, expected: float) -> bool:
    """Whether it is this number, rounded to float32 or not."""
    return isinstance(found, int | float) and isclose(found, expected, rel_tol=1e-5)


def square_side(sides: Iterable[object]) -> int | None:
    """The side of a square picture; None where it is free or the picture is none."""
    first, *others = sides
    return first if isinstance(first, int) and first > 0 and others == [first] else None
