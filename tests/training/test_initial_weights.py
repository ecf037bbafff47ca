"""vggnet.training.initial_weights: which network and weights a run begins with."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_data import SMALL

from vggnet.configurations import configuration
from vggnet.data import open_dataset
from vggnet.preprocess import Preprocess
from vggnet.torch_network import Network
from vggnet.training.initial_weights import (
    arrays_of_shallower,
    growth_when_drawn,
    starting_arrays,
    starting_spec,
)
from vggnet.training.recipe import Recipe
from vggnet.weights.named import load_weights
from vggnet.weights.random_weights import random_state
from vggnet.weights.weights import Weights


def test_the_recipes_network_has_the_classes_of_the_data(pictures: Path) -> None:
    spec = starting_spec(SMALL, open_dataset(pictures, "train"), None)
    assert (spec.num_classes, spec.input_size) == (3, 32)


def test_the_paper_s_crop_is_tested_at_its_scale_and_seen_at_the_input_size(
    pictures: Path,
) -> None:
    recipe = replace(SMALL, head="fc", crop="short-side", short_side="40-50", test_sizes="36,45")
    starting_spec(recipe, open_dataset(pictures, "train"), None)  # FC layers take 32 alone
    with pytest.raises(ValueError, match="FC layers take 32 x 32 pictures, not"):
        starting_spec(replace(recipe, crop="area"), open_dataset(pictures, "train"), None)


def test_initial_weights_bring_their_network_and_the_head_is_new(pictures: Path) -> None:
    initial = load_weights("tiny-imagenet")
    recipe = Recipe(init="tiny-imagenet", input_size=48, sizes="48x1")
    spec = starting_spec(recipe, open_dataset(pictures, "train"), initial)
    arrays = starting_arrays(initial, spec)
    assert (spec.num_classes, spec.input_size) == (3, 48)
    assert spec.state_shapes.keys() - arrays.keys() == {"fc6.weight", "fc6.bias"}
    np.testing.assert_array_equal(arrays["conv1_1.weight"], initial.state["conv1_1.weight"])


def _weights(name: str, **changes: Any) -> Weights:
    size = 67 if name == "AlexNet" else 32
    spec = configuration(name).scaled(0.1, size, 3, **changes)
    return Weights(spec, random_state(spec), Preprocess.paper(32, 32), ())


@pytest.mark.parametrize(
    ("shallower", "deeper"), [("A", "B"), ("A", "C"), ("A", "D"), ("B", "E"), ("D", "E")]
)
def test_a_deeper_net_takes_four_convolutions_and_the_fc_layers(
    shallower: str, deeper: str
) -> None:
    source, spec = _weights(shallower), _weights(deeper).spec
    arrays = arrays_of_shallower(source, spec, "a.safetensors")
    convolutions = [name for name in source.spec.layer_names if name.startswith("conv")][:4]
    assert {name.partition(".")[0] for name in arrays} == {*convolutions, "fc6", "fc7", "fc8"}
    for name, values in arrays.items():
        assert values.shape == spec.state_shapes[name]
        np.testing.assert_array_equal(values, source.state[name])


def test_batch_norm_of_the_shallower_net_is_folded_into_what_is_taken() -> None:
    source = _weights("A", batch_norm=True)
    arrays = arrays_of_shallower(source, _weights("D").spec, "a.safetensors")
    assert (arrays["conv1_1.weight"] != source.state["conv1_1.weight"]).any()
    assert not [name for name in arrays if name.startswith("bn")]


@pytest.mark.parametrize(
    ("shallower", "text"),
    [
        (_weights("D"), "'a.safetensors': a net with 16 weight layers, not less than the 16"),
        (_weights("AlexNet"), "its conv1.weight is .* and in the net to train not there; both"),
        (_weights("A", head="average"), "its fc6.weight is 3 x 51 and .* 410 x 51; both need the"),
    ],
)
def test_a_net_that_does_not_fit_is_named(shallower: Weights, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        arrays_of_shallower(shallower, _weights("D").spec, "a.safetensors")


def test_values_grow_as_it_is_foretold_where_the_variance_is_that_of_the_paper() -> None:
    spec = configuration("A").scaled(0.5, 32, 10)
    network = Network(spec, "paper", seed=0)
    images_NCHW = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ratio = float(network.eval()(images_NCHW).square().mean().sqrt())
    assert math.log10(growth_when_drawn(spec, {})) == pytest.approx(math.log10(ratio), abs=1)
    taken = {name: np.zeros(1) for name in spec.state_shapes if not name.startswith("fc8")}
    assert growth_when_drawn(spec, taken) == pytest.approx(math.sqrt(2048 * 0.005))
