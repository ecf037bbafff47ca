"""Nets spelled out by the layers of Caffe."""

from dataclasses import replace

import numpy as np
import pytest
from comparison import relative_error
from published_forms import contents, oxford, small
from small_nets import random_images, random_state

from vggnet.configurations import configuration
from vggnet.engines.reference import ReferenceEngine
from vggnet.spec import Spec
from vggnet.weights.containers import Contents
from vggnet.weights.files import weights_of
from vggnet.weights.recognition.graphs import caffe_graph
from vggnet.weights.recognition.naming import Unfit
from vggnet.weights.recognition.recognise import recognise


def caffe_net(spec: Spec, state: dict[str, np.ndarray], factor: float = 1) -> Contents:
    """Layers by their types; batch norms in Caffe's two layers, the statistics times a factor."""
    types = {"conv": "Convolution", "relu": "ReLU", "maxpool": "Pooling", "lrn": "LRN",
             "fc": "InnerProduct", "dropout": "Dropout", "softmax": "Softmax",
             "avgpool": "Pooling"}  # fmt: skip
    layers, arrays = [], {}
    for layer in spec.layers:
        parts = [state[f"{layer.name}.{part}"] for part in layer.parameter_shapes]
        if layer.kind == "batchnorm":
            layers.append({"name": layer.name, "type": "BatchNorm", "settings": {}})
            for index, part in enumerate(("running_mean", "running_var")):
                arrays[f"{layer.name}/{index}"] = state[f"{layer.name}.{part}"] * np.float32(factor)
            arrays[f"{layer.name}/2"] = np.array([factor], np.float32)
            name = f"my_scale_of_{layer.name}"
            layers.append({"name": name, "type": "Scale", "settings": {}})
        else:
            name = layer.name
            average = {"pool": "AVE", "global_pooling": 1} if layer.kind == "avgpool" else {}
            layers.append({"name": name, "type": types[layer.kind], "settings": average})
        arrays |= {f"{name}/{index}": array for index, array in enumerate(parts)}
    return contents(arrays, "caffemodel", layers=layers)


def test_caffe_s_layers_tell_local_response_normalisation() -> None:
    spec = small("A-LRN")
    state = random_state(spec)
    assert recognise(caffe_net(spec, state), "net").spec == spec
    assert recognise(contents(oxford(spec, state)), "net").spec == small("A")  # by names alone


def test_caffe_s_batch_norms_are_divided_by_their_factor() -> None:
    spec = replace(small("A-BN"), input_size=32, rows=(*small("A-BN").rows[:-4],))
    state = random_state(spec)
    found = caffe_net(spec, state, factor=4)
    recognition = recognise(found, "net")
    assert (recognition.spec.rows, recognition.spec.batch_norm) == (spec.rows, True)
    weights = weights_of(found, recognition, "net")
    images = random_images(1, 32, 32)
    expected = ReferenceEngine(spec, state).features(images, ["pool5"])["pool5"]
    computed = ReferenceEngine(weights.spec, weights.state).features(images, ["pool5"])["pool5"]
    assert relative_error(computed, expected) < 1e-6


