"""Numbers over space as a page takes them: one byte each, with the range that the bytes span.

In: an array. Out: plain values for JSON. Suffixes: H rows, W columns.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.drawing.scales import span


def matrix(values_HW: NDArray[np.floating], signed: bool | None = None) -> dict[str, Any]:
    """Byte 0 is `low` and 255 `high`, which are as far from 0 on both sides of signed maps.

    `signed` is by default whether there is a value below 0.
    """
    values_HW = np.nan_to_num(np.asarray(values_HW, np.float32))
    if signed is None:
        signed = bool((values_HW < 0).any())
    low, high = span(values_HW, "signed" if signed else "viridis")
    share = (values_HW - low) / (high - low) if high > low else np.zeros_like(values_HW)
    height, width = values_HW.shape
    return {
        "height": height,
        "width": width,
        "low": low,
        "high": high,
        "data": b64encode(np.rint(255 * share).astype(np.uint8).tobytes()).decode("ascii"),
    }
