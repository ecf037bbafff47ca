"""Whether a probability means what it says: of the pictures named with 80%, are 80% right?

In: posteriors_NK and the right classes. Out: the expected calibration error, the reliability
diagram's bars, and the temperature that mends it. Source: Guo, Pleiss, Sun and Weinberger 2017
(arXiv 1706.04599). Shapes: N pictures, K classes, B bins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vggnet.engines.reference import softmax

BINS = 15
_TEMPERATURES = (0.05, 20.0)  # between which the best one is looked for
_SMALLEST = float(np.finfo(np.float32).tiny)  # so that no logarithm is infinite


@dataclass(frozen=True)
class Bin:
    """Pictures whose highest probability is above `low` and at most `high`."""

    low: float
    high: float
    pictures: int
    confidence: float  # its mean over them
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """`error` is the expected calibration error: the mean of |confidence - accuracy| over pictures.

    `temperature` divides the logarithms of the probabilities: above 1, the net is too sure of
    itself. `error_mended` is the error with a temperature that was fitted on other pictures than
    it is measured on: each half of them by that of the other half.
    """

    error: float
    bins: tuple[Bin, ...]
    temperature: float
    error_mended: float


def calibration(posteriors_NK: NDArray[np.floating], targets_N: NDArray[np.int64]) -> Calibration:
    """Raises ValueError for fewer than two pictures, which have no halves."""
    if len(targets_N) < 2:
        raise ValueError("calibration needs two pictures or more")
    found = bins(posteriors_NK, targets_N)
    halves = (np.arange(len(targets_N)) % 2 == 0, np.arange(len(targets_N)) % 2 == 1)
    mended = np.empty(posteriors_NK.shape)
    for half, other in (halves, halves[::-1]):
        fitted = temperature(posteriors_NK[other], targets_N[other])
        mended[half] = at_temperature(posteriors_NK[half], fitted)
    return Calibration(
        expected_error(found),
        found,
        temperature(posteriors_NK, targets_N),
        expected_error(bins(mended, targets_N)),
    )


def bins(
    posteriors_NK: NDArray[np.floating], targets_N: NDArray[np.int64], number: int = BINS
) -> tuple[Bin, ...]:
    """Bins of equal width; those without pictures have confidence and accuracy 0."""
    confidence_N = posteriors_NK.max(axis=1).astype(np.float64)
    right_N = posteriors_NK.argmax(axis=1) == targets_N
    place_N = np.clip(np.ceil(confidence_N * number).astype(np.int64) - 1, 0, number - 1)
    count_B = np.bincount(place_N, minlength=number)
    sums = [np.bincount(place_N, each, number) for each in (confidence_N, right_N)]
    confidence_B, accuracy_B = (each / np.maximum(count_B, 1) for each in sums)
    return tuple(
        Bin(i / number, (i + 1) / number, int(count_B[i]), float(confidence_B[i]),
            float(accuracy_B[i]))
        for i in range(number)
    )  # fmt: skip


def expected_error(found: tuple[Bin, ...]) -> float:
    """The mean of |confidence - accuracy| over the pictures of the bins."""
    total = sum(each.pictures for each in found)
    return sum(each.pictures * abs(each.confidence - each.accuracy) for each in found) / total


def at_temperature(posteriors_NK: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """The posteriors with their logarithms divided by `temperature`, and summing to 1 again."""
    return softmax(_logarithms(posteriors_NK) / temperature).astype(np.float64)


def temperature(posteriors_NK: NDArray[np.floating], targets_N: NDArray[np.int64]) -> float:
    """The one with the least negative log-likelihood, from 0.05 to 20.

    The likelihood has a single maximum in 1 / T, so that a golden section finds it.
    """
    logarithms_NK = _logarithms(posteriors_NK)
    rows = np.arange(len(targets_N))

    def loss(log_temperature: float) -> float:
        scaled_NK = logarithms_NK / np.exp(log_temperature)
        most_N1 = scaled_NK.max(axis=1, keepdims=True)
        normaliser_N = most_N1[:, 0] + np.log(np.exp(scaled_NK - most_N1).sum(axis=1))
        return float((normaliser_N - scaled_NK[rows, targets_N]).mean())

    return float(np.exp(golden_section(loss, *np.log(_TEMPERATURES))))


def golden_section(
    function: Callable[[float], float], low: float, high: float, tolerance: float = 1e-4
) -> float:
    """Where between `low` and `high` the function, which has a single minimum, is least.

    Each round leaves 62% of the range, in which one of the two inner points is one of the next
    round's, so that the function is called once (Kiefer 1953).
    """
    ratio = (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low >= tolerance:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def _logarithms(posteriors_NK: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.log(np.maximum(posteriors_NK.astype(np.float64), _SMALLEST))
