"""Keras models without names of one's own, in files that hold weights alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras_nets
import numpy as np
import pytest
from comparison import relative_error
from published_forms import small, tensorflow_vgg
from small_nets import random_state

from vggnet import engines
from vggnet.engines.reference import softmax
from vggnet.spec import Spec
from vggnet.weights.containers import keras_files
from vggnet.weights.files import inspect, load

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def keras() -> Iterator[Any]:
    with keras_nets.keras_library() as library:
        yield library


def vgg_face(keras: Any, spec: Spec) -> Any:
    """As deepface builds it (its basemodels/VGGFace.py), for a spec of three FC layers."""
    layers = keras.layers
    net = keras.Sequential([keras.Input((spec.input_size, spec.input_size, 3))])
    for layer in spec.layers:
        if layer.kind == "conv":
            net.add(layers.ZeroPadding2D((1, 1)))
            net.add(layers.Convolution2D(layer.output[0], (3, 3), activation="relu"))
        elif layer.kind == "maxpool":
            net.add(layers.MaxPooling2D((2, 2), strides=(2, 2)))
        elif layer.kind == "fc" and layer.name != "fc8":
            side = (layer.input[1],) * 2
            net.add(layers.Convolution2D(layer.output[0], side, activation="relu"))
            net.add(layers.Dropout(0.5))
    net.add(layers.Convolution2D(spec.num_classes, (1, 1)))
    net.add(layers.Flatten())
    net.add(layers.Activation("softmax"))
    return net


@pytest.mark.parametrize("name", ["net.weights.h5", "net.h5", "net.keras"])
def test_vgg_face_of_a_notebook_s_second_run(keras: Any, tmp_path: Path, name: str) -> None:
    spec = small("D", input_size=224)
    keras.layers.Conv2D(1, 1)  # so that the first one is conv2d_1 at least
    net, path = keras_nets.with_random_numbers(vgg_face(keras, spec)), tmp_path / name
    keras_nets.save(net, path)
    found = inspect(path)
    assert (found.convention, found.spec) == ("keras", spec)
    assert found.confidence == ("guessed" if name == "net.weights.h5" else "likely")
    weights = load(path)
    images_NCHW = np.random.default_rng(3).standard_normal((1, 3, 224, 224), np.float32)
    logits = engines.create("numpy", weights.spec, weights.state)(images_NCHW)
    expected = keras_nets.answers(net, images_NCHW.transpose(0, 2, 3, 1))
    assert relative_error(softmax(logits), expected) < 1e-5


def named_by_keras(spec: Spec, first: int, template: str, convolution: str = "conv2d") -> Any:
    """The arrays of a spec, and its layers in order, as Keras 1 and 2 list them."""
    listed: dict[str, dict[str, Any]] = {}
    counts = {"conv": first, "maxpool": first, "fc": 3}
    stored: dict[str, list[Any]] = {}
    for name, array in tensorflow_vgg(spec, random_state(spec)).items():
        stored.setdefault(name.split("/")[0], []).append(array)
    values = iter(stored.values())
    for layer in spec.layers:
        if layer.kind == "avgpool":
            listed["global_average_pooling2d_2"] = {}
        if layer.kind in counts:
            number = counts[layer.kind]
            counts[layer.kind] += 1
            base = {"conv": convolution, "fc": "dense", "maxpool": "max_pooling2d"}[layer.kind]
            held = [] if layer.kind == "maxpool" else next(values)
            own = f"{base}_{number}"
            parts = ("W", "b") if "W" in template else ("kernel", "bias")
            listed[own] = {
                template.replace("kernel", part).replace("W", part).format(own): array
                for part, array in zip(parts, held, strict=False)
            }
    return listed


MINE = Spec("VGG4", ("conv3-4", "maxpool", "conv3-6", "maxpool", "FC-5", "FC-3", "soft-max"), 16)


@pytest.mark.parametrize(("template", "convolution"), [
    ("{0}/kernel:0", "conv2d"), ("{0}_W:0", "convolution2d")
])  # fmt: skip
@pytest.mark.parametrize("spec", [small("A"), MINE], ids=lambda spec: spec.name)
def test_the_list_of_keras_1_and_2_tells_where_pools_are(
    tmp_path: Path, spec: Spec, template: str, convolution: str
) -> None:
    layers = named_by_keras(spec, 17, template, convolution)
    keras_files.write(tmp_path / "net.h5", layers)
    assert inspect(tmp_path / "net.h5").spec == spec
    assert load(tmp_path / "net.h5").spec == spec


@pytest.mark.parametrize(("layer", "after"), [
    ("leaky_re_lu_3", "conv2d_17"), ("average_pooling2d", "conv2d_17"), ("rescaling_1", "")
])  # fmt: skip
def test_a_list_with_layers_of_another_net_is_refused(
    tmp_path: Path, layer: str, after: str
) -> None:
    layers = named_by_keras(small("A"), 17, "{0}/kernel:0")
    more: dict[str, Any] = {} if after else {layer: {}}
    for name, arrays in layers.items():
        more[name] = arrays
        if name == after:
            more[layer] = {}
    keras_files.write(tmp_path / "net.h5", more)
    with pytest.raises(ValueError, match=f"it lists {layer}, a layer that no VGG has"):
        inspect(tmp_path / "net.h5")


def test_a_list_with_an_odd_layer_behind_the_convolutions_leaves_the_head_out(
    tmp_path: Path,
) -> None:
    layers = named_by_keras(small("A"), 17, "{0}/kernel:0")
    last = layers.popitem()
    keras_files.write(tmp_path / "net.h5", {**layers, "elu_1": {}, last[0]: last[1]})
    found = inspect(tmp_path / "net.h5")
    assert found.spec.num_classes is None
    assert found.notes == ("its head is left out: it lists elu_1, a layer that no VGG has",)


def test_convolutions_after_the_last_pool_are_no_vgg_s(tmp_path: Path) -> None:
    layers = named_by_keras(MINE, 1, "{0}/kernel:0")
    del layers["max_pooling2d_2"]
    keras_files.write(tmp_path / "net.h5", layers)
    with pytest.raises(ValueError, match="no pool follows conv2d_2"):
        inspect(tmp_path / "net.h5")
