"""How large the nets and the data are.

In: a name. Out: a Scale. `small` takes about 5 minutes a run on two cores, `full` is for GPUs,
`quick` for the tests, where nothing can be learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vggnet.training.recipe import Recipe
from vggnet.training.recipes import MODERN, vary

ORIGINAL_SIDE = 64  # of Tiny-ImageNet's pictures


@dataclass(frozen=True)
class Scale:
    """Of each class the first `choosing` training pictures are for choosing the rate, the next
    `kept_apart` for testing beside the validation pictures, and the others are trained on.

    A tuned arm is trained for `rate_epochs` with each of `rates` and seed 0. `classes` are spread
    evenly over those of the data; None takes all of them. `range_seeds` nets are a range test.
    """

    name: str
    recipe: Recipe
    rates: tuple[float, ...]
    rate_epochs: int
    classes: int | None
    choosing: int
    kept_apart: int
    range_seeds: int = 3


# The paper's crop, which is also the cheapest: S is to the input as 256 is to 224. Products in true
# fp32 on any machine, so that a GPU's runs can stand beside a processor's.
_RECIPE = vary(
    MODERN,
    {
        "width": 0.25,
        "input_size": 32,
        "sizes": "32x16",
        "crop": "short-side",
        "short_side": "37",
        "batch_size": 256,
        "weight_average": 0.0,
        "precision": "fp32",
    },
)

SCALES = {
    "small": Scale("small", _RECIPE, (0.02, 0.06, 0.2, 0.6), 4, 50, choosing=50, kept_apart=50),
    "full": Scale(
        "full",
        vary(_RECIPE, {"width": 1.0, "input_size": 64, "sizes": "64x90", "short_side": "73"}),
        (0.01, 0.02, 0.05, 0.1, 0.2),
        20,
        None,
        choosing=25,
        kept_apart=25,
    ),
    "quick": Scale(
        "quick",
        vary(_RECIPE, {"width": 0.02, "sizes": "32x1", "batch_size": 8}),
        (0.05,),
        1,
        3,
        choosing=2,
        kept_apart=2,
        range_seeds=1,
    ),
}


def recipe(scale: Scale, changes: Mapping[str, Any], rate: float, seed: int) -> Recipe:
    """The scale's recipe with an arm's changes; whatever the arm, a seed gives the same order."""
    return vary(scale.recipe, {"learning_rate": rate, **changes, "seed": seed})
