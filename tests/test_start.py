"""vggnet.training.start: what is held back, and which network and weights a run begins with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_data import SMALL

from vggnet.data import open_dataset
from vggnet.training.recipe import Recipe
from vggnet.training.start import split, starting_arrays, starting_spec
from vggnet.weights.named import load_weights


def test_the_seed_picks_what_is_held_back() -> None:
    training, held_back = split(60, SMALL)
    assert (len(training), len(held_back)) == (50, 10)
    assert sorted([*training, *held_back]) == list(range(60))
    assert (split(60, SMALL)[1] == held_back).all()
    assert (split(60, replace(SMALL, seed=1))[1] != held_back).any()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"holdout": 60}, "leaves none of 60 pictures to train on; choose a smaller --holdout"),
        ({"batch_size": 64}, "larger than the 50 training pictures; choose a smaller --batch-size"),
    ],
)
def test_too_few_pictures_name_the_option(changes: dict[str, int], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        split(60, replace(SMALL, **changes))


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
