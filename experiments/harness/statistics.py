"""Means of a few seeds, and how far to trust them.

In: accuracies by seed. Out: a mean with its 95% interval by Student's t. Two nets of one seed see
the same pictures in the same order, so that their difference, seed by seed, varies less than they.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The 97.5% quantile of Student's t by degrees of freedom.
_T = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


@dataclass(frozen=True)
class Estimate:
    """`half_width` of the 95% interval is None where a single seed gives none."""

    mean: float
    half_width: float | None
    seeds: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.half_width is not None and abs(self.mean) > self.half_width

    def text(self, form: str) -> str:
        """ "41.2 ± 0.8" by the form of its mean, such as {:.1f}; the mean alone of one seed."""
        mean = form.format(self.mean)
        if self.half_width is None:
            return mean
        return f"{mean} ± {form.replace('+', '').format(self.half_width)}"


def estimate(values: Iterable[float]) -> Estimate:
    """The mean of what seeds gave. Raises ValueError for none, and for more than 10."""
    found = list(values)
    if not 1 <= len(found) <= len(_T) + 1:
        raise ValueError(f"{len(found)} values: there must be 1 to {len(_T) + 1}")
    deviation = standard_deviation(found)
    width = None if len(found) == 1 else interval(deviation, len(found))
    return Estimate(sum(found) / len(found), width, len(found))


def difference(one: Mapping[int, float], other: Mapping[int, float]) -> Estimate | None:
    """`one` minus `other` over the seeds that both have; None where they share none."""
    shared = sorted(one.keys() & other.keys())
    return estimate(one[seed] - other[seed] for seed in shared) if shared else None


def standard_deviation(values: list[float]) -> float:
    """Of a sample: over n - 1; 0 of a single value."""
    mean = sum(values) / len(values)
    return math.sqrt(sum((each - mean) ** 2 for each in values) / max(1, len(values) - 1))


def interval(deviation: float, seeds: int) -> float:
    """Half the 95% interval of a mean, which is the least difference that so many seeds show."""
    return _T[seeds - 1] * deviation / math.sqrt(seeds)


def pooled(samples: Iterable[list[float]]) -> float | None:
    """One standard deviation from several samples with means of their own; None of single ones."""
    squares, freedom = 0.0, 0
    for values in samples:
        squares += standard_deviation(values) ** 2 * (len(values) - 1)
        freedom += len(values) - 1
    return math.sqrt(squares / freedom) if freedom else None
