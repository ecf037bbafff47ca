"""A network as the native engine runs it, made by passes that can be read one by one.

In: a Spec, a picture's size, the layers that are wanted, a precision. Out: a Plan, immutable steps
each of which is one kernel. Source for the algorithm: Lavin and Gray 2015 (arXiv 1509.09308).

A product here is a multiplication with its addition that is really done: F(m x m, 3x3) does
(m + 2)^2 for m^2 outputs, where the definition does 9 m^2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any, Literal

from vggnet.layers import ActivationShape, Layer
from vggnet.spec import Spec

Operation = Literal[
    "direct", "winograd", "linear", "max-pool", "average", "normalise", "batch-norm", "relu"
]
# Winograd's tiles: the larger, the fewer products and the larger the rounding errors, which
# `NativeEngine` bounds. Larger ones than 6 lose too much in float32.
TILES = (2, 4, 5, 6)
# What else Winograd takes, in products that take as long, fitted to VGG's layers in fp32 and used
# for bf16 too: for each number that a transform writes; for each transformed weight, which must be
# read from memory once for all the pictures of a call, while products go on; and the least for
# each weight, where reading is what takes the time. Weights count for more than their time, of
# which a larger tile may save a hundredth, since they take memory and a cold start as well.
_PER_TRANSFORMED_NUMBER = 10
_PER_TRANSFORMED_WEIGHT = 6.2
_LEAST_PER_WEIGHT = 17.2
MANY = 8  # pictures from which a plan is made for batches


@dataclass(frozen=True)
class Step:
    """One kernel: the layers that it computes, in order, and how.

    `relu` and `pool` (2x2, stride 2) are applied to the outputs before they are written; `tile` is
    the side of the outputs that Winograd computes at once.
    """

    layers: tuple[str, ...]
    operation: Operation
    input: ActivationShape
    output: ActivationShape
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    tile: int = 0
    relu: bool = False
    pool: bool = False
    half: bool = False  # whether the output is kept in bf16
    wanted: bool = False  # whether the caller gets the output

    @property
    def algorithm(self) -> str:
        """As people write it: F(4x4, 3x3) for Winograd's, else the operation."""
        return f"F({self.tile}x{self.tile}, 3x3)" if self.tile else self.operation

    @property
    def products(self) -> int:
        """Multiplications with their addition, for one picture."""
        if self.operation == "winograd":
            return winograd_products(self, self.tile)
        if self.operation in ("direct", "linear"):
            return prod(self.output) * self.input[0] * self.kernel**2
        return 0

    @property
    def weights(self) -> int:
        """Numbers that the products read, as they are kept for the run; biases left out."""
        channels = self.input[0] * self.output[0]
        if self.operation == "winograd":
            return channels * (self.tile + 2) ** 2
        return channels * self.kernel**2 if self.operation in ("direct", "linear") else 0

    def to_json(self, precision: str) -> dict[str, Any]:
        """Bytes of the weights and of the outputs beside the operation, for one picture."""
        return {
            "layers": list(self.layers),
            "algorithm": self.algorithm,
            "relu": self.relu,
            "pool": self.pool,
            "output": list(self.output),
            "products": self.products,
            "weight_bytes": self.weights * bytes_per_weight(self, precision),
            "activation_bytes": (2 if self.half else 4) * prod(self.output),
        }


@dataclass(frozen=True)
class Plan:
    """Steps for pictures of one size; `precision` is that of the products, "fp32" or "bf16"."""

    spec: Spec
    height: int
    width: int
    precision: str
    steps: tuple[Step, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.spec.name,
            "input": [3, self.height, self.width],
            "precision": self.precision,
            "products": sum(step.products for step in self.steps),
            "steps": [step.to_json(self.precision) for step in self.steps],
        }


def bytes_per_weight(step: Step, precision: str) -> int:
    """Of what products read; the factors of a batch norm stay in fp32."""
    return 2 if precision == "bf16" and step.operation != "batch-norm" else 4


def make_plan(
    spec: Spec,
    height: int,
    width: int,
    wanted: Iterable[str],
    precision: str = "fp32",
    pictures: int = 1,
) -> Plan:
    """The plan that computes the layers `wanted` and nothing above them.

    With `pictures` from MANY on it is made for batches, whose pictures share the reading of the
    weights. A soft-max is not planned: take the logits. Raises ValueError for a size that `spec`
    cannot take and for a name that it does not have.
    """
    names = frozenset(spec.check_names(wanted))
    steps = one_step_a_layer(spec.layers_at(height, width), names)
    steps = fuse_relu(steps)
    steps = choose_algorithms(steps, MANY if pictures >= MANY else 1)
    steps = fuse_pool(steps)
    if precision == "bf16":
        steps = keep_in_bf16(steps)
    return Plan(spec, height, width, precision, tuple(steps))