@pytest.mark.parametrize(("kind", "settings", "fault"), [
    ("Convolution", {"pad": 1, "kernel_size": 3}, None),
    ("Convolution", {"pad": [1, 1], "kernel_size": [3, 3], "stride": 1}, None),
    ("Convolution", {"kernel_size": 3}, r"padding of conv1_1 is \[0, 0\], not 1"),
    ("Convolution", {"pad": 1, "stride": 2}, "stride of conv1_1 is 2, not 1"),
    ("Pooling", {"pool": "MAX", "kernel_size": 2, "stride": 2}, None),
    ("Pooling", {"pool": "AVE", "kernel_size": 2, "stride": 2}, "pool of pool1 is AVE, not MAX"),
    ("Convolution", {"pad_h": 1, "pad_w": 1, "kernel_h": 3, "kernel_w": 3, "dilation": 1}, None),
    ("Convolution", {"pad": 1, "pad_w": 0}, r"padding of conv1_1 is \[1, 0\], not 1"),
    ("Convolution", {"pad": 1, "stride_h": 2}, r"stride of conv1_1 is \[2, 1\], not 1"),
    ("Convolution", {"pad": 1, "dilation": [2, 2]}, "dilation of conv1_1 is 2, not 1"),
    ("Convolution", {"pad": 1, "group": 2}, "group of conv1_1 is 2, not 1"),
    ("ReLU", {"negative_slope": 0.0}, None),
    ("ReLU", {"negative_slope": 0.1}, "negative_slope of relu1_1 is 0.1, not 0"),
    ("Pooling", {"kernel_h": 2, "kernel_w": 2, "stride_h": 2, "stride_w": 2, "pad": 0}, None),
    ("Pooling", {"kernel_size": 2, "stride": 2, "pad": 1}, "pad of pool1 is 1, not 0"),
    ("Pooling", {"kernel_size": 2, "stride": 2, "pad_w": 1}, r"pad of pool1 is \[0, 1\], not 0"),
    ("Pooling", {"global_pooling": 1}, "kernel_size of pool1 is None, not 2"),
    ("LRN", {"k": 2.0, "alpha": 5e-4, "norm_region": 1}, "norm1_1 is not the LRN"),
    ("Pooling", {"kernel_size": 3, "stride": 2}, "kernel_size of pool1 is 3, not 2"),
    ("LRN", {"k": 2.0, "alpha": 5e-4, "beta": 0.75, "local_size": 5}, None),
    ("InnerProduct", {"axis": 1, "transpose": 0}, None),
    ("LRN", {"alpha": 1e-4, "beta": 0.75}, "norm1_1 is not the LRN"),
])  # fmt: skip
def test_what_is_set_in_caffe_s_layers(
    kind: str, settings: dict[str, object], fault: str | None
) -> None:
    spec = small("A-LRN")
    found = caffe_net(spec, random_state(spec))
    layers = found.metadata["layers"]
    next(layer for layer in layers if layer["type"] == kind)["settings"] = settings
    if fault is None:
        assert recognise(found, "net").spec == spec
    else:
        with pytest.raises(Unfit, match=fault):
            caffe_graph.caffe_net(found)


def inserted(found: Contents, place: int, kind: str, **settings: object) -> None:
    """Puts a layer without blobs in the net."""
    layer = {"name": "new", "type": kind, "settings": settings}
    found.metadata["layers"].insert(place, layer)


@pytest.mark.parametrize(("kind", "settings", "fault"), [
    ("TanH", {}, "new is a layer of type TanH, which no VGG has"),
    ("Eltwise", {}, "type Eltwise"), ("V1 type 35", {}, "type V1 type 35"),
    ("Softmax", {}, "type Softmax"), ("BatchNorm", {}, "type BatchNorm"),
    ("Scale", {}, "type Scale"), ("Power", {"scale": 5.0}, "the scale of new is 5.0, not 1"),
    ("Power", {"shift": 1.0}, "the shift of new"), ("Power", {"power": 2.0}, "the power of new"),
    ("Power", {}, None), ("Split", {}, None), ("Dropout", {}, None), ("Silence", {}, None),
])  # fmt: skip
def test_layers_without_blobs(kind: str, settings: dict[str, object], fault: str | None) -> None:
    spec = small("A")
    for place in (0, 2):
        found = caffe_net(spec, random_state(spec))
        inserted(found, place, kind, **settings)
        if fault is None:
            assert recognise(found, "net").spec == spec
        else:
            with pytest.raises(Unfit, match=fault):
                caffe_graph.caffe_net(found)


@pytest.mark.parametrize("settings", [{"scale": 1.0}, {"scale": 2**-0.75, "shift": 1.0}])
def test_the_power_after_a_normalisation_of_responses(settings: dict[str, float]) -> None:
    spec = small("A-LRN")
    found = caffe_net(spec, random_state(spec))
    layers = found.metadata["layers"]
    place = next(i for i, layer in enumerate(layers) if layer["type"] == "LRN")
    layers[place]["settings"] = {"k": 1.0, "alpha": 2.5e-4, "beta": 0.75, "local_size": 5}
    inserted(found, place + 1, "Power", scale=2**-0.75)
    assert recognise(found, "net").spec == spec
    layers[place + 1]["settings"] = settings
    for norm in (layers[place]["settings"], {}):
        layers[place]["settings"] = norm
        with pytest.raises(Unfit, match=r"is not the LRN|shift of new is"):
            caffe_graph.caffe_net(found)


def test_another_epsilon_is_moved_into_the_variance() -> None:
    spec = small("A-BN", input_size=32)
    state = random_state(spec)
    found = caffe_net(spec, state)
    for layer in found.metadata["layers"]:
        if layer["type"] == "BatchNorm":
            layer["settings"]["eps"] = np.float32(1e-3).item()
    sources = recognise(found, "net").sources
    variances = [source for name, source in sources.items() if name.endswith("running_var")]
    assert {round(source.added, 9) for source in variances} == {1e-3 - 1e-5}
    assert sum(source.added != 0 for source in sources.values()) == len(variances) == 8
    weights = weights_of(found, recognise(found, "net"), "net")
    expected = state["bn1_1.running_var"] + np.float32(1e-3 - 1e-5)
    assert np.allclose(weights.state["bn1_1.running_var"], expected, rtol=1e-6, atol=0)


