"""The networks that every runtime is asked, and the pictures that they are given.

In: the name of a network. Out: a Spec with its state, also as a torch module; images_NCHW.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.configurations import configuration
from vggnet.spec import Spec
from vggnet.weights.named import load_weights
from vggnet.weights.random_weights import random_state
from vggnet.weights.rewrite import fold_batch_norm
from vggnet.weights.weights import State

NAMES = ("vgg16", "embedded")


def network(name: str) -> tuple[Spec, State]:
    """VGG16 with random weights, or the model inside the package."""
    if name == "embedded":
        weights = load_weights("tiny-imagenet")
        return fold_batch_norm(weights.spec, weights.state)
    spec = configuration(name)
    return spec, random_state(spec)


def pictures(spec: Spec, batch: int) -> NDArray[np.float32]:
    """images_NCHW, the same ones in every process."""
    shape = (batch, 3, spec.input_size, spec.input_size)
    return np.random.default_rng(2).standard_normal(shape, dtype=np.float32)


def torch_network(spec: Spec, state: State) -> Any:
    """As most people would write it: eager, NCHW, in fp32."""
    import torch

    from vggnet.torch_network import Network

    module = Network(spec, None, convolutions="torch")
    module.load_state_dict({name: torch.tensor(a) for name, a in state.items()}, assign=True)
    return module.eval()
