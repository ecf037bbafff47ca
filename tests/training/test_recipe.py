"""vggnet.training.recipe: ranges, choices, what the texts of fields stand for."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from vggnet.training.recipe import NETWORK_FIELDS, Recipe
from vggnet.training.recipes import MODERN, PAPER, fine_tuning, pre_training, vary
from vggnet.weights.named import load_weights

# Of the first model inside the package, when recipes were written without a version.
FIRST: dict[str, Any] = {
    "config": "D",
    "width": 0.5,
    "input_size": 64,
    "head": "average",
    "batch_norm": True,
    "dropout": 0.5,
    "initialization": "he",
    "init": "",
    "normalization": "mean-std",
    "sizes": "32x12,48x16,64x8",
    "crop": "area",
    "min_area": 0.25,
    "short_side": "256",
    "flip": True,
    "holdout": 2500,
    "test_sizes": "64,72,80,88,96",
    "batch_size": 128,
    "accumulate": 1,
    "schedule": "one-cycle",
    "learning_rate": 0.1,
    "warmup": 0.15,
    "patience": 3,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.0005,
    "decay_all": False,
    "label_smoothing": 0.1,
    "weight_average": 0.999,
    "precision": "bf16",
    "dtype": "fp16",
    "seed": 0,
}


def test_the_papers_recipe_holds_the_figures_of_sections_2_1_and_3_1() -> None:
    assert PAPER.normalization == "mean"
    assert (PAPER.batch_size, PAPER.momentum, PAPER.weight_decay) == (256, 0.9, 5e-4)
    assert (PAPER.learning_rate, PAPER.dropout, PAPER.schedule) == (0.01, 0.5, "plateau")
    assert (PAPER.crop, PAPER.flip, PAPER.initialization) == ("short-side", True, "glorot")
    assert PAPER.decay_all
    assert (PAPER.rgb_shift, MODERN.rgb_shift) == (0.1, 0)
    assert len(PAPER.epoch_sizes) == 74
    assert PAPER.short_side_range == (256, 256)
    assert PAPER.label_smoothing == 0
    assert not PAPER.nesterov
    assert PAPER.precision == "fp32"


def test_sizes_are_one_a_epoch() -> None:
    assert replace(MODERN, sizes="32x2,48x1, 64x3").epoch_sizes == (32, 32, 48, 64, 64, 64)


def test_spec_is_the_scaled_configuration() -> None:
    spec = replace(MODERN, config="vgg11", width=0.25).spec(7)
    assert spec.num_classes == 7
    assert spec.batch_norm
    assert spec.state_shapes["conv1_1.weight"] == (16, 3, 3, 3)


def test_a_net_of_ones_own_gets_the_head_that_it_lacks() -> None:
    rows = "conv3-64 / maxpool / conv3-128"
    headless = replace(MODERN, config=rows, width=0.25, head="average").spec(7)
    assert headless.rows == ("conv3-16", "maxpool", "conv3-32", "avgpool", "FC-7", "soft-max")
    assert headless.batch_norm
    whole = replace(MODERN, config=f"{rows} / FC-40 FC-9", width=0.25, head="average").spec(7)
    assert whole.rows == ("conv3-16", "maxpool", "conv3-32", "FC-10", "FC-7")


def test_round_trip_and_unknown_fields() -> None:
    assert Recipe.from_json(MODERN.to_json()) == MODERN
    with pytest.raises(ValueError, match=r"a recipe has the unknown \['colour'\]"):
        Recipe.from_json(MODERN.to_json() | {"colour": 1})
    with pytest.raises(ValueError, match=r"version 99 .*'colour'.* install a newer one"):
        Recipe.from_json(MODERN.to_json() | {"colour": 1, "version": 99})


def test_a_recipe_of_the_first_version_drops_what_fills_no_batch() -> None:
    values = _without_fields_since(3)
    assert values.pop("remainder") == "drop"
    assert Recipe.from_json(values) == MODERN
    with pytest.raises(ValueError, match=r"a recipe lacks \['remainder'\]"):
        Recipe.from_json(values | {"version": 2})


def test_a_recipe_of_the_second_version_changes_and_mixes_nothing_more() -> None:
    values = _without_fields_since(3) | {"version": 2}
    assert {"trivial_augment", "erasing", "mixup", "cutmix", "mix_share"}.isdisjoint(values)
    recipe = Recipe.from_json(values)
    assert recipe == MODERN
    assert not recipe.trivial_augment
    assert (recipe.erasing, recipe.mixup, recipe.cutmix) == (0, 0, 0)
    with pytest.raises(ValueError, match=r"a recipe lacks .*'cutmix'"):
        Recipe.from_json(values | {"version": 3})


def _without_fields_since(version: int) -> dict[str, Any]:
    """The modern recipe as it was before that version, without the number of its own."""
    later = {each.name for each in fields(Recipe) if each.metadata["since"] >= version}
    values = MODERN.to_json()
    assert values.pop("version") >= version
    return {name: value for name, value in values.items() if name not in later}


def test_the_first_recipes_are_read_and_mean_what_they_meant() -> None:
    recipe = Recipe.from_json(FIRST)
    assert (recipe.precision, recipe.sizes, recipe.dtype) == ("bf16", "32x12,48x16,64x8", "fp16")
    with pytest.raises(ValueError, match=r"a recipe lacks \['momentum'\]"):
        Recipe.from_json({name: FIRST[name] for name in FIRST if name != "momentum"})


def test_the_recipe_of_the_embedded_model_is_read() -> None:
    recorded: Any = load_weights("tiny-imagenet").training["recipe"]
    recipe = Recipe.from_json(recorded)
    assert (recipe.sizes, recipe.width, recipe.cutmix) == ("48x28,64x40,80x38", 0.6875, 1)


def test_what_older_versions_accepted_without_effect_is_read() -> None:
    constant = replace(MODERN, schedule="constant")
    values = constant.to_json() | {"warmup": 0.5, "patience": 5}
    assert Recipe.from_json(values) == constant
    one_cycle = replace(MODERN, warmup=0.5)
    assert Recipe.from_json(one_cycle.to_json() | {"patience": 5}) == one_cycle
    with pytest.raises(ValueError, match=r"a recipe lacks \['patience'\]"):
        Recipe.from_json({name: values[name] for name in values if name != "patience"})


def test_the_test_scale_is_that_of_training() -> None:
    assert (PAPER.test_size, PAPER.test_crop(256)) == (256, 224)
    jittered = replace(PAPER, short_side="256-512", test_sizes="256,384,512")
    assert (jittered.test_size, jittered.test_crop(512)) == (384, 224)
    assert jittered.test_size_choices == (256, 384, 512)
    assert (MODERN.test_size, MODERN.test_crop(80)) == (64, 80)


def test_vary_keeps_what_is_not_given() -> None:
    assert vary(MODERN, {"width": 0.25}) == replace(MODERN, width=0.25)


def test_the_input_size_moves_the_schedule_with_it() -> None:
    moved = vary(MODERN, {"input_size": 128})
    assert (moved.sizes, moved.short_side) == ("64x8,96x6,128x4", "146")
    small = vary(PAPER, {"input_size": 64})
    assert (small.sizes, small.short_side, small.test_size) == ("64x74", "73", 73)
    assert vary(PAPER, {"input_size": 96}).short_side == "110"  # of 109.7


@pytest.mark.parametrize(
    ("changes", "sizes"),
    [
        ({"config": "A", "input_size": 32}, "32x18"),
        ({"config": "A", "input_size": 32, "epochs": 5}, "32x5"),
        ({"config": "A", "input_size": 48}, "36x10,48x8"),
        ({"config": "conv3-8 / maxpool", "input_size": 32}, "16x8,24x6,32x4"),
        ({"config": "A", "input_size": 32, "sizes": "16x1,32x2"}, "16x1,32x2"),  # asked for
    ],
)
def test_no_size_shrinks_below_what_the_net_can_take(changes: dict[str, Any], sizes: str) -> None:
    assert vary(MODERN, changes).sizes == sizes


def test_the_schedule_moves_the_input_size_with_it() -> None:
    assert vary(MODERN, {"sizes": "64x4,96x2"}).input_size == 96


def test_milestones_may_lie_beyond_the_epochs_that_were() -> None:
    recipe = vary(MODERN, {"epochs": 90, "schedule": "step", "milestones": "30,60"})
    assert (len(recipe.epoch_sizes), recipe.milestone_epochs) == (90, (30, 60))


def test_sizes_and_input_size_given_together_are_taken_as_they_are() -> None:
    recipe = vary(MODERN, {"sizes": "32x4,56x2", "input_size": 64, "short_side": "70"})
    assert (recipe.sizes, recipe.input_size, recipe.short_side) == ("32x4,56x2", 64, "70")


def test_fine_tuning_takes_the_network_of_the_weights() -> None:
    recipe = fine_tuning(MODERN, {"init": "some.safetensors", "batch_size": 16}, 96)
    assert (recipe.input_size, recipe.sizes, recipe.batch_size) == (96, "96x10", 16)
    assert "width" not in recipe.to_json()
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_the_papers_recipe_from_weights_lowers_the_rate_and_nothing_else() -> None:
    """S = 384 from S = 256, and [256; 512] from S = 384: Section 3.1."""
    changes = {"init": "S256.safetensors", "short_side": "384"}
    recipe = fine_tuning(PAPER, changes, 224)
    brought = {name: getattr(recipe, name) for name in NETWORK_FIELDS}
    assert recipe == replace(PAPER, learning_rate=1e-3, **changes, **brought)
    jittered = fine_tuning(PAPER, {"init": "S384.safetensors", "short_side": "256-512"}, 224)
    assert (jittered.batch_size, len(jittered.epoch_sizes), jittered.schedule) == (
        256, 74, "plateau"
    )  # fmt: skip
    assert jittered.remainder == "drop"
    small = fine_tuning(PAPER, {"init": "S.safetensors"}, 64)
    assert (small.sizes, small.short_side) == ("64x74", "73")
    assert (
        fine_tuning(PAPER, {"init": "S.safetensors", "learning_rate": 0.1}, 64).learning_rate == 0.1
    )


def test_from_a_shallower_net_the_paper_draws_the_rest_as_printed() -> None:
    changes = {"config": "E", "init_from": "A.safetensors"}
    recipe = pre_training(PAPER, changes)
    expected = replace(PAPER, initialization="paper", normalization="mean-std", **changes)
    assert recipe == expected
    assert "normalization" not in recipe.to_json()
    assert Recipe.from_json(recipe.to_json()) == recipe
    given = pre_training(PAPER, changes | {"initialization": "glorot"})
    assert given.initialization == "glorot"
    assert pre_training(MODERN, changes).initialization == MODERN.initialization
    with pytest.raises(ValueError, match=r"normalization mean has no effect on what the weights"):
        pre_training(PAPER, changes | {"normalization": "mean"})
    with pytest.raises(ValueError, match=r"init 'a' brings a whole net and init-from 'b' some"):
        Recipe(init="a", init_from="b")


@pytest.mark.parametrize(
    "change",
    [
        {"config": "D"},
        {"width": 1.0},
        {"head": "fc"},
        {"batch_norm": False},
        {"initialization": "glorot"},
        {"normalization": "mean"},
    ],
)
def test_fine_tuning_refuses_what_the_weights_bring(change: dict[str, object]) -> None:
    ((name, value),) = change.items()
    text = rf"{name.replace('_', '-')} {value} has no effect .* weights 'a\.safetensors' bring"
    with pytest.raises(ValueError, match=text):
        fine_tuning(MODERN, {"init": "a.safetensors", **change}, 64)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"flip": "no"}, "flip 'no' must be True or False"),
        ({"learning_rate": "0.1"}, "learning_rate '0.1' must be a number"),
        ({"learning_rate": np.float64(0.1)}, "learning_rate .* must be a number"),
        ({"batch_size": 8.0}, r"batch_size 8\.0 must be a whole number"),
        ({"holdout": True}, "holdout True must be a whole number"),
        ({"sizes": 32}, "sizes 32 must be a text"),
        ({"short_side": 256}, "short_side 256 must be a text"),
    ],
)
def test_a_value_of_another_type_is_refused(change: dict[str, Any], text: str) -> None:
    """Else "no" would mirror pictures, and NumPy's numbers make a checkpoint that none can read."""
    with pytest.raises(ValueError, match=text):
        replace(MODERN, **change)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"learning_rate": -1.0}, "learning_rate -1.0 must be from"),
        ({"head": "wide"}, "head 'wide' must be one of fc, average"),
        ({"sizes": "32"}, "sizes '32' must be like 32x6,48x4"),
        ({"sizes": "0x3"}, "sizes '0x3' must be like"),
        ({"short_side": "512-256"}, "short side '512-256' must be like"),
        ({"test_sizes": "64;72", "holdout": 5}, "test sizes '64;72' must be like"),
        ({"batch_size": 10, "accumulate": 3}, "batch size 10 cannot be computed in 3 equal parts"),
        ({"schedule": "plateau"}, "schedule 'plateau' watches held-back pictures"),
        ({"warmup_epochs": 1.0}, "warmup_epochs 1.0 has no effect with schedule 'one-cycle'"),
        (
            {"warmup_epochs": 18.0, "schedule": "cosine"},
            "warmup_epochs 18.0 must be less than the 18 epochs",
        ),
        ({"milestones": "3"}, "milestones '3' has no effect with schedule 'one-cycle': give sch"),
        (
            {"warmup": 0.5, "schedule": "cosine"},
            "warmup 0.5 has no effect with schedule 'cosine': give warmup_epochs, or leave it out",
        ),
        ({"patience": 5}, "patience 5 has no effect with schedule 'one-cycle': give schedule pl"),
        ({"milestones": "3;4", "schedule": "step"}, "milestones '3;4' must be epochs such as"),
        ({"milestones": "4,3", "schedule": "step"}, "milestones '4,3' must rise and be less than"),
        ({"milestones": "3,18", "schedule": "step"}, "'3,18' must rise and be .* the 18 epochs"),
        ({"test_sizes": "64"}, "test sizes are chosen on held-back pictures"),
        ({"crop": "short-side", "short_side": "60-70"}, "short side of 60 is less than the input"),
        ({"init": "a.safetensors"}, "width 0.5 has no effect on what the weights"),
        ({"dtype": "fp8"}, "dtype 'fp8' must be one of fp32, bf16, fp16"),
        ({"erasing": 1.5}, "erasing 1.5 must be from 0 to 1"),
        ({"mixup": -0.2}, "mixup -0.2 must be from 0 to 100"),
        ({"cutmix": 101.0}, "cutmix 101.0 must be from 0 to 100"),
        ({"mixup": 0.2, "mix_share": 1.1}, "mix_share 1.1 must be from 0 to 1"),
        ({"mix_share": 0.5}, r"mix_share 0.5 has no effect: give a mixup or a cutmix above 0"),
        ({"distillation": 0.9}, "distillation 0.9 has no effect without a teacher"),
        ({"temperature": 4.0}, "temperature 4.0 has no effect without a teacher"),
        ({"teacher": "a", "temperature": 0.0}, r"temperature 0.0 must be from 0.1 to 100"),
        ({"teacher": "a", "distillation": 1.5}, "distillation 1.5 must be from 0 to 1"),
        ({"teacher": "a,,b"}, "teacher 'a,,b' must be like"),
        ({"sync_batch_norm": True, "batch_norm": False}, "sync_batch_norm has no effect without"),
        ({"momentum": float("nan")}, "momentum nan must be from"),
    ],
)
def test_errors_name_the_field_and_the_value(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(MODERN, **changes)
