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
    number = len(hits_N)
    if not number:
        raise ValueError("there are no pictures to take an interval over")
    means = np.random.default_rng(seed).binomial(number, float(hits_N.mean()), SAMPLES) / number
    return percentile_interval(means)


def percentile_interval(values: NDArray[np.float64]) -> Interval:
    """That between which 95% of the values of samples lie."""
    tail = 100 * (1 - COVERAGE) / 2
    low, high = np.percentile(values, (tail, 100 - tail))
    return float(low), float(high)
