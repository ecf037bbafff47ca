"""Small models as Keras's users build them, and what Keras itself says of pictures.

In: `build(keras)`, a function by name. Out: models of two stages with random biases, so that no
layer can be missing unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

SIDE = 16
Build = Callable[[Any], Any]


@contextmanager
def keras_library() -> Iterator[Any]:
    """Keras on torch, or on what KERAS_BACKEND says."""
    with pytest.MonkeyPatch.context() as patch:
        import os

        if "KERAS_BACKEND" not in os.environ:
            patch.setenv("KERAS_BACKEND", "torch")
        import keras

        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        yield keras


def convolutions(keras: Any, x: Any, activation: str | None = "relu", **options: Any) -> Any:
    """Two stages with the names of keras.applications."""
    for stage, width in enumerate((4, 6), 1):
        named = {"name": f"block{stage}_conv1"} if "name" not in options else {}
        x = keras.layers.Conv2D(
            width, 3, **{"padding": "same", "activation": activation, **named, **options}
        )(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{stage}_pool")(x)
    return x


def base(keras: Any, name: str = "vgg16", trainable: bool = False, **options: Any) -> Any:
    """What keras.applications.VGG16(include_top=False) is, small."""
    picture = keras.Input((SIDE, SIDE, 3))
    net = keras.Model(picture, convolutions(keras, picture, **options), name=name)
    net.trainable = trainable
    return net


def with_random_numbers(net: Any) -> Any:
    chance = np.random.default_rng(5)
    for weight in net.weights:
        if len(weight.shape) == 1:
            low, high = (0.5, 1.5) if "var" in weight.path else (-0.3, 0.3)
            weight.assign(chance.uniform(low, high, weight.shape).astype(np.float32))
    return net


def pictures() -> NDArray[np.uint8]:
    """pixels_NHWC."""
    return np.random.default_rng(2).integers(0, 256, (3, SIDE, SIDE, 3), dtype=np.uint8)


def answers(net: Any, inputs_NHWC: NDArray[np.float32]) -> NDArray[np.float32]:
    found = net(inputs_NHWC, training=False)
    return np.asarray(found.detach() if hasattr(found, "detach") else found)


def save(net: Any, path: Path) -> None:
    net.save_weights(path) if path.name.endswith(".weights.h5") else net.save(path)
