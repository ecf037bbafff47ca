"""vggnet.evaluation.protocols: which scales and views each of the paper's names stands for."""

from dataclasses import replace

import pytest
from small_nets import AVERAGE, FULLY_CONNECTED, random_state

from vggnet.configurations import configuration
from vggnet.evaluation.protocols import (
    NAMES,
    Protocol,
    TrainingScale,
    parse_training_scale,
    protocol_for,
    scale_step,
    training_scale,
)
from vggnet.preprocess import Preprocess
from vggnet.weights import Weights

FIXED, JITTERED = TrainingScale(256, 256, "a test"), TrainingScale(256, 512, "a test")


def weights(recipe: dict | None = None, resize: int | None = 20) -> Weights:
    training = {} if recipe is None else {"recipe": recipe}
    preprocessing = replace(Preprocess.paper(resize=None, crop=16), resize=resize)
    return Weights(FULLY_CONNECTED, random_state(FULLY_CONNECTED), preprocessing, (), training)


@pytest.mark.parametrize(
    ("scale", "one", "three"),
    [
        (FIXED, (256,), (224, 256, 288)),  # Tables 3 and 4
        (TrainingScale(384, 384, ""), (384,), (352, 384, 416)),
        (JITTERED, (384,), (256, 384, 512)),
    ],
)
def test_test_scales_are_those_of_the_papers_tables(
    scale: TrainingScale, one: tuple[int, ...], three: tuple[int, ...]
) -> None:
    assert scale.test_scales(1) == one
    assert scale.test_scales(3) == three


def test_the_step_is_in_proportion_to_the_input() -> None:
    assert scale_step(configuration("D").input_size) == 32
    assert (scale_step(64), scale_step(3)) == (9, 1)
    assert TrainingScale(8, 8, "").test_scales(3, 9) == (8, 17)  # none of no pixels


def test_the_training_scale_is_the_recipes_else_the_resize() -> None:
    fixed = weights({"crop": "short-side", "short_side": "256"})
    assert (training_scale(fixed).low, training_scale(fixed).high) == (256, 256)
    assert "recipe" in training_scale(fixed).source
    jittered = training_scale(weights({"crop": "short-side", "short_side": "256-512"}))
    assert (jittered.low, jittered.high) == (256, 512)
    assert str(jittered) == "S [256; 512], from the recipe in the weight file"
    areas = training_scale(weights({"crop": "area", "short_side": "256"}))
    assert (areas.low, areas.high) == (20, 20)
    assert "resize" in areas.source
    assert str(training_scale(weights(resize=None))).startswith("S 16, from the input size")


def test_names_stand_for_the_papers_rows() -> None:
    found = {name: protocol_for(name, weights(), scale=JITTERED) for name in NAMES}
    assert {name: (each.crops, each.scales, each.flip) for name, each in found.items()} == {
        "centre": ("centre", (384,), False),
        "single": ("dense", (384,), True),
        "multi-scale": ("dense", (256, 384, 512), True),
        "dense": ("dense", (256, 384, 512), True),
        "multicrop": ("multicrop", (256, 384, 512), True),
        "both": ("both", (256, 384, 512), True),
    }
    views = {name: each.num_views for name, each in found.items()}
    assert views == {
        "centre": 1, "single": 2, "multi-scale": 6, "dense": 6, "multicrop": 150, "both": 156
    }  # fmt: skip


def test_what_is_given_counts() -> None:
    found = protocol_for(
        "dense", weights(), scales=(40, 30), flip=False, score_average="softmax", scale=FIXED
    )
    assert found == Protocol("dense", "dense", (40, 30), False, "softmax")
    assert str(found) == "dense; Q 40, 30; not mirrored; the softmax of positions averaged"
    assert protocol_for("centre", weights()).scales == (20,)
    assert protocol_for("single", weights()).scales == (20,)
    assert found.to_json()["scales"] == [40, 30]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: protocol_for("ten-crop", weights()), "protocol 'ten-crop' must be one of centre,"),
        (lambda: protocol_for("multicrop", weights(), score_average="softmax"),
         "for the positions of dense maps, which protocol multicrop has none of"),
        (lambda: Protocol("a", "dense", ()), r"scales \(\): give different whole numbers"),
        (lambda: Protocol("a", "dense", (20, 20)), "give different whole numbers"),
        (lambda: Protocol("a", "dense", (20_000,)), "from 1 to 10,000"),
        (lambda: Protocol("a", "grid", (20,)), "crops 'grid' must be one of centre, dense"),  # type: ignore[arg-type]
        (lambda: Protocol("a", "dense", (20,), True, "mean"), "score_average 'mean' must be"),  # type: ignore[arg-type]
        (lambda: parse_training_scale("big", "x"), "training scale 'big': give pixels such as 256"),
        (lambda: parse_training_scale("512-256", "x"), "512-256 must be pixels, the lower one fir"),
    ],
)  # fmt: skip
def test_mistakes_are_told(call, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=says):
        call()


def test_a_net_with_a_global_average_has_the_same_names() -> None:
    found = Weights(AVERAGE, random_state(AVERAGE), Preprocess.paper(resize=20, crop=20))
    assert protocol_for("multi-scale", found).scales == (18, 20, 22)
