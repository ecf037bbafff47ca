"""A claim of the paper as data: the nets that are compared, and with which.

In: what a claim's script writes down. Out: arms, each of which becomes one training run a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Arm:
    """One of the things compared: changes of the scale's recipe, and a name for tables.

    The rate of a `tuned` arm is chosen on pictures that are kept for choosing, by trials of
    `rate_epochs`, by default the scale's; the others bring theirs. With a `protocol` the nets are
    tested by it, not by the centre crop. `weights_of` has the fields of the recipe that name
    weights, by the arm whose run of the same seed gives them. One that is `only_tried` shows its
    trials and has no runs.
    """

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    tuned: bool = True
    rate_epochs: int | None = None
    protocol: str = ""
    weights_of: Mapping[str, Arm] = field(default_factory=dict)
    only_tried: bool = False


@dataclass(frozen=True)
class Series:
    """Arms on one line of a figure, by what stands below them: texts, or numbers for a scale."""

    name: str
    arms: Mapping[Any, str]


@dataclass(frozen=True)
class Claim:
    """`differences` are pairs of arms whose accuracies are subtracted seed by seed.

    `measures` are shown beside the accuracy, and where it is `timed` what a picture takes. Without
    `series` the figure is a row an arm. `range_tests` are arms that `find-lr` is asked about.
    """

    name: str
    arms: tuple[Arm, ...]
    differences: tuple[tuple[str, str], ...]
    seeds: int = 3
    measures: tuple[str, ...] = ()
    timed: bool = False
    series: tuple[Series, ...] = ()
    range_tests: tuple[Arm, ...] = ()

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        unknown = {name for pair in self.differences for name in pair} - set(names)
        if len(set(names)) < len(names) or unknown:
            raise ValueError(f"claim {self.name}: arms {names}, differences of {sorted(unknown)}")

    @property
    def run_arms(self) -> tuple[Arm, ...]:
        """The arms that have runs."""
        return tuple(arm for arm in self.arms if not arm.only_tried)

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)
