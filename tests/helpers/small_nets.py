"""Small networks with random weights, for tests of what computes and what stores them."""

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vggnet.spec import Spec
from vggnet.weights import random_weights

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
    """The package's random weights in another type, such as the oracle's float64."""
    return {
        name: array.astype(dtype) for name, array in random_weights.random_state(spec, seed).items()
    }


def random_images(num: int, height: int, width: int, seed: int = 1) -> NDArray[np.float32]:
    """images_NCHW drawn from N(0, 1)."""
    random_weights = np.random.default_rng(seed)
    return random_weights.standard_normal((num, 3, height, width), dtype=np.float32)
