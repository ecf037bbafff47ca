"""Each layer against its definition, written here as plain loops in float64."""

import math

import numpy as np
import pytest
from comparison import relative_error
from numpy.typing import NDArray
from small_nets import EVERYTHING, FULLY_CONNECTED, random_images, random_state

from vggnet.configurations import configuration
from vggnet.engines import reference
from vggnet.engines.reference import ReferenceEngine
from vggnet.spec import Layer

Array = NDArray[np.floating]


def test_it_says_what_it_computes_in() -> None:
    for dtype, precision in ((np.float32, "fp32"), (np.float64, "fp64"), (np.float16, "fp32")):
        assert (
            ReferenceEngine(FULLY_CONNECTED, random_state(FULLY_CONNECTED, dtype=dtype)).precision
            == precision
        )


def loop_convolution(x: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    num, channels, height, width = x.shape
    num_out, _, rows, columns = weight.shape
    out_height = (height + 2 * padding - rows) // stride + 1
    out_width = (width + 2 * padding - columns) // stride + 1
    y = np.zeros((num, num_out, out_height, out_width))
    for n, o, i, j in np.ndindex(*y.shape):
        y[n, o, i, j] = bias[o]
        for c, a, b in np.ndindex(channels, rows, columns):
            row, column = i * stride + a - padding, j * stride + b - padding
            if 0 <= row < height and 0 <= column < width:
                y[n, o, i, j] += weight[o, c, a, b] * x[n, c, row, column]
    return y


def loop_max_pool(x: Array, kernel: int, stride: int) -> Array:
    num, channels, height, width = x.shape
    out_height, out_width = (height - kernel) // stride + 1, (width - kernel) // stride + 1
    y = np.full((num, channels, out_height, out_width), -np.inf)
    for n, c, i, j in np.ndindex(*y.shape):
        for a, b in np.ndindex(kernel, kernel):
            y[n, c, i, j] = max(y[n, c, i, j], x[n, c, i * stride + a, j * stride + b])
    return y


def loop_local_response_norm(x: Array) -> Array:
    """Krizhevsky et al. 2012: k 2, n 5, alpha 1e-4 that is not divided by n, beta 0.75."""
    y = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*x.shape):
        total = 0.0
        for other in range(max(0, c - 2), min(x.shape[1] - 1, c + 2) + 1):
            total += float(x[n, other, i, j]) ** 2
        y[n, c, i, j] = x[n, c, i, j] / (2 + 1e-4 * total) ** 0.75
    return y


def loop_batch_norm(x: Array, weight: Array, bias: Array, mean: Array, variance: Array) -> Array:
    y = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*x.shape):
        normalised = (x[n, c, i, j] - mean[c]) / math.sqrt(variance[c] + 1e-5)
        y[n, c, i, j] = normalised * weight[c] + bias[c]
    return y


def loop_average(x: Array) -> Array:
    y = np.zeros((*x.shape[:2], 1, 1))
    for n, c, i, j in np.ndindex(*x.shape):
        y[n, c, 0, 0] += x[n, c, i, j] / (x.shape[2] * x.shape[3])
    return y


def loop_fully_connected(x: Array, weight: Array, bias: Array) -> Array:
    flat = [list(picture.flat) for picture in x]  # channel, then row, then column
    y = np.zeros((len(x), len(weight)))
    for n, o in np.ndindex(*y.shape):
        y[n, o] = bias[o] + sum(a * b for a, b in zip(weight[o], flat[n], strict=True))
    return y


def loop_softmax(x: Array) -> Array:
    y = np.zeros(x.shape)
    for n, k in np.ndindex(*x.shape):
        y[n, k] = math.exp(x[n, k]) / sum(math.exp(value) for value in x[n])
    return y


def defined(layer: Layer, x: Array, state: dict[str, Array]) -> Array:
    """What the definition makes of `x`."""
    names = [f"{layer.name}.{part}" for part in (layer.parameter_shapes | layer.buffer_shapes)]
    arrays = [state[name] for name in names]
    if layer.kind == "conv":
        return loop_convolution(x, arrays[0], arrays[1], layer.stride, layer.padding)
    if layer.kind == "maxpool":
        return loop_max_pool(x, layer.kernel, layer.stride)
    if layer.kind == "relu":
        return np.where(x > 0, x, 0)
    if layer.kind == "dropout":
        return x
    definitions = {
        "batchnorm": loop_batch_norm,
        "lrn": loop_local_response_norm,
        "avgpool": loop_average,
        "fc": loop_fully_connected,
        "softmax": loop_softmax,
    }
    return definitions[layer.kind](x, *arrays)


AVERAGED = EVERYTHING.scaled(num_classes=5, head="average", width=0.5)


