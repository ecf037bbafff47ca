"""Which Spec an array file's shapes stand for.

In: a Sketch, the shape of each convolution, (O, I, Y, X), and FC layer, (out, in). Out: the Spec,
under the paper's name where its convolutions are one of Table 1's, at whatever width.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from vggnet.configurations import configuration
from vggnet.layers import LARGEST
from vggnet.spec import Spec
from vggnet.weights.recognition.layouts import Shape
from vggnet.weights.recognition.naming import Sketch, Unfit

_CONFIGURATIONS = ("A", "A-LRN", "B", "C", "D", "E")
_INPUT_SIZE = 224  # of nets whose files and shapes do not tell


def spec_of(sketch: Sketch, kernels: Sequence[Shape], matrices: Sequence[Shape]) -> Spec:
    """Raises Unfit where the shapes do not follow from each other, or are no VGG's."""
    _check_kernels(sketch, kernels)
    stages = _stages(sketch, kernels)
    side = _map_side(kernels[-1][0], matrices)
    average = side == 1 and (sketch.average or len(matrices) == 1)
    head = [f"FC-{out}" for out, _ in matrices]
    rows = [row for stage in stages for row in (" ".join(stage), "maxpool")]
    rows += [*(["avgpool"] if average else []), *head, *(["soft-max"] if head else [])]
    tokens = [token for stage in stages for token in (*stage, "maxpool")]
    name = _name(tokens) or f"VGG{len(kernels) + len(matrices)}"
    input_size = side * 2 ** len(stages)
    if average or not head:
        input_size = sketch.input_size or _INPUT_SIZE
    elif sketch.input_size and sketch.input_size // 2 ** len(stages) == side:
        input_size = sketch.input_size  # of which the pools leave out an edge
    if input_size > LARGEST:
        raise Unfit(f"its pictures would be {input_size} pixels wide")
    try:
        return Spec(
            f"{name}-BN" if sketch.norms else name,
            tuple(rows),
            input_size,
            batch_norm=bool(sketch.norms),
        )
    except ValueError as error:
        raise Unfit(str(error)) from None


def _check_kernels(sketch: Sketch, kernels: Sequence[Shape]) -> None:
    channels = 3
    for name, (out, num_in, *sides) in zip(sketch.convolutions, kernels, strict=True):
        if num_in != channels:
            raise Unfit(f"{name} takes {num_in} channels and is given {channels}")
        if out > LARGEST:
            raise Unfit(f"{name} gives {out:,} channels")
        if sides not in ([3, 3], [1, 1]):
            raise Unfit(f"{name} is {' x '.join(map(str, sides))}; a VGG has 3 x 3 and 1 x 1")
        channels = out


def _stages(sketch: Sketch, kernels: Sequence[Shape]) -> list[list[str]]:
    """The tokens of each stage; where no name tells the stages, those of Table 1's that fit."""
    tokens = {
        name: [f"conv{kernel[2]}-{kernel[0]}", *(["LRN"] if name in sketch.lrn else [])]
        for name, kernel in zip(sketch.convolutions, kernels, strict=True)
    }
    if sketch.pooled:
        return [[token for name in stage for token in tokens[name]] for stage in sketch.stages]
    flat = [token for name in sketch.convolutions for token in tokens[name]]
    for name in _CONFIGURATIONS:
        stages = _scaled_stages(name, kernels[0][0])
        if [token for stage in stages for token in stage] == flat:
            return stages
    raise Unfit(f"nothing tells where the pools are, and no configuration of the paper has "
                f"{len(kernels)} convolutions of these widths")  # fmt: skip


def _scaled_stages(name: str, first: int) -> list[list[str]]:
    """The convolutions of a configuration whose first one has `first` channels."""
    rows = configuration(name).scaled(width=first / 64).rows
    return [row.split() for row in rows if row.startswith("conv")]


def _name(tokens: list[str]) -> str | None:
    """The configuration with these convolutions and pools at some width; None: there is none."""
    first = int(tokens[0].partition("-")[2])
    for name in _CONFIGURATIONS:
        if [t for stage in _scaled_stages(name, first) for t in (*stage, "maxpool")] == tokens:
            return name
    return None


def _map_side(channels: int, matrices: Sequence[Shape]) -> int:
    """Side of the map that the first FC layer takes; 1 for a net without one."""
    side = 1
    for index, (_, columns) in enumerate(matrices):
        if index == 0:
            side = isqrt(columns // channels)
            if side * side * channels != columns or side == 0:
                raise Unfit(
                    f"the first FC layer takes {columns:,} numbers, which is no square map of "
                    f"{channels} channels"
                )
        elif columns != matrices[index - 1][0]:
            raise Unfit(
                f"FC layer {index + 1} takes {columns:,} numbers and is given "
                f"{matrices[index - 1][0]:,}"
            )
    return side
