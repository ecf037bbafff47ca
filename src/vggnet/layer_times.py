"""How long each layer takes, measured now.

In: a Model and preprocessed pictures. Out: seconds and MACs of layers, in their order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vggnet.analysis import analyze
from vggnet.model import Model


@dataclass(frozen=True)
class LayerTime:
    """The least seconds of layers that the engine computes in one go, and their MACs."""

    layers: tuple[str, ...]
    seconds: float
    macs: int


def layer_times(
    model: Model, images_NCHW: NDArray[np.floating], repeats: int = 5
) -> list[LayerTime]:
    """Of the native engine each step, timed by itself; of others the time to each convolution, pool
    and FC layer less the time to the one before, which is not below 0.

    For all the pictures together; MACs too.
    """
    height, width = images_NCHW.shape[2:]
    analysis = analyze(model.spec, (height, width))
    macs = {each.name: len(images_NCHW) * each.macs for each in analysis.layers}
    if model.engine.name == "native":
        from vggnet.engines.native import NativeEngine

        assert isinstance(model.engine, NativeEngine)
        steps = [
            (step.layers, seconds)
            for step, seconds in model.engine.time_steps(images_NCHW, repeats)
        ]
    else:
        steps = _differences(model, images_NCHW, repeats)
    return [
        LayerTime(layers, seconds, sum(macs[name] for name in layers)) for layers, seconds in steps
    ]


def _differences(
    model: Model, images_NCHW: NDArray[np.floating], repeats: int
) -> list[tuple[tuple[str, ...], float]]:
    kinds = ("conv", "maxpool", "avgpool", "fc")
    names = [layer.name for layer in model.spec.layers if layer.kind in kinds]
    least = dict.fromkeys(names, np.inf)
    for _ in range(repeats):
        for name in names:
            start = time.perf_counter()
            model.features(images_NCHW, [name])
            least[name] = min(least[name], time.perf_counter() - start)
    found: list[tuple[tuple[str, ...], float]] = []
    before = 0.0
    for name in names:
        found.append(((name,), max(0.0, least[name] - before)))
        before = max(before, least[name])
    return found