@pytest.mark.parametrize("spec", [EVERYTHING, AVERAGED], ids=["fc", "average"])
def test_every_layer_is_its_definition(spec) -> None:
    state = random_state(spec, dtype=np.float64)
    images = random_images(2, 24, 24).astype(np.float64)
    found = ReferenceEngine(spec, state).features(images, spec.layer_names)
    x: Array = images
    for layer in spec.layers:
        assert relative_error(found[layer.name], defined(layer, x, state)) < 1e-12, layer
        x = found[layer.name]
    kinds = {layer.kind for layer in (*EVERYTHING.layers, *AVERAGED.layers)}
    assert kinds == {
        "conv", "batchnorm", "relu", "lrn", "maxpool", "avgpool", "fc", "dropout", "softmax",
    }  # fmt: skip


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 11])
@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (1, 1), (2, 0), (3, 2), (4, 5)])
def test_convolution(kernel: int, stride: int, padding: int) -> None:
    random = np.random.default_rng(kernel)
    x, bias = random.normal(size=(2, 3, 11, 13)), random.normal(size=4)
    weight = random.normal(size=(4, 3, kernel, kernel))
    found = reference.convolution(x, weight, bias, stride, padding)
    expected = loop_convolution(x, weight, bias, stride, padding)
    assert relative_error(found, expected) < 1e-13


@pytest.mark.parametrize("numbers", [1, 3 * 27 * 7, 4 * 27 * 7])
def test_convolution_in_bands_of_rows(monkeypatch: pytest.MonkeyPatch, numbers: int) -> None:
    monkeypatch.setattr(reference, "_MAX_COLUMN_NUMBERS", numbers)  # bands of 1, 3 and 4 of 8 rows
    random = np.random.default_rng(0)
    x, bias = random.normal(size=(2, 3, 16, 14)), random.normal(size=4)
    weight = random.normal(size=(4, 3, 3, 3))
    found = reference.convolution(x, weight, bias, stride=2, padding=1)
    assert found.shape == (2, 4, 8, 7)
    assert relative_error(found, loop_convolution(x, weight, bias, 2, 1)) < 1e-13


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2), (3, 1), (1, 2), (2, 3)])
def test_max_pool_leaves_out_windows_that_leave_the_map(kernel: int, stride: int) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 11)) - 5  # all negative: no zero slips in
    found = reference.max_pool(x, kernel, stride)
    assert np.array_equal(found, loop_max_pool(x, kernel, stride))


@pytest.mark.parametrize("channels", [1, 2, 5, 9])
def test_local_response_norm_with_large_values(channels: int) -> None:
    x = 100 * np.random.default_rng(0).normal(size=(2, channels, 2, 3))
    found = reference.local_response_norm(x)
    assert relative_error(found, loop_local_response_norm(x)) < 1e-13
    assert relative_error(found, x / 2**0.75) > 0.01  # the sum of squares counts


def test_softmax_does_not_overflow() -> None:
    found = reference.softmax(np.array([[1000.0, 999.0, -1000.0]]))
    expected = loop_softmax(np.array([[0.0, -1.0, -2000.0]]))
    assert relative_error(found, expected) < 1e-14


@pytest.mark.parametrize(
    ("given", "computed"),
    [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
)
def test_the_type_follows_the_state(given: type, computed: type) -> None:
    engine = ReferenceEngine(EVERYTHING, random_state(EVERYTHING, dtype=given))
    images = random_images(1, 24, 24)
    found = engine.features(images, EVERYTHING.layer_names)
    assert {array.dtype for array in found.values()} == {np.dtype(computed)}


def test_features_touch_no_weights_above_the_deepest_layer() -> None:
    state = random_state(FULLY_CONNECTED)
    engine = ReferenceEngine(FULLY_CONNECTED, state)
    images = random_images(1, 16, 16)
    expected = engine.features(images, ["conv2_1", "relu1_1"])
    del state["fc3.weight"], state["fc4.weight"]
    found = engine.features(images, ["conv2_1", "relu1_1"])
    assert list(found) == ["conv2_1", "relu1_1"]
    assert all(np.array_equal(found[name], expected[name]) for name in expected)
    with pytest.raises(KeyError, match=r"fc3\.weight"):
        engine(images)


def test_images_are_left_as_they_were() -> None:
    images = random_images(1, 16, 16)
    before = images.copy()
    ReferenceEngine(FULLY_CONNECTED, random_state(FULLY_CONNECTED))(images)
    assert np.array_equal(images, before)


@pytest.mark.parametrize("name", ["A", "A-LRN", "B", "C", "D", "E", "AlexNet", "vgg16_bn"])
def test_every_configuration_runs(name: str) -> None:
    spec = configuration(name).scaled(width=1 / 64, num_classes=5)
    engine = ReferenceEngine(spec, random_state(spec))
    logits = engine(random_images(1, spec.input_size, spec.input_size))
    assert logits.shape == (1, 5)
    assert np.isfinite(logits).all()
