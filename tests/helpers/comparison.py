"""How far two arrays are from each other: the one measure of every parity test."""

import math

import numpy as np
from numpy.typing import ArrayLike


def relative_error(found: ArrayLike, expected: ArrayLike) -> float:
    """||found - expected||_2 / ||expected||_2, in float64; infinite where a NaN is involved.

    Raises ValueError where the shapes differ, for broadcasting would hide it.
    """
    a, b = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    if a.shape != b.shape:
        raise ValueError(f"shapes {a.shape} and {b.shape} differ")
    difference, size = float(np.linalg.norm(a - b)), float(np.linalg.norm(b))
    if math.isnan(difference):
        return math.inf
    if size == 0:
        return 0.0 if difference == 0 else math.inf
    return difference / size
