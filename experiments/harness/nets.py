"""Nets of the paper and their variants, in Table 1's tokens.

In: a configuration's name. Out: a text for the recipe's `config`. Source: Section 2.3 of the paper
for one large kernel in the place of a stack of 3x3 ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.training.recipe import Recipe

# Kernels of 11x11 and 5x5 as in Krizhevsky's net, with a stride that leaves a small picture a map.
ALEXNET_LIKE = (
    "conv11-96/2 / maxpool / conv5-256 / maxpool / conv3-384 conv3-384 conv3-256 / maxpool"
)


def rows(config: str) -> tuple[str, ...]:
    """The rows of a configuration up to its last pool."""
    found = configuration(config).rows
    return found[: len(found) - next(i for i, row in enumerate(found[::-1]) if "pool" in row)]


def text(net: Iterable[str], head: str = "") -> str:
    """Rows as a recipe takes them, with a head if there is one."""
    return " / ".join([*net, *filter(None, [head])])


def single_kernels(config: str) -> str:
    """Each stack of n 3x3 convolutions as the one kernel of 2n+1 that sees as much."""
    return text(re.sub(r"conv3-\d+( conv3-\d+)*", _single, row) for row in rows(config))


def _single(stack: re.Match[str]) -> str:
    tokens = stack[0].split()
    return f"conv{2 * len(tokens) + 1}-{tokens[-1].partition('-')[2]}"


def linear_between(config: str) -> str:
    """The same stacks with a ReLU after the last convolution of each only."""
    return text(
        " ".join(f"{token}-linear" for token in row.split()[:-1]) + " " + row.split()[-1]
        if row.count("conv") > 1
        else row
        for row in rows(config)
    )


def with_map_of(side: int, config: str, input_size: int) -> tuple[str, ...]:
    """The rows without as many of the last pools as leave a map of `side` or more."""
    found = list(rows(config))
    while input_size // 2 ** sum("pool" in row for row in found) < side:
        last = max(i for i, row in enumerate(found) if "pool" in row)
        del found[last]
    return tuple(found)


def width_of_equal_cost(recipe: Recipe, config: str, like: str) -> float:
    """The width with which `config` costs as many MACs as `like` does with the recipe's own."""

    def macs(config: str, width: float) -> int:
        return analyze(replace(recipe, config=config, width=width).spec(10)).macs

    wanted, low, high = macs(like, recipe.width), recipe.width / 8, recipe.width * 8
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if macs(config, middle) < wanted else (low, middle)
    nearest = min((low, high), key=lambda width: abs(macs(config, width) - wanted))
    return round(nearest, 6)
