"""Nets spelled out by the nodes of ONNX or the layers of Caffe, under names that say nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from comparison import relative_error
from published_forms import contents, oxford, small
from small_nets import random_images, random_state

from vggnet.engines.reference import ReferenceEngine
from vggnet.spec import Spec, configuration
from vggnet.weights.containers import Contents
from vggnet.weights.files import weights_of
from vggnet.weights.graph import drawn_net
from vggnet.weights.naming import Unfit
from vggnet.weights.recognise import recognise
from vggnet.weights.state import State

Nodes = list[dict[str, Any]]


class Exporter:
    """Writes a net's nodes as an exporter does, with arrays that are only numbered."""

    def __init__(self, spec: Spec, state: State) -> None:
        self.nodes: Nodes = []
        self.arrays: dict[str, np.ndarray] = {}
        self.tensor = "picture"
        for layer in spec.layers:
            arrays = [state[f"{layer.name}.{part}"]
                      for part in layer.parameter_shapes | layer.buffer_shapes]  # fmt: skip
            if layer.kind == "conv":
                self.add("Conv", arrays, pads=[layer.padding] * 4, strides=[1, 1])
            elif layer.kind == "batchnorm":
                self.add("BatchNormalization", arrays, epsilon=1e-5)
            elif layer.kind == "maxpool":
                self.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
            elif layer.kind == "lrn":
                self.add("LRN", size=5, alpha=np.float32(5e-4).item(), beta=0.75, bias=2.0)
            elif layer.kind == "fc":
                self.matrix(*arrays, layer.input)
            elif layer.kind != "dropout":
                self.add({"relu": "Relu", "avgpool": "GlobalAveragePool",
                          "softmax": "Softmax"}[layer.kind])  # fmt: skip

    def add(self, op_type: str, arrays: Sequence[np.ndarray] = (), **attributes: object) -> None:
        names = [f"{len(self.arrays) + index}" for index in range(len(arrays))]
        self.arrays |= dict(zip(names, arrays, strict=True))
        node = {"op_type": op_type, "name": "", "inputs": [self.tensor, *names],
                "outputs": [f"t{len(self.nodes)}"], "attributes": attributes}  # fmt: skip
        self.nodes.append(node)
        self.tensor = f"t{len(self.nodes) - 1}"

    def matrix(self, weight: np.ndarray, bias: np.ndarray, shape: tuple[int, int, int]) -> None:
        if shape[1] > 1:
            self.add("Flatten")
        self.add("Gemm", [weight, bias], transB=1)

    def contents(self) -> Contents:
        return contents(self.arrays, "onnx", nodes=self.nodes)


class KerasExporter(Exporter):
    """As tf2onnx: channels last before the FC layers, products and sums apart."""

    def matrix(self, weight: np.ndarray, bias: np.ndarray, shape: tuple[int, int, int]) -> None:
        if shape[1] > 1:
            self.add("Transpose", perm=[0, 2, 3, 1])
            self.add("Reshape")
        rows = weight.reshape(-1, *shape).transpose(2, 3, 1, 0).reshape(-1, len(weight))
        self.add("MatMul", [rows])
        self.add("Add", [bias])


class TransposedExporter(Exporter):
    def matrix(self, weight: np.ndarray, bias: np.ndarray, shape: tuple[int, int, int]) -> None:
        self.add("Gemm", [weight.T.copy(), bias])


AVERAGE = configuration("A-BN").scaled(1 / 16, num_classes=7, head="average")
SPECS = [small("A"), small("D-BN"), AVERAGE, small("A-LRN"), small("C")]


@pytest.mark.parametrize("exporter", [Exporter, KerasExporter, TransposedExporter])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_net_is_read_by_its_nodes(spec: Spec, exporter: Callable[..., Exporter]) -> None:
    state = random_state(spec)
    found = exporter(spec, state).contents()
    recognition = recognise(found, "net")
    assert recognition.spec == spec
    assert recognition.confidence == "guessed"
    weights = weights_of(found, recognition, "net")
    assert all(np.array_equal(weights.state[name], array) for name, array in state.items())


