"""Dense score maps in bounded memory, however long a picture is.

In: images_NCHW and a Model. Out: maps_NKHW, those of `Model.dense_logits`. A picture whose
activations would be too many is cut along its longer side into strips that overlap, so that every
position of the map is computed in a strip that holds all it sees: the map is the same but for
rounding. Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from vggnet.analysis import BYTES_PER_ELEMENT, analyze
from vggnet.model import Model
from vggnet.spec import Spec
from vggnet.weights.rewrite import fully_convolutional_spec

MOST_BYTES = 256 << 20  # of the activations that are live at a time, where one strip needs no more
_FEWEST_POSITIONS = 4  # of a strip's map: a strip of fewer would be nearly all overlap


@dataclass(frozen=True)
class Strip:
    """Pixels `start` to `stop` along the longer side, and which positions of its map to keep."""

    start: int
    stop: int
    first: int
    last: int


class BoundedMaps:
    """`Model.dense_logits` with at most MOST_BYTES of activations live in any layer.

    A strip cannot be shorter than what one position sees and a few steps more: for the paper's nets
    404 + 3 x 32 pixels, with which a short side above 1,000 pixels takes more than MOST_BYTES, in
    proportion to it. The picture itself, its map and what the engine keeps come on top.
    """

    def __init__(self, model: Model, most_bytes: int = MOST_BYTES) -> None:
        self.model, self.most_bytes = model, most_bytes
        self.spec = fully_convolutional_spec(model.spec)

    def __call__(self, images_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """maps_NKHW; raises what `Model.dense_logits` does."""
        height, width = images_NCHW.shape[2:]
        upright = height > width
        found = strips(self.spec, height, width, self.most_bytes)
        if len(found) == 1:
            return self.model.dense_logits(images_NCHW)
        maps = []
        for strip in found:
            along = slice(strip.start, strip.stop)
            part = images_NCHW[:, :, along] if upright else images_NCHW[..., along]
            map_NKHW = self.model.dense_logits(part)
            keep = slice(strip.first, strip.last)
            maps.append(map_NKHW[:, :, keep] if upright else map_NKHW[..., keep])
        return np.concatenate(maps, axis=2 if upright else 3)

    def fitting(self, height: int, width: int) -> int:
        """How many pictures of this size can be computed at a time; one always can."""
        return max(1, self.most_bytes // live_bytes(self.spec, height, width))


@lru_cache(maxsize=1024)
def live_bytes(spec: Spec, height: int, width: int) -> int:
    """Bytes of a layer's input and output, of the layer where they are most, for one picture."""
    layers = analyze(spec, (height, width)).layers
    return BYTES_PER_ELEMENT * max(layer.live_activations for layer in layers)


@lru_cache(maxsize=1024)
def strips(spec: Spec, height: int, width: int, most_bytes: int) -> list[Strip]:
    """How a picture is cut along its longer side; one strip where it fits, or cannot be cut.

    `spec` is fully convolutional. Cuts lie on multiples of the step between positions, so that the
    pools of a strip fall where those of the whole picture do.
    """
    short, long = sorted((height, width))
    whole = analyze(spec, (height, width)).layers
    last = next(layer for layer in reversed(whole) if layer.type != "softmax")
    step, field = last.jump, last.receptive_field
    positions = max(last.output[1:])
    # Position p sees the pixels from p * step - left up to p * step + right.
    left, right = (round((field - 1) / 2 + sign * last.field_offset) for sign in (-1, 1))
    before, after = max(0, ceil(left / step)), max(0, ceil((right + 1) / step) - 1)
    per_step = live_bytes(spec, short, max(short, field)) * step // max(short, field)
    kept = max(_FEWEST_POSITIONS, most_bytes // per_step - before - after)
    if live_bytes(spec, height, width) <= most_bytes or kept + before + after >= long // step:
        return [Strip(0, long, 0, positions)]
    found = []
    for first in range(0, positions, kept):
        end = min(first + kept, positions)
        start = max(0, first - before) * step
        stop = long if end == positions else min(long, (end + after) * step)
        found.append(Strip(start, stop, first - start // step, end - start // step))
    return found