def test_a_scale_must_follow_its_own_batch_norm() -> None:
    spec = small("A-BN", input_size=32)
    found = caffe_net(spec, random_state(spec))
    layers = found.metadata["layers"]
    layers[2], layers[3] = layers[3], layers[2]  # after the ReLU
    assert [layer["type"] for layer in layers[1:4]] == ["BatchNorm", "ReLU", "Scale"]
    with pytest.raises(Unfit, match="type Scale"):
        caffe_graph.caffe_net(found)


@pytest.mark.parametrize("settings", [{"transpose": 1}, {"axis": 2}])
def test_another_product_is_no_head(settings: dict[str, int]) -> None:
    spec = small("A")
    found = caffe_net(spec, random_state(spec))
    next(x for x in found.metadata["layers"] if x["name"] == "fc6")["settings"] = settings
    recognition = recognise(found, "net")
    assert recognition.spec.num_classes is None
    assert any(f"the {next(iter(settings))} of fc6" in each for each in recognition.evidence)


def test_a_second_soft_max_leaves_no_head() -> None:
    spec = small("A")
    found = caffe_net(spec, random_state(spec))
    found.metadata["layers"].append({"name": "again", "type": "Softmax", "settings": {}})
    (note,) = recognise(found, "net").notes
    assert note == "its head is left out: the scores go through prob and then through again"


AVERAGE = configuration("A-BN").scaled(1 / 16, input_size=96, num_classes=7, head="average")


def test_an_average_before_several_fc_layers() -> None:
    spec = Spec("mine", (*AVERAGE.rows[:-2], "FC-9", *AVERAGE.rows[-2:]), 96, batch_norm=True)
    assert recognise(caffe_net(spec, random_state(spec)), "net").spec.tokens == spec.tokens


@pytest.mark.parametrize(("shape", "size"), [
    ([1, 3, 96, 96], 96), ([1, 3, 96, 64], 224), ([1, 3, 0, 0], 224), ([3, 96, 96], 224),
])  # fmt: skip
def test_the_size_that_the_net_states(shape: list[int], size: int) -> None:
    for spec in (AVERAGE, replace(AVERAGE, rows=AVERAGE.rows[:-3])):
        stated = caffe_net(spec, random_state(spec))
        found = replace(stated, metadata={**stated.metadata, "input_shape": shape})
        assert recognise(found, "net").spec == replace(spec, input_size=size)


def test_pools_that_round_up() -> None:
    stated = caffe_net(AVERAGE, random_state(AVERAGE))
    found = replace(stated, metadata={**stated.metadata, "input_shape": [1, 3, 100, 100]})
    with pytest.raises(Unfit, match="pools round up, and do not divide 100 pixels"):
        caffe_graph.caffe_net(found)
    for layer in found.metadata["layers"]:
        if layer["type"] == "Pooling":
            layer["settings"] |= {"kernel_size": 2, "stride": 2, "round_mode": 1}
    assert recognise(found, "net").spec == replace(AVERAGE, input_size=100)


@pytest.mark.parametrize("stripped", [True, False])
def test_fc_layers_as_convolutions(stripped: bool) -> None:
    spec = small("C", input_size=224)
    state = random_state(spec)
    found = caffe_net(spec, state)
    shapes = {layer.name: layer.input for layer in spec.layers if layer.kind == "fc"}
    arrays = {name: array.load() for name, array in found.arrays.items()}
    for layer in found.metadata["layers"]:
        if layer["type"] == "Convolution" and not stripped:
            side = arrays[f"{layer['name']}/0"].shape[-1]
            layer["settings"] = {"pad": side // 2, "kernel_size": side}
        elif layer["name"] in shapes:
            weight = arrays[f"{layer['name']}/0"]
            shape = shapes[layer["name"]]
            arrays[f"{layer['name']}/0"] = weight.reshape(len(weight), *shape)
            kernel = {} if stripped else {"kernel_size": shape[-1]}
            layer |= {"type": "Convolution", "settings": kernel}
    found = contents(arrays, "caffemodel", layers=found.metadata["layers"])
    recognition = recognise(found, "net")
    assert recognition.spec == spec
    weights = weights_of(found, recognition, "net")
    assert all(np.array_equal(weights.state[name], array) for name, array in state.items())
