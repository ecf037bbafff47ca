"""Two recipes to start from, and what changes them.

`MODERN` is for small machines, `PAPER` Sections 2.1 and 3.1 of the paper; `vary` changes either,
`fine_tuning` starts from weights, `pre_training` from some layers of a shallower net.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from vggnet.training.recipe import NETWORK_FIELDS, Recipe, brought_by

# Batch norm, Nesterov momentum, one cycle of the rate, label smoothing, an average of the weights:
# a good net in hours on two cores.
MODERN = Recipe(
    width=0.5,
    input_size=64,
    head="average",
    batch_norm=True,
    sizes="32x8,48x6,64x4",
    short_side="73",
    batch_size=128,
    weight_average=0.999,
)
# Sections 2.1 and 3.1 with the initialisation that the authors found to need no pre-training.
PAPER = Recipe(
    initialization="glorot",
    normalization="mean",
    crop="short-side",
    rgb_shift=0.1,
    schedule="plateau",
    learning_rate=0.01,
    nesterov=False,
    decay_all=True,
    label_smoothing=0.0,
    holdout=10_000,
    precision="fp32",
)
RECIPES = {"modern": MODERN, "paper": PAPER}
# The fields of PAPER in which the runs of a ladder differ, which their nets bring, or which then
# mean nothing: it crops by the short side, in one process.
SET_BY_LADDER = (
    "config", "init", "init_from", "short_side", "crop", "min_area", "head", "normalization",
    "sync_batch_norm",
)  # fmt: skip


def vary(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """`recipe` with the fields of `changes`.

    The sizes of the epochs and the short side move in proportion with a changed `input_size`, and
    `input_size` becomes the last of changed `sizes`, unless they are given too. Sizes that are not
    given, and are too small for the net, are left out. `epochs`, which is no field, are as many
    as before where they are not given, and spread over the sizes in proportion.
    """
    changes = dict(changes)
    epochs = changes.pop("epochs", None)
    if epochs is not None and "sizes" in changes:
        raise ValueError(f"give epochs {epochs} or sizes {changes['sizes']}, not both")
    if "sizes" in changes and "input_size" not in changes:
        changes["input_size"] = replace(recipe, sizes=changes["sizes"]).epoch_sizes[-1]
    factor = changes.get("input_size", recipe.input_size) / recipe.input_size

    def moved(pattern: str, text: str) -> str:
        return re.sub(pattern, lambda side: str(max(1, round(int(side[0]) * factor))), text)

    changes = {"short_side": moved(r"\d+", recipe.short_side)} | changes
    if "sizes" not in changes:
        sizes = moved(r"\d+(?=x)", recipe.sizes)
        of_net = {*NETWORK_FIELDS, "input_size", "short_side"} & changes.keys()
        taken = _large_enough(sizes, replace(recipe, **{name: changes[name] for name in of_net}))
        changes["sizes"] = _spread(taken, epochs or len(recipe.epoch_sizes))
    return replace(recipe, **changes)


def _large_enough(sizes: str, recipe: Recipe) -> str:
    """The sizes that the recipe's net can take; of several the last, which the net is for, too."""
    *smaller, last = sizes.split(",")
    if not smaller:
        return sizes
    least = recipe.spec(2).minimum_size
    return ",".join([part for part in smaller if int(part.split("x")[0]) >= least] + [last])


def _spread(sizes: str, epochs: int) -> str:
    """The sizes with `epochs` epochs in all: "32x8,48x6,64x4" and 9 gives "32x4,48x3,64x2"."""
    pairs = [tuple(map(int, part.split("x"))) for part in sizes.split(",")]
    total, done, spread = sum(count for _, count in pairs), 0, []
    for index, (side, _) in enumerate(pairs):
        # Rounded down, so that a single epoch is one of the last size, which the net is for.
        upto = epochs * sum(count for _, count in pairs[: index + 1]) // total
        if upto > done:
            spread.append(f"{side}x{upto - done}")
        done = upto
    return ",".join(spread)


def fine_tuning(recipe: Recipe, changes: Mapping[str, Any], input_size: int) -> Recipe:
    """`recipe` for a run from the weights that `changes` names as `init`, of that input size.

    With what is usual from good weights and few pictures: a low rate, few epochs, small batches.
    The paper's recipe keeps all but the rate, which Section 3.1 lowers to 1e-3 where S = 384 starts
    from S = 256. Raises ValueError for changes of a network that the weights bring.
    """
    _refuse_what_comes_with(changes["init"], NETWORK_FIELDS, changes)
    usual: dict[str, Any] = {"input_size": input_size, "learning_rate": 1e-3}
    if recipe != PAPER:
        usual |= {
            "sizes": f"{input_size}x10",
            "batch_size": 32,
            "remainder": "spread",  # of few pictures, each counts
            "learning_rate": 0.01,
        }
    return vary(vary(recipe, _defaults(NETWORK_FIELDS) | usual), changes)


def pre_training(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """`recipe` for a net that starts from layers of the one that `changes` names as `init_from`.

    With the paper's recipe its other layers are drawn as printed in Section 3.1. Raises ValueError
    for a normalisation, which the weights bring.
    """
    brought = ("normalization",)
    _refuse_what_comes_with(changes["init_from"], brought, changes)
    drawn = {"initialization": "paper"} if recipe == PAPER else {}
    return vary(recipe, _defaults(brought) | drawn | dict(changes))


def _refuse_what_comes_with(
    weights: str, brought: tuple[str, ...], changes: Mapping[str, Any]
) -> None:
    for name in brought:
        if name in changes:
            raise ValueError(brought_by(weights, name, changes[name]))


def _defaults(names: tuple[str, ...]) -> dict[str, Any]:
    return {entry.name: entry.default for entry in fields(Recipe) if entry.name in names}
