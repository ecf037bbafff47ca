"""How far an accuracy is to be trusted: intervals by the bootstrap.

In: for each picture whether it was hit. Out: the interval that holds the accuracy of 95% of samples
as large, drawn with replacement from these pictures (Efron 1979, the percentile interval). It says
how much the choice of pictures matters, not that of training runs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
SAMPLES = 10_000
COVERAGE = 0.95


def accuracy_interval(hits_N: NDArray[np.bool_], seed: int = 0) -> Interval:
    """Of the mean of `hits_N`. The number of hits in a sample is binomial, so it is drawn as such.

    Where all were hit, or none, samples do not vary and the interval is that one value. Raises
    ValueError for no pictures.
    """
    number = _checked(len(hits_N))
    means = np.random.default_rng(seed).binomial(number, float(hits_N.mean()), SAMPLES) / number
    return _percentiles(means)


def gain_interval(
    hits_N: NDArray[np.bool_], base_N: NDArray[np.bool_], seed: int = 0
) -> tuple[float, Interval]:
    """By how much the first accuracy is above the second, on the same pictures, and its interval.

    Pictures are drawn with both of their answers, so that what is hard for both does not count.
    """
    number = _checked(len(hits_N))
    if len(base_N) != number:
        raise ValueError(f"{number} and {len(base_N)} pictures are not the same ones")
    won, lost = float((hits_N & ~base_N).mean()), float((base_N & ~hits_N).mean())
    drawn = np.random.default_rng(seed).multinomial(number, (won, lost, 1 - won - lost), SAMPLES)
    return won - lost, _percentiles((drawn[:, 0] - drawn[:, 1]) / number)


def _checked(number: int) -> int:
    if not number:
        raise ValueError("there are no pictures to take an interval over")
    return number


def _percentiles(values: NDArray[np.float64]) -> Interval:
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)
