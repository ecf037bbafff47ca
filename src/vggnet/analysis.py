"""What a spec costs and what its units see.

In: a Spec and an input size. Out: an Analysis with one LayerCost a layer, every figure exact.
Source: Table 2 and Section 3.2 of arXiv 1409.1556 for the costs; the recurrences of the receptive
field are those of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural
Networks", Distill 2019.

What is counted, for one picture:
    MACs         multiplications with their addition, in convolutions and FC layers; products with
                 the zeros of the padding are counted, as the definition does
    FLOPs        2 x MACs. Biases, ReLU, pools, LRN, batch norm and soft-max are left out: together
                 they add less than one percent to any configuration of the paper
    activations  elements of the picture and of each layer's output; ReLU and dropout write over
                 their input and add none. Bytes are for float32
    parameters   trained values; the running statistics of batch norm are not among them
    field        side in pixels of the square one unit sees, padding not taken off; where a global
                 average sees a map that is not square, along the longer side
    jump         pixels between the fields of two neighbouring units
    offset       pixel coordinate (the first pixel's centre is 0) of the first unit's field centre,
                 negative where padding moves it off the picture; along the longer side as above
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from vggnet.configurations import configuration
from vggnet.drawing.quantities import dimensions, grouped, short
from vggnet.layers import ActivationShape, Kind, Layer
from vggnet.spec import Spec, SpecError

if TYPE_CHECKING:
    from vggnet.drawing.network import Drawn

BYTES_PER_ELEMENT = 4  # float32
IN_PLACE: frozenset[Kind] = frozenset({"relu", "dropout"})


@dataclass(frozen=True)
class LayerCost:
    """One layer's share of the cost, and what its units see; the module says what is counted."""

    name: str
    type: Kind
    kernel: int
    stride: int
    padding: int
    input: ActivationShape
    output: ActivationShape
    weights: int
    biases: int
    macs: int
    activations: int
    receptive_field: int
    jump: int
    field_offset: float

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def live_activations(self) -> int:
        """Elements held while the layer runs: its input, and its output if that is another one."""
        return prod(self.input) + self.activations


@dataclass(frozen=True)
class Analysis:
    """The cost of a spec at one input size: the sums over `layers`."""

    spec: Spec
    input: ActivationShape
    layers: tuple[LayerCost, ...]

    @property
    def weights(self) -> int:
        return sum(layer.weights for layer in self.layers)

    @property
    def biases(self) -> int:
        return sum(layer.biases for layer in self.layers)

    @property
    def parameters(self) -> int:
        return self.weights + self.biases

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> int:
        return 2 * self.macs

    @property
    def activations(self) -> int:
        """Elements that training keeps for the backward pass of one picture.

        The picture and every output that is not written over. Gradients, dropout's masks and the
        positions that max-pools remember come on top.
        """
        return prod(self.input) + sum(layer.activations for layer in self.layers)

    @property
    def peak_layer(self) -> LayerCost:
        """The layer that holds the most in inference, where a map is freed after its last use."""
        return max(self.layers, key=lambda layer: layer.live_activations)

    @property
    def peak_activations(self) -> int:
        """Elements of the input and output of `peak_layer`; workspace of an engine not counted."""
        return self.peak_layer.live_activations

    def of_type(self, kind: Kind) -> Analysis:
        """The same analysis with the layers of one kind only, for sums such as FC's MACs."""
        return Analysis(
            self.spec, self.input, tuple(layer for layer in self.layers if layer.type == kind)
        )

    def drawn(self, name: str | None = None) -> Drawn:
        """What `vggnet.drawing.network.network_scene` takes; `name` is its heading."""
        from vggnet.drawing.network import Drawn

        size = dimensions(self.input[1:])
        facts = f"{grouped(self.parameters)} parameters, {short(self.macs)} MACs on {size} pixels"
        return Drawn(name or self.spec.name, facts, self.spec.layers_at(*self.input[1:]))

    def _repr_html_(self) -> str:
        """The drawing and the table of costs, for notebooks."""
        from vggnet.drawing.costs import costs_table
        from vggnet.drawing.network import network_scene
        from vggnet.drawing.svg import svg

        return svg(network_scene([self.drawn()])) + costs_table(self.to_json())

    def to_json(self) -> dict[str, object]:
        """Plain values. Sizes in elements with bytes beside them, shares as fractions of 1."""
        peak = self.peak_activations
        parameters, macs = self.parameters, self.macs  # sums over all layers
        return {
            "name": self.spec.name,
            "input": list(self.input),
            "parameters": parameters,
            "parameter_bytes": BYTES_PER_ELEMENT * parameters,
            "weights": self.weights,
            "biases": self.biases,
            "macs": macs,
            "flops": 2 * macs,
            "activations": self.activations,
            "activation_bytes": BYTES_PER_ELEMENT * self.activations,
            "peak_activations": peak,
            "peak_activation_bytes": BYTES_PER_ELEMENT * peak,
            "peak_layer": self.peak_layer.name,
            "totals": {
                kind: {"parameters": part.parameters, "macs": part.macs}
                for kind in dict.fromkeys(layer.type for layer in self.layers)
                if (part := self.of_type(kind)).parameters
            },
            "layers": [_layer_json(layer, parameters, macs) for layer in self.layers],
            "spec": self.spec.to_json(),
        }


