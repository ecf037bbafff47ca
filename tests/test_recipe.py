"""vggnet.training.recipe: ranges, choices, what the texts of fields stand for."""

from dataclasses import replace

import pytest

from vggnet.training.recipe import MODERN, PAPER, Recipe, vary


def test_the_papers_recipe_holds_the_figures_of_section_3_1() -> None:
    assert (PAPER.batch_size, PAPER.momentum, PAPER.weight_decay) == (256, 0.9, 5e-4)
    assert (PAPER.learning_rate, PAPER.dropout, PAPER.schedule) == (0.01, 0.5, "plateau")
    assert len(PAPER.epoch_sizes) == 74
    assert PAPER.short_side_range == (256, 256)
    assert PAPER.label_smoothing == 0
    assert not PAPER.nesterov


def test_sizes_are_one_a_epoch() -> None:
    assert replace(MODERN, sizes="32x2,48x1, 64x3").epoch_sizes == (32, 32, 48, 64, 64, 64)


def test_spec_is_the_scaled_configuration() -> None:
    spec = replace(MODERN, config="vgg11", width=0.25).spec(7)
    assert spec.num_classes == 7
    assert spec.batch_norm
    assert spec.state_shapes["conv1_1.weight"] == (16, 3, 3, 3)


def test_round_trip_and_unknown_fields() -> None:
    assert Recipe.from_json(MODERN.to_json()) == MODERN
    with pytest.raises(ValueError, match="colour"):
        Recipe.from_json(MODERN.to_json() | {"colour": 1})


def test_vary_keeps_what_is_not_given() -> None:
    assert vary(MODERN, {"width": 0.25, "seed": None}) == replace(MODERN, width=0.25)


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
        ({"test_sizes": "64"}, "test sizes are chosen on held-back pictures"),
        ({"momentum": float("nan")}, "momentum nan must be from"),
    ],
)
def test_errors_name_the_field_and_the_value(changes: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(MODERN, **changes)