def one_step_a_layer(layers: Iterable[Layer], wanted: frozenset[str]) -> list[Step]:
    """Up to the deepest wanted layer. Dropout does nothing here and adds its name to a step."""
    operations: dict[str, Operation] = {
        "conv": "direct",
        "fc": "linear",
        "maxpool": "max-pool",
        "avgpool": "average",
        "lrn": "normalise",
        "batchnorm": "batch-norm",
        "relu": "relu",
    }
    steps: list[Step] = []
    missing = set(wanted)
    for layer in layers:
        if not missing or layer.kind == "softmax":
            break
        missing.discard(layer.name)
        keep = layer.name in wanted
        if layer.kind == "dropout":
            before = steps[-1]
            steps[-1] = replace(
                before, layers=(*before.layers, layer.name), wanted=before.wanted or keep
            )
            continue
        operation = operations[layer.kind]
        if layer.kind == "conv" and layer.name.startswith("fc"):
            operation = "linear"  # an FC layer over every window of a larger map
        steps.append(
            Step(
                (layer.name,),
                operation,
                layer.input,
                layer.output,
                layer.kernel,
                layer.stride,
                layer.padding,
                wanted=keep,
            )
        )
    return steps


def fuse_relu(steps: list[Step]) -> list[Step]:
    """ReLU is applied by the step before it, unless what comes before the ReLU is wanted."""
    fused: list[Step] = []
    for step in steps:
        before = fused[-1] if fused else None
        if step.operation == "relu" and before and _takes_relu(before):
            layers = before.layers + step.layers
            fused[-1] = replace(before, layers=layers, relu=True, wanted=step.wanted)
        else:
            fused.append(step)
    return fused


def _takes_relu(step: Step) -> bool:
    return (
        step.operation in ("direct", "linear", "batch-norm") and not step.wanted and not step.relu
    )


def fuse_pool(steps: list[Step]) -> list[Step]:
    """A 2x2 pool is applied by the convolution before it, where tiles hold whole windows of it."""
    fused: list[Step] = []
    for step in steps:
        before = fused[-1] if fused else None
        window = (step.operation, step.kernel, step.stride)
        if window == ("max-pool", 2, 2) and before and _takes_pool(before):
            layers = before.layers + step.layers
            fused[-1] = replace(
                before, layers=layers, output=step.output, pool=True, wanted=step.wanted
            )
        else:
            fused.append(step)
    return fused


def _takes_pool(step: Step) -> bool:
    whole_windows = step.operation == "winograd" and step.tile % 2 == 0
    return whole_windows and not step.wanted and not step.pool


def choose_algorithms(steps: list[Step], pictures: int = 1) -> list[Step]:
    """Winograd for 3x3 convolutions, with the tile that takes least; the picture's own directly.

    The picture's three channels are too few for the transforms to be worth it.
    """
    return [
        replace(
            step,
            operation="winograd",
            tile=min(TILES, key=lambda tile: winograd_cost(step, tile, pictures)),
        )
        if _fits_winograd(step)
        else step
        for step in steps
    ]


def keep_in_bf16(steps: list[Step]) -> list[Step]:
    """Activations between two convolutions in bf16, which halves the bytes that are moved.

    The one that reads them rounds to bf16 anyway, after its transform.
    """
    return [
        replace(step, half=True)
        if step.operation in ("direct", "winograd")
        and after is not None
        and after.operation == "winograd"
        and not step.wanted
        else step
        for step, after in zip(steps, [*steps[1:], None], strict=True)
    ]


def _fits_winograd(step: Step) -> bool:
    shape = (step.operation, step.kernel, step.stride, step.padding)
    return shape == ("direct", 3, 1, 1) and step.input[0] > 3


def _transformed(step: Step, tile: int) -> int:
    """Numbers a channel of the transformed input."""
    return prod(ceil(side / tile) for side in step.input[1:]) * (tile + 2) ** 2


def winograd_products(step: Step, tile: int) -> int:
    """Products of F(tile x tile, 3x3), those of outputs beyond the map's edge too."""
    return _transformed(step, tile) * step.input[0] * step.output[0]


def winograd_cost(step: Step, tile: int, pictures: int) -> float:
    """Products a picture, and what the transforms and the reading of the weights take beside."""
    channels_in, channels_out = step.input[0], step.output[0]
    numbers = _transformed(step, tile) * (channels_in + channels_out)
    weights = (tile + 2) ** 2 * channels_in * channels_out / pictures
    computing = winograd_products(step, tile) + _PER_TRANSFORMED_NUMBER * numbers
    return max(computing + _PER_TRANSFORMED_WEIGHT * weights, _LEAST_PER_WEIGHT * weights)
