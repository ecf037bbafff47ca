"""vggnet.training.start: what is held back, and which network and weights a run begins with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_data import SMALL, write_parquet, write_pictures

from vggnet.data import open_dataset
from vggnet.training.recipe import Recipe
from vggnet.training.start import check_classes, split, starting_arrays, starting_spec
from vggnet.weights.named import load_weights


def test_the_seed_picks_what_is_held_back() -> None:
    training, held_back = split(60, SMALL)
    assert (len(training), len(held_back)) == (50, 10)
    assert sorted([*training, *held_back]) == list(range(60))
    assert (split(60, SMALL)[1] == held_back).all()
    assert (split(60, replace(SMALL, seed=1))[1] != held_back).any()


def test_too_few_pictures_name_the_option() -> None:
    text = "leaves none of 60 pictures to train on; choose a smaller --holdout"
    with pytest.raises(ValueError, match=text):
        split(60, replace(SMALL, holdout=60))


def test_class_folders_without_pictures_are_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data", num_each=2)
    dataset = open_dataset(folder, "train")
    check_classes(dataset, pytest.fail)
    for name in ("grey", "mauve", "pink", "teal"):
        (folder / name).mkdir()
    text = r"data: class folders without pictures: grey, mauve, pink and 1 more; put pictures"
    with pytest.raises(ValueError, match=text):
        check_classes(open_dataset(folder, "train"), pytest.fail)


def test_one_class_is_nothing_to_learn(tmp_path: Path) -> None:
    write_pictures(tmp_path / "all", num_each=2)
    (tmp_path / "one").mkdir()
    (tmp_path / "all" / "red").rename(tmp_path / "one" / "red")
    with pytest.raises(ValueError, match=r"all of its pictures are of one class; .* two or more"):
        check_classes(open_dataset(tmp_path / "one", "train"), pytest.fail)
    file = write_parquet(tmp_path / "a.parquet", [1, 1, 1], names=["cat", "dog"])
    with pytest.raises(ValueError, match=r"all of its pictures are of one class"):
        check_classes(open_dataset(file, "train"), pytest.fail)


def test_parquet_may_name_more_classes_than_it_has_pictures_of(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", [2, 0, 2], names=["cat", "cow", "dog"])
    notes: list[str] = []
    check_classes(open_dataset(file, "train"), notes.append)
    assert notes == ["classes without pictures: cow"]


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
