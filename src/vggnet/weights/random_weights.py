"""Random weights for a spec, for what needs a network and not its answers: benchmarks and tests.

In: a Spec, a seed. Out: a canonical state. Source: He et al. 2015 (arXiv 1502.01852), Section 2.2.
"""

from __future__ import annotations

from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from vggnet.spec import Spec

Array = NDArray[np.float32]


def random_state(spec: Spec, seed: int = 0) -> dict[str, Array]:
    """float32 arrays by canonical name, the same ones for the same seed.

    Weights have He's variance, 2 / fan-in, so that activations keep their size at any depth. Biases
    and batch norms are not trivial, so that an engine that leaves one out is seen.
    """
    random = np.random.default_rng(seed)
    return {name: _draw(random, name, shape) for name, shape in spec.state_shapes.items()}


def _draw(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    layer, _, part = name.rpartition(".")
    if part == "running_var" or (layer.startswith("bn") and part == "weight"):
        return random.uniform(0.6, 1.4, shape).astype(np.float32)
    deviation = sqrt(2 / prod(shape[1:])) if part == "weight" else 0.3
    values = random.standard_normal(shape, np.float32)
    values *= np.float32(deviation)
    return values
