"""The network in Caffe's files, computed by OpenCV's reader of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparison import relative_error
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

from vggnet import engines
from vggnet.configurations import configuration
from vggnet.spec import Spec
from vggnet.weights.containers import caffe_files
from vggnet.weights.export.caffe_network import caffe_layers, write_caffe
from vggnet.weights.rewrite import fully_convolutional

DIVISIBLE = Spec("divisible", EVERYTHING.rows, input_size=23, batch_norm=True)
ALEXNET = configuration("AlexNet").scaled(width=1 / 32, num_classes=5)
VGG = configuration("A-LRN").scaled(width=1 / 32, input_size=32, num_classes=5)


@pytest.mark.parametrize("spec", [FULLY_CONNECTED, AVERAGE, HEADLESS, DIVISIBLE, ALEXNET, VGG],
                         ids=lambda spec: spec.name)  # fmt: skip
def test_opencv_computes_the_same(tmp_path: Path, spec: Spec) -> None:
    cv2 = pytest.importorskip("cv2")
    state = random_state(spec)
    write_caffe(tmp_path / "net.caffemodel", tmp_path / "deploy.prototxt", spec, state)
    net = cv2.dnn.readNetFromCaffe(
        str(tmp_path / "deploy.prototxt"), str(tmp_path / "net.caffemodel")
    )
    net.enableFusion(False)  # which would change what the layers before a batch norm give
    images_NCHW = random_images(2, spec.input_size, spec.input_size)
    engine = engines.create("numpy", spec, state)
    for name in (spec.layers[0].name, spec.logits_layer, spec.layers[-1].name):
        expected = engine.features(images_NCHW, [name])[name]
        net.setInput(images_NCHW)
        found = net.forward(name)
        assert relative_error(found.reshape(expected.shape), expected) < 1e-5


def test_the_blobs_are_the_state(tmp_path: Path) -> None:
    state = random_state(DIVISIBLE)
    write_caffe(tmp_path / "net", tmp_path / "deploy", DIVISIBLE, state)
    contents = caffe_files.read(tmp_path / "net")
    blobs = {name: array.load() for name, array in contents.arrays.items()}
    for layer in DIVISIBLE.layers:
        scale = layer.name.replace("bn", "scale")
        for index, part in enumerate(layer.parameter_shapes):
            assert np.array_equal(blobs.pop(f"{scale}/{index}"), state[f"{layer.name}.{part}"])
        for index, part in enumerate(layer.buffer_shapes):
            assert np.array_equal(blobs.pop(f"{layer.name}/{index}"), state[f"{layer.name}.{part}"])
    assert set(blobs) == {f"bn{suffix}/2" for suffix in ("1_1", "1_2", "2_1", "2_2")}
    assert all(np.array_equal(factor, [1]) for factor in blobs.values())
    assert contents.metadata["input_shape"] == [1, 3, 23, 23]


def test_views_are_not_copied() -> None:
    state = random_state(FULLY_CONNECTED)
    layers = {layer.name: layer for layer in caffe_layers(FULLY_CONNECTED, state)}
    assert layers["fc3"].blobs[0] is state["fc3.weight"]


def test_a_pool_that_caffe_would_round_up_is_refused(tmp_path: Path) -> None:
    spec = replace(FULLY_CONNECTED, name="odd", input_size=18)
    caffe_layers(replace(spec, input_size=20), random_state(replace(spec, input_size=20)))
    with pytest.raises(
        ValueError, match=r"^spec 'odd': pool2 of a picture of 18 x 18 leaves out 1 "
    ):
        caffe_layers(spec, random_state(spec))


def test_fc_layers_as_convolutions() -> None:
    dense, state = fully_convolutional(FULLY_CONNECTED, random_state(FULLY_CONNECTED))
    layers = {layer.name: layer for layer in caffe_layers(dense, state)}
    assert layers["fc3"].type == "Convolution"
    assert layers["fc3"].settings["kernel_size"] == 4


def test_a_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    state = random_state(AVERAGE)
    del state["fc3.bias"]
    with pytest.raises(ValueError, match=r"missing: fc3\.bias"):
        write_caffe(tmp_path / "net", tmp_path / "deploy", AVERAGE, state)
    assert list(tmp_path.iterdir()) == []
