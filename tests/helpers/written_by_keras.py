"""Files that Keras itself writes, and what Keras reads from ours: a script, as Keras loads slowly.

In: a folder with files of ours, `ours*.h5` for the model below, `vgg16.h5`, and `weights.npz`.
Out: Keras's files of that model in it, and one line of JSON: file of ours -> arrays read otherwise.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

SHAPES = {  # layer -> {weight: shape}, in Keras's order
    "block1_conv1": {"kernel": (3, 3, 3, 4), "bias": (4,)},
    "bn1_1": {"gamma": (4,), "beta": (4,), "moving_mean": (4,), "moving_variance": (4,)},
    "block1_conv2": {"kernel": (3, 3, 4, 4), "bias": (4,)},
    "fc1": {"kernel": (64, 6), "bias": (6,)},
    "predictions": {"kernel": (6, 5), "bias": (5,)},
}


def random_weights() -> dict[str, np.ndarray]:
    """Values by "layer/weight"."""
    chance = np.random.default_rng(7)
    return {
        f"{layer}/{name}": chance.standard_normal(shape, np.float32)
        for layer, shapes in SHAPES.items()
        for name, shape in shapes.items()
    }


def main(folder: Path) -> None:
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from keras import layers

    def model(dtype: str = "float32"):
        conv = {"padding": "same", "activation": "relu", "dtype": dtype}
        return keras.Sequential([
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, name="block1_conv1", **conv),
            layers.BatchNormalization(name="bn1_1", dtype=dtype),
            layers.Conv2D(4, 3, name="block1_conv2", **conv),
            layers.MaxPooling2D(name="block1_pool"),
            layers.Flatten(name="flatten"),
            layers.Dense(6, name="fc1", dtype=dtype),
            layers.Dense(5, name="predictions", dtype=dtype),
        ])  # fmt: skip

    with np.load(folder / "weights.npz") as stored:
        values = [stored[name] for name in random_weights()]
    names = list(random_weights())
    theirs = model()
    order = [f"{layer.name}/{weight.name}" for layer in theirs.layers for weight in layer.weights]
    by_name = dict(zip(names, values, strict=True))
    for weight, name in zip(
        [weight for layer in theirs.layers for weight in layer.weights], order, strict=True
    ):
        weight.assign(by_name[name])
    theirs.save_weights(folder / "tree.weights.h5")
    theirs.save(folder / "whole.keras")
    theirs.save(folder / "whole.h5")
    brain = model("bfloat16")
    for layer, source in zip(brain.layers, theirs.layers, strict=True):
        layer.set_weights(source.get_weights())
    brain.save_weights(folder / "brain.weights.h5")

    wrong: dict[str, list[str]] = {}
    for path in sorted(folder.glob("ours*.h5")):
        read = model()
        read.load_weights(path)
        wrong[path.name] = [
            f"{layer.name}/{weight.name}"
            for layer in read.layers
            for weight in layer.weights
            if not np.array_equal(by_name[f"{layer.name}/{weight.name}"], np.array(weight))
        ]
    vgg = keras.applications.VGG16(
        include_top=False, input_shape=(32, 32, 3), weights=folder / "vgg16.h5"
    )
    chance = np.random.default_rng(16)
    wrong["vgg16.h5"] = [
        weight.path
        for weight in vgg.weights
        if not np.array_equal(chance.random(weight.shape, np.float32), np.array(weight))
    ]
    print(json.dumps(wrong))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
