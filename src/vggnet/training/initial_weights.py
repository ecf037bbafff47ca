"""The network that a run begins with, and those of its weights that are not drawn.

In: a Recipe, a Dataset, perhaps Weights. Out: a Spec and arrays. Source: Section 3.1 of the paper
for what a deeper net takes from a shallower one.
"""

from __future__ import annotations

import math

from vggnet.data import Dataset
from vggnet.spec import Spec
from vggnet.training.recipe import Recipe
from vggnet.weights.rewrite import fold_batch_norm
from vggnet.weights.weights import State, Weights

_TAKEN = 4  # convolutions that a deeper net takes from a shallower one


def starting_spec(recipe: Recipe, dataset: Dataset, initial: Weights | None) -> Spec:
    """The recipe's network, or that of the initial weights with a head for these classes.

    Raises ValueError where it cannot take a size that the recipe trains or tests at.
    """
    if initial is None:
        spec = recipe.spec(len(dataset.classes))
    else:
        spec = initial.spec.scaled(num_classes=len(dataset.classes), input_size=recipe.input_size)
    tested = (recipe.test_crop(size) for size in (recipe.test_size, *recipe.test_size_choices))
    for size in {*recipe.epoch_sizes, *tested}:
        spec.layers_at(size, size)
    return spec


def starting_arrays(initial: Weights, spec: Spec) -> State:
    """The initial arrays that the network can take; the others are drawn at random."""
    shapes = spec.state_shapes
    return {
        name: values for name, values in initial.state.items() if shapes.get(name) == values.shape
    }


def arrays_of_shallower(shallower: Weights, spec: Spec, name: str) -> State:
    """The shallower net's first four convolutions and its FC layers, for those of the same names.

    Section 3.1 takes net A's. They fit by name, not by number: A's second convolution is conv2_1
    and makes 128 channels of 64, as conv2_1 does in every other column of Table 1. Batch norm is
    folded in. Raises ValueError, which names the file and the shapes, where one does not fit, and
    where the net is not the shallower one.
    """
    source, state = fold_batch_norm(shallower.spec, shallower.state)
    depths = [_weight_layers(each) for each in (source, spec)]
    if depths[0] >= depths[1]:
        raise ValueError(
            f"init-from {name!r}: a net with {depths[0]} weight layers, not less than the "
            f"{depths[1]} of the net to train; --init goes on with the same net"
        )
    convolutions = [layer.name for layer in source.layers if layer.kind == "conv"]
    fc_layers = [layer.name for layer in source.layers if layer.kind == "fc"]
    wanted = spec.state_shapes
    arrays = {}
    for key in (f"{layer}.{part}" for layer in (*convolutions[:_TAKEN], *fc_layers)
                for part in ("weight", "bias")):  # fmt: skip
        shape = state[key].shape
        if shape != wanted.get(key):
            there = _dimensions(wanted[key]) if key in wanted else "not there"
            raise ValueError(
                f"init-from {name!r}: its {key} is {_dimensions(shape)} and in the net to train "
                f"{there}; both need the same width, head, input size and number of classes"
            )
        arrays[key] = state[key]
    return arrays


def growth_when_drawn(spec: Spec, arrays: State) -> float:
    """By what factor the layers that are not in `arrays` enlarge values, drawn with variance 1e-2.

    Of independent inputs, half of which ReLU makes 0, n weights of variance v give sums whose
    variance is n v / 2 times the inputs' mean square (He et al. 2015, Section 2.2).
    """
    fan_ins = [
        math.prod(shape[1:])
        for name, shape in spec.state_shapes.items()
        if name not in arrays and len(shape) > 1
    ]
    return math.prod(math.sqrt(fan_in * 0.01 / 2) for fan_in in fan_ins)


def _weight_layers(spec: Spec) -> int:
    return sum(layer.kind in ("conv", "fc") for layer in spec.layers)


def _dimensions(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
