"""The paper's ways of testing, each a frozen value: which views of a picture, and how they average.

In: a name ("single", "multi-scale", "dense", "multicrop", "both", or "centre"), the training scale
S. Out: a Protocol. Source: Section 3.2 of the paper; Tables 3 to 5 for the test scales Q.

    centre       the square in the middle, at one scale: what most people report
    single       Table 3: the net over the whole picture, at one scale
    multi-scale  Table 4: the same at three scales
    dense        Table 5's name for multi-scale
    multicrop    a 5 x 5 grid of crops at each of three scales
    both         the mean of dense and multicrop

All but `centre` test the mirror image too. Posteriors (soft-max outputs) are averaged: over mirror
images, crops, scales, nets. What is averaged over the positions of a dense map the paper leaves
open: "class score map" may mean either. By default it is the logits, and the soft-max follows,
which is the order of the paper's sentences, and what a net with a global average does by itself;
"softmax" averages the posteriors of the positions.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from reprlib import repr as short_repr
from typing import Any, Literal, get_args

from vggnet.weights.weights import Weights

Crops = Literal["centre", "dense", "multicrop", "both"]
ScoreAverage = Literal["logits", "softmax"]
GRID = 5  # crops along each side
LARGEST_SCALE = 10_000
_STEP_AT_224 = 32  # between the scales of Table 4

# name -> the crops, and whether at one scale or at three
NAMES: dict[str, tuple[Crops, Literal[1, 3]]] = {
    "centre": ("centre", 1),
    "single": ("dense", 1),
    "multi-scale": ("dense", 3),
    "dense": ("dense", 3),
    "multicrop": ("multicrop", 3),
    "both": ("both", 3),
}


@dataclass(frozen=True)
class Protocol:
    """Which views of a picture are scored, and how their scores become the picture's.

    `scales` are the test scales Q, the length in pixels of the short side; `flip` adds the mirror
    image of each view; `score_average` is for the positions of dense maps alone. Raises ValueError
    for scales that are none.
    """

    name: str
    crops: Crops
    scales: tuple[int, ...]
    flip: bool = True
    score_average: ScoreAverage = "logits"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        for field, known in (
            ("crops", get_args(Crops)),
            ("score_average", get_args(ScoreAverage)),
        ):
            if getattr(self, field) not in known:
                raise ValueError(
                    f"{field} {getattr(self, field)!r} must be one of {', '.join(known)}"
                )
        whole = all(type(each) is int and 1 <= each <= LARGEST_SCALE for each in self.scales)
        if not self.scales or not whole or len(set(self.scales)) < len(self.scales):
            raise ValueError(
                f"scales {short_repr(self.scales)}: give different whole numbers of pixels from 1 "
                f"to {LARGEST_SCALE:,}"
            )

    @property
    def is_dense(self) -> bool:
        return self.crops in ("dense", "both")

    @property
    def is_multicrop(self) -> bool:
        return self.crops in ("multicrop", "both")

    @property
    def num_views(self) -> int:
        """How many images of a picture the net is given."""
        crops = GRID**2 * self.is_multicrop + self.is_dense + (self.crops == "centre")
        return crops * len(self.scales) * (1 + self.flip)

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"scales": list(self.scales)}

    def __str__(self) -> str:
        parts = [self.name, f"Q {', '.join(map(str, self.scales))}"]
        parts += ["mirrored too"] if self.flip else ["not mirrored"]
        if self.is_dense:
            parts.append(f"the {self.score_average} of positions averaged")
        return "; ".join(parts)


@dataclass(frozen=True)
class TrainingScale:
    """S: the short side, in pixels, of the pictures that the net was trained on crops of.

    `low` and `high` are equal unless it was jittered; `source` says where that is known from.
    """

    low: int
    high: int
    source: str

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high <= LARGEST_SCALE:
            raise ValueError(
                f"training scale {self.low}-{self.high} must be pixels, the lower one first, from "
                f"1 to {LARGEST_SCALE:,}"
            )

    def test_scales(self, number: Literal[1, 3], step: int = _STEP_AT_224) -> tuple[int, ...]:
        """Q of Table 3 (`number` 1) or Table 4 (3), which is `step` above and below a fixed S."""
        middle = (self.low + self.high) // 2
        if number == 1:
            return (middle,)
        if self.low < self.high:
            return tuple(sorted({self.low, middle, self.high}))
        return tuple(each for each in (middle - step, middle, middle + step) if each > 0)

    def __str__(self) -> str:
        both = str(self.low) if self.low == self.high else f"[{self.low}; {self.high}]"
        return f"S {both}, from {self.source}"


def parse_training_scale(text: str, source: str) -> TrainingScale:
    """ "256" or "256-512". Raises ValueError for another text."""
    match = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", text.strip())
    if not match:
        raise ValueError(f"training scale {short_repr(text)}: give pixels such as 256, or 256-512")
    return TrainingScale(int(match[1]), int(match[2] or match[1]), source)


def training_scale(weights: Weights) -> TrainingScale:
    """S as the weights state it: their recipe's, else the short side that they are tested at.

    A recipe that crops areas of any size has no S. Raises ValueError for a recipe that is no such.
    """
    recipe = weights.training.get("recipe")
    if isinstance(recipe, dict) and recipe.get("crop") == "short-side":
        return parse_training_scale(str(recipe.get("short_side")), "the recipe in the weight file")
    if weights.preprocessing.resize is not None:
        resize = weights.preprocessing.resize
        return TrainingScale(resize, resize, "the resize of the weight file, which states no S")
    size = weights.spec.input_size
    return TrainingScale(size, size, "the input size of the weight file, which states no S")


def scale_step(input_size: int) -> int:
    """What lies between the scales of Table 4: 32 pixels for nets that take 224, in proportion."""
    return max(1, round(_STEP_AT_224 * input_size / 224))


def protocol_for(
    name: str,
    weights: Weights,
    *,
    scales: tuple[int, ...] | None = None,
    scale: TrainingScale | None = None,
    flip: bool | None = None,
    score_average: ScoreAverage | None = None,
) -> Protocol:
    """The protocol of that name for these weights.

    `scales` are Q; without them they follow from `scale`, by default `training_scale(weights)`.
    Raises ValueError for a name that is none, scales that the net's crops do not fit, and a
    `score_average` where there is no map of scores.
    """
    if name not in NAMES:
        raise ValueError(f"protocol {name!r} must be one of {', '.join(NAMES)}")
    crops, number = NAMES[name]
    if crops in ("centre", "multicrop") and score_average is not None:
        raise ValueError(
            f"score average {score_average!r} is for the positions of dense maps, which protocol "
            f"{name} has none of"
        )
    if scales is None and crops == "centre" and scale is None:
        scales = (weights.preprocessing.resize or weights.spec.input_size,)
    elif scales is None:
        scale = scale or training_scale(weights)
        scales = scale.test_scales(number, scale_step(weights.spec.input_size))
    return Protocol(
        name,
        crops,
        scales,
        crops != "centre" if flip is None else flip,
        score_average or "logits",
    )