def _layer_json(layer: LayerCost, parameters: int, macs: int) -> dict[str, object]:
    """Of a network with so many parameters and MACs."""
    return {
        "name": layer.name,
        "type": layer.type,
        "kernel": layer.kernel,
        "stride": layer.stride,
        "padding": layer.padding,
        "input": list(layer.input),
        "output": list(layer.output),
        "parameters": layer.parameters,
        "parameter_bytes": BYTES_PER_ELEMENT * layer.parameters,
        "parameter_share": layer.parameters / parameters,
        "weights": layer.weights,
        "biases": layer.biases,
        "macs": layer.macs,
        "mac_share": layer.macs / macs,
        "flops": layer.flops,
        "activations": layer.activations,
        "activation_bytes": BYTES_PER_ELEMENT * layer.activations,
        "receptive_field": layer.receptive_field,
        "jump": layer.jump,
        "field_offset": layer.field_offset,
    }


def analyze(spec: Spec | str, input_size: int | tuple[int, int] | None = None) -> Analysis:
    """The cost of `spec` for pictures of `input_size` pixels: a side, or (height, width).

    `spec` may be a configuration's name, such as "D" or "vgg16". None takes the spec's own size. A
    net whose FC layers need one size is first made for the other one,
    `spec.scaled(input_size=...)`, which changes the weights of its first FC layer. Raises
    ValueError for a name that no configuration has, and for a picture that is too small, or not
    square before such FC layers.
    """
    if isinstance(spec, str):
        spec = configuration(spec)
    if input_size is None:
        input_size = spec.input_size
    height, width = (input_size, input_size) if isinstance(input_size, int) else input_size
    if not spec.any_size:
        if height != width:
            raise SpecError(
                f"spec {spec.name!r}: its FC layers take square pictures, not {height} x {width}; "
                "give it the average head for these",
                code="not-square",
            )
        spec = spec.scaled(input_size=height)
    layers = spec.layers_at(height, width)
    return Analysis(spec, (3, height, width), tuple(_costs(layers)))


def _costs(layers: Iterable[Layer]) -> Iterable[LayerCost]:
    field, jump, offset = 1, 1, 0.0
    for layer in layers:
        # FC layers and the global average look at their whole map.
        kernel = max(layer.input[1:]) if layer.kind in ("fc", "avgpool") else layer.kernel
        field += (kernel - 1) * jump
        offset += ((kernel - 1) / 2 - layer.padding) * jump
        jump *= layer.stride
        sizes = {part: prod(shape) for part, shape in layer.parameter_shapes.items()}
        positions = prod(layer.output[1:])
        yield LayerCost(
            name=layer.name,
            type=layer.kind,
            kernel=kernel,
            stride=layer.stride,
            padding=layer.padding,
            input=layer.input,
            output=layer.output,
            weights=sizes.get("weight", 0),
            biases=sizes.get("bias", 0),
            macs=sizes["weight"] * positions if layer.kind in ("conv", "fc") else 0,
            activations=0 if layer.kind in IN_PLACE else prod(layer.output),
            receptive_field=field,
            jump=jump,
            field_offset=offset,
        )
