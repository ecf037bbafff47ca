"""Small networks with random weights, for tests of what computes and what stores them."""

import math

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vggnet.spec import Spec

# Every kind of layer, a stride, an even kernel, a padding of its own and overlapping pools.
EVERYTHING = Spec(
    "everything",
    ("conv3-6 LRN conv1-8", "maxpool3/2", "conv2-8/2p1 conv5-6", "maxpool", "FC-9 FC-7 soft-max"),
    input_size=24,
    batch_norm=True,
)
FULLY_CONNECTED = Spec(
    "fully-connected", ("conv3-6", "maxpool", "conv3-8", "maxpool", "FC-10 FC-7 soft-max"), 16
)
AVERAGE = Spec("average", ("conv3-6", "maxpool", "conv3-8", "maxpool", "avgpool FC-7 soft-max"), 16)
HEADLESS = Spec("headless", ("conv3-6", "maxpool", "conv3-8"), 16)


def random_state(spec: Spec, seed: int = 0, dtype: DTypeLike = np.float32) -> dict[str, NDArray]:
    """Weights that keep activations near 1, biases and statistics that are not trivial."""
    random = np.random.default_rng(seed)
    state = {}
    for name, shape in spec.state_shapes.items():
        if name.endswith("running_var") or (name.startswith("bn") and name.endswith("weight")):
            values = random.uniform(0.5, 2, shape)
        elif name.endswith("weight"):
            values = random.normal(0, math.sqrt(2 / math.prod(shape[1:])), shape)
        else:
            values = random.normal(0, 0.3, shape)
        state[name] = values.astype(np.float32).astype(dtype)
    return state


def random_images(num: int, height: int, width: int, seed: int = 1) -> NDArray[np.float32]:
    """images_NCHW drawn from N(0, 1)."""
    random = np.random.default_rng(seed)
    return random.standard_normal((num, 3, height, width), dtype=np.float32)
