"""What colour a number has: one scale from low to high, and one for signed numbers.

In: an array and the range that the scale spans. Out: its colours, uint8 RGB. Suffixes: H rows, W
columns.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

ScaleName = Literal["viridis", "signed"]
# viridis (van der Walt and Smith 2015, in the public domain) at seventeen even steps: its lightness
# rises evenly, also for readers who see no colours.
_VIRIDIS = (
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c "
    "1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725"
)
# From the blue of convolutions by near-white at 0 to Okabe and Ito's vermilion.
_SIGNED = "004c78 0072b2 7fb4d6 f2f2f2 eaa577 d55e00 8f3f00"
_STEPS = {"viridis": _VIRIDIS, "signed": _SIGNED}


def colours(
    values_HW: NDArray[np.floating], low: float, high: float, scale: ScaleName = "viridis"
) -> NDArray[np.uint8]:
    """RGB in (H, W, 3) of values from `low` to `high`; those outside have the colours of the ends.

    Where `low` is `high` all have the colour of the lower end.
    """
    steps_K3 = _steps(scale)
    span = high - low
    share = (values_HW - low) / span if span > 0 else np.zeros_like(values_HW)
    at = np.clip(share, 0, 1) * (len(steps_K3) - 1)
    known = np.arange(len(steps_K3))
    channels = [np.interp(at, known, steps_K3[:, channel]) for channel in range(3)]
    rgb_HW3: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return rgb_HW3


def span(values: NDArray[np.floating], scale: ScaleName = "viridis") -> tuple[float, float]:
    """What the scale spans for these values: 0 to the largest, or as far below 0 as above it."""
    if scale == "signed":
        largest = float(np.abs(values).max())
        return -largest, largest
    return min(0.0, float(values.min())), max(0.0, float(values.max()))


def _steps(scale: ScaleName) -> NDArray[np.float64]:
    """(K, 3): the colours of even steps, 0 to 255."""
    return np.array([list(bytes.fromhex(step)) for step in _STEPS[scale].split()], np.float64)