def test_a_head_that_is_no_vgg_s_is_left_out_and_told() -> None:
    spec = small("A")
    for last in ("Sigmoid", "Relu"):
        exporter = Exporter(spec, random_state(spec))
        exporter.nodes[-1]["op_type"] = last
        recognition = recognise(exporter.contents(), "net")
        assert recognition.spec.num_classes is None
        assert recognition.spec.tokens[-1] == "maxpool"
        assert any(remark.startswith("its head is left out") for remark in recognition.evidence)


@pytest.mark.parametrize(("change", "fault"), [
    (lambda nodes: nodes[3]["attributes"].update(pads=[0] * 4), "pads of Conv"),
    (lambda nodes: nodes[3]["attributes"].update(strides=[2, 2]), "strides of Conv"),
    (lambda nodes: nodes[3]["attributes"].update(group=4), "group of Conv"),
    (lambda nodes: nodes[2]["attributes"].update(kernel_shape=[3, 3]), "kernel_shape of MaxPool"),
    (lambda nodes: nodes[2]["attributes"].pop("strides"), "strides of MaxPool"),
    (lambda nodes: nodes[1].update(op_type="Sigmoid"), "Sigmoid is no layer of a VGG"),
    (lambda nodes: nodes[1].update(op_type="Identity"), "a pool follows no ReLU"),
    (lambda nodes: nodes[7].update(op_type="Identity"), "no ReLU lies between"),
])  # fmt: skip
def test_nodes_that_are_no_vgg_s_are_refused(change: Callable[[Nodes], object], fault: str) -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    change(exporter.nodes)
    with pytest.raises(Unfit, match=fault):
        drawn_net(exporter.contents())
    with pytest.raises(ValueError, match=rf"^net: .*by its graph: .*{fault}"):
        recognise(exporter.contents(), "net")


def test_another_normalisation_of_responses_is_refused() -> None:
    spec = small("A-LRN")
    exporter = Exporter(spec, random_state(spec))
    exporter.nodes[2]["attributes"]["alpha"] = 1e-4
    with pytest.raises(Unfit, match=r"the alpha of LRN is 0\.0001, not 0\.0005"):
        drawn_net(exporter.contents())


def test_what_is_done_to_the_picture_first_is_passed_over() -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    first = {"op_type": "Transpose", "name": "", "inputs": ["input"], "outputs": ["picture"],
             "attributes": {"perm": [0, 3, 1, 2]}}  # fmt: skip
    exporter.nodes.insert(0, first)
    assert recognise(exporter.contents(), "net").spec == spec


def test_arrays_that_identity_nodes_hand_on() -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    exporter.nodes[0]["inputs"][1] = "shared"
    same = {"op_type": "Identity", "name": "", "inputs": ["0"], "outputs": ["shared"],
            "attributes": {}}  # fmt: skip
    exporter.nodes.insert(0, same)
    assert recognise(exporter.contents(), "net").spec == spec


def caffe_net(spec: Spec, state: dict[str, np.ndarray], factor: float = 1) -> Contents:
    """Layers by their types; batch norms in Caffe's two layers, the statistics times a factor."""
    types = {"conv": "Convolution", "relu": "ReLU", "maxpool": "Pooling", "lrn": "LRN",
             "fc": "InnerProduct", "dropout": "Dropout", "softmax": "Softmax"}  # fmt: skip
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
            layers.append({"name": name, "type": types[layer.kind], "settings": {}})
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


def test_a_file_without_a_graph_draws_nothing() -> None:
    assert drawn_net(contents({}, "memory", nodes=[{}], layers=[{}])) is None


@pytest.mark.parametrize(("kind", "settings", "fault"), [
    ("Convolution", {"pad": 1, "kernel_size": 3}, None),
    ("Convolution", {"pad": [1, 1], "kernel_size": [3, 3], "stride": 1}, None),
    ("Convolution", {"kernel_size": 3}, "pad of conv1_1 is 0, not 1"),
    ("Convolution", {"pad": 1, "stride": 2}, "stride of conv1_1 is 2, not 1"),
    ("Pooling", {"pool": "MAX", "kernel_size": 2, "stride": 2}, None),
    ("Pooling", {"pool": "AVE", "kernel_size": 2, "stride": 2}, "pool of pool1 is AVE, not MAX"),
    ("Pooling", {"kernel_size": 3, "stride": 2}, "kernel_size of pool1 is 3, not 2"),
    ("LRN", {"k": 2.0, "alpha": 5e-4, "beta": 0.75, "local_size": 5}, None),
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
            drawn_net(found)
