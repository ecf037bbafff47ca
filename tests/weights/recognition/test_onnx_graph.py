"""Nets spelled out by the nodes of ONNX, under names that say nothing."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from published_forms import contents, small
from small_nets import random_state

from vggnet.configurations import configuration
from vggnet.spec import Spec
from vggnet.weights.containers import Contents
from vggnet.weights.files import weights_of
from vggnet.weights.recognition.graphs.onnx_graph import onnx_net
from vggnet.weights.recognition.naming import Unfit
from vggnet.weights.recognition.recognise import recognise
from vggnet.weights.weights import State

Nodes = list[dict[str, Any]]


class Exporter:
    """Writes a net's nodes as an exporter does, with arrays that are only numbered."""

    def __init__(self, spec: Spec, state: State) -> None:
        self.nodes: Nodes = []
        self.arrays: dict[str, np.ndarray] = {}
        self.tensor = "picture"
        self.picture: list[object] = ["N", 3, spec.input_size, spec.input_size]
        self.name = "picture"  # of the graph's input
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
        inputs = {self.name: self.picture}
        return contents(self.arrays, "onnx", nodes=self.nodes, inputs=inputs)

    def before(self, op_type: str, **attributes: object) -> None:
        """A node that the picture goes through first."""
        self.nodes.insert(0, {
            "op_type": op_type, "name": "", "inputs": [f"{self.name}'"], "outputs": [self.name],
            "attributes": attributes,
        })  # fmt: skip
        self.name += "'"


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
AVERAGE_96 = replace(AVERAGE, input_size=96)
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


def test_the_logarithm_of_a_soft_max_ends_a_net_as_the_soft_max_does() -> None:
    spec = small("A")
    file = Exporter(spec, random_state(spec))
    file.nodes[-1]["op_type"] = "LogSoftmax"
    found = recognise(file.contents(), "net")
    assert (found.spec, found.notes) == (spec, ())


@pytest.mark.parametrize("num_classes", [1, 2])
def test_a_sigmoid_of_one_unit_chooses_between_two_classes(num_classes: int) -> None:
    spec = small("A", classes=num_classes)
    state = random_state(spec)
    file = Exporter(spec, state)
    file.nodes[-1]["op_type"] = "Sigmoid"
    found = recognise(file.contents(), "net")
    if num_classes == 1:
        assert found.spec == spec.scaled(num_classes=2)
        assert found.notes == ()
        last = weights_of(file.contents(), found, "net").state["fc8.weight"]
        own = state["fc8.weight"]
        np.testing.assert_array_equal(last, np.vstack([np.zeros_like(own), own]))
    else:
        assert found.spec.num_classes is None
        assert "a sigmoid of several units, each yes or no by itself" in found.notes[0]


def test_a_head_that_is_no_vgg_s_is_left_out_and_told() -> None:
    spec = small("A")
    for last in ("Sigmoid", "Relu"):
        exporter = Exporter(spec, random_state(spec))
        exporter.nodes[-1]["op_type"] = last
        recognition = recognise(exporter.contents(), "net")
        assert recognition.spec.num_classes is None
        assert recognition.spec.tokens[-1] == "maxpool"
        assert any(remark.startswith("its head is left out") for remark in recognition.evidence)


@pytest.mark.parametrize("second", ["Softmax", "Sigmoid", "Relu"])
def test_what_follows_the_soft_max_leaves_no_head(second: str) -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    exporter.add(second)
    recognition = recognise(exporter.contents(), "net")
    assert recognition.spec.num_classes is None
    assert recognition.notes[0].startswith("its head is left out: ")
    assert "Softmax" in recognition.notes[0]


@pytest.mark.parametrize(("change", "fault"), [
    (lambda nodes: nodes[6]["attributes"].update(pads=[2] * 4), r"padding of 4 is \[2, 2, 2, 2\]"),
    (lambda nodes: nodes[8]["attributes"].update(pads=[0] * 4), r"of 6 is \[0, 0, 0, 0\], not 1"),
    (lambda nodes: nodes[3]["attributes"].update(pads=[1, 1]), r"pads are \[1, 1\], not those"),
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
        onnx_net(exporter.contents())
    with pytest.raises(ValueError, match=rf"^net: .*by its graph: .*{fault}"):
        recognise(exporter.contents(), "net")


def test_another_normalisation_of_responses_is_refused() -> None:
    spec = small("A-LRN")
    exporter = Exporter(spec, random_state(spec))
    exporter.nodes[2]["attributes"]["alpha"] = 1e-4
    with pytest.raises(Unfit, match=r"the alpha of LRN is 0\.0001, not 0\.0005"):
        onnx_net(exporter.contents())


def read(exporter: Exporter) -> Spec:
    return recognise(exporter.contents(), "net").spec


def test_a_picture_that_is_only_turned_or_cast_first() -> None:
    exporter = Exporter(AVERAGE_96, random_state(AVERAGE_96))
    exporter.before("Transpose", perm=[0, 3, 1, 2])
    exporter.before("Cast", to=1)
    exporter.before("Identity")
    exporter.picture = [None, 96, 96, 3]
    assert read(exporter) == AVERAGE_96
    exporter.before("Transpose", perm=[0, 2, 3, 1])  # and turned back
    exporter.picture = [None, 3, 96, 96]
    assert read(exporter) == AVERAGE_96


@pytest.mark.parametrize("op_type", ["Mul", "Sub", "Pad", "Conv", "Resize"])
def test_a_picture_that_the_graph_prepares_is_refused(op_type: str) -> None:
    exporter = Exporter(AVERAGE_96, random_state(AVERAGE_96))
    exporter.before("Transpose", perm=[0, 3, 1, 2])
    exporter.before(op_type)
    fault = "Conv" if op_type == "Conv" else rf"prepares the picture itself \({op_type}\)"
    with pytest.raises(ValueError, match=fault):
        read(exporter)


@pytest.mark.parametrize("turns", [[[0, 3, 2, 1]], [[0, 2, 3, 1]], [None], [[0, 3, 1, 2]] * 2])
def test_a_picture_with_its_sides_in_another_order_is_refused(turns: list[object]) -> None:
    exporter = Exporter(AVERAGE_96, random_state(AVERAGE_96))
    for perm in turns:
        exporter.before("Transpose", perm=perm)
    with pytest.raises(ValueError, match=r"prepares the picture itself|in another order"):
        read(exporter)


@pytest.mark.parametrize(("picture", "size"), [
    ([1, 3, 96, 96], 96), (["N", 3, "height", "width"], 224), ([1, 3, 96, 64], 224),
    ([1, 3, None, None], 224), ([1, 3, 0, 0], 224), ([1, 3, -1, -1], 224), ([], 224),
])  # fmt: skip
def test_the_size_that_the_graph_states(picture: list[object], size: int) -> None:
    for spec in (AVERAGE_96, replace(AVERAGE_96, rows=AVERAGE_96.rows[:-3])):
        exporter = Exporter(spec, random_state(spec))
        exporter.picture = picture
        assert read(exporter) == replace(spec, input_size=size)


def test_pools_that_round_up() -> None:
    exporter = Exporter(AVERAGE_96, random_state(AVERAGE_96))
    for node in exporter.nodes:
        if node["op_type"] == "MaxPool":
            node["attributes"]["ceil_mode"] = 1
    assert read(exporter) == AVERAGE_96
    exporter.picture = [1, 3, 100, 100]
    with pytest.raises(ValueError, match="pools round up, and do not divide 100 pixels"):
        read(exporter)


def test_another_epsilon_is_moved_into_the_variance() -> None:
    spec = small("A-BN", input_size=32)
    state = random_state(spec)
    exporter = Exporter(spec, state)
    for node in exporter.nodes:
        if node["op_type"] == "BatchNormalization":
            node["attributes"]["epsilon"] = 1e-3
    found = exporter.contents()
    weights = weights_of(found, recognise(found, "net"), "net")
    for name, array in state.items():
        expected = array + np.float32(1e-3 - 1e-5) if name.endswith("running_var") else array
        assert np.array_equal(weights.state[name], expected), name


def test_a_batch_norm_of_training_is_refused() -> None:
    spec = small("A-BN", input_size=32)
    exporter = Exporter(spec, random_state(spec))
    exporter.nodes[1]["attributes"]["training_mode"] = 1
    with pytest.raises(Unfit, match="training_mode of BatchNormalization"):
        onnx_net(exporter.contents())


@pytest.mark.parametrize("epsilon", ["1e-5", 1])
def test_an_epsilon_that_is_no_number_is_refused(epsilon: object) -> None:
    spec = small("A-BN", input_size=32)
    exporter = Exporter(spec, random_state(spec))
    exporter.nodes[1]["attributes"]["epsilon"] = epsilon
    with pytest.raises(Unfit, match=f"epsilon of the batch norm of 0 is {epsilon}"):
        onnx_net(exporter.contents())


def added_after(exporter: Exporter, op_type: str) -> None:
    """Adds an array to what the first such node gives."""
    place = next(i for i, node in enumerate(exporter.nodes) if node["op_type"] == op_type)
    exporter.arrays["sum"] = np.ones((4, 1, 1), np.float32)
    first = exporter.nodes[place]
    exporter.nodes.insert(place + 1, {
        "op_type": "Add", "name": "", "inputs": ["before", "sum"], "outputs": first["outputs"],
        "attributes": {},
    })  # fmt: skip
    first["outputs"] = ["before"]


@pytest.mark.parametrize(("op_type", "fault"), [
    ("Conv", "0 has a second bias, sum"), ("BatchNormalization", "sum is added to what is no"),
    ("Relu", "sum is added to what is no layer"),
])  # fmt: skip
def test_a_second_bias_is_refused(op_type: str, fault: str) -> None:
    spec = small("A-BN", input_size=32)
    exporter = Exporter(spec, random_state(spec))
    added_after(exporter, op_type)
    with pytest.raises(Unfit, match=fault):
        onnx_net(exporter.contents())


@pytest.mark.parametrize(("name", "value"), [("alpha", 0.5), ("beta", 2.0), ("transA", 1)])
def test_the_factors_of_gemm(name: str, value: object) -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    gemm = next(node for node in exporter.nodes if node["op_type"] == "Gemm")
    gemm["attributes"] |= {"alpha": 1.0, "beta": 1.0, "transA": 0}
    assert read(exporter) == spec
    gemm["attributes"][name] = value
    recognition = recognise(exporter.contents(), "net")
    assert recognition.spec.num_classes is None
    assert any(f"the {name} of Gemm" in remark for remark in recognition.evidence)


class MeanExporter(Exporter):
    """The average as a mean: over axes 2 and 3, or of channels last; axes given either way."""

    def __init__(self, spec: Spec, axes: list[int], last: bool = False, array: bool = True) -> None:
        self.axes, self.last, self.array = axes, last, array
        super().__init__(spec, random_state(spec))

    def add(self, op_type: str, arrays: Sequence[np.ndarray] = (), **attributes: object) -> None:
        if op_type != "GlobalAveragePool":
            super().add(op_type, arrays, **attributes)
            return
        if self.last:
            super().add("Transpose", perm=[0, 2, 3, 1])
        if self.array:
            super().add("ReduceMean", [np.array(self.axes)], keepdims=0)
        else:
            super().add("ReduceMean", axes=self.axes, keepdims=1)
            super().add("Flatten")


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize(("axes", "last", "known"), [
    ([2, 3], False, True), ([-1, -2], False, True), ([1, 2], True, True), ([1], False, False),
    ([1, 2], False, False), ([2, 3], True, False), ([3], False, False), ([], False, False),
])  # fmt: skip
def test_the_axes_of_a_mean(axes: list[int], last: bool, known: bool, array: bool) -> None:
    exporter = MeanExporter(AVERAGE_96, axes, last, array)
    recognition = recognise(exporter.contents(), "net")
    if known:
        assert recognition.spec == AVERAGE_96
    else:
        assert recognition.spec.num_classes is None
        assert any("a mean is over the axes" in remark for remark in recognition.evidence)


def test_a_mean_ends_the_convolutions() -> None:
    spec = small("A")
    for place, fault in ((2, "is a convolution after the average"), (3, "no pool lies before the")):
        exporter = Exporter(spec, random_state(spec))
        mean = {"op_type": "GlobalAveragePool", "name": "", "inputs": ["before"],
                "outputs": exporter.nodes[place]["outputs"], "attributes": {}}  # fmt: skip
        exporter.nodes[place]["outputs"] = ["before"]
        exporter.nodes.insert(place + 1, mean)
        if place == 3:  # not after the pool, but after the ReLU of the second convolution
            relu = exporter.nodes.pop(5)
            relu["inputs"], mean["inputs"] = ["before"], ["rectified"]
            exporter.nodes.insert(4, relu | {"outputs": ["rectified"]})
        with pytest.raises(Unfit, match=fault):
            onnx_net(exporter.contents())


class ConvolutionExporter(Exporter):
    """FC layers as convolutions: all, or as timm has them, all but the last, after an average."""

    timm = False

    def matrix(self, weight: np.ndarray, bias: np.ndarray, shape: tuple[int, int, int]) -> None:
        if self.timm and len(weight) == 7:
            self.add("GlobalAveragePool")
            self.add("Flatten")
            super().matrix(weight, bias, shape)
        else:
            self.add("Conv", [weight.reshape(-1, *shape), bias], pads=[0] * 4, strides=[1, 1])


class TimmExporter(ConvolutionExporter):
    timm = True


@pytest.mark.parametrize(("spec", "exporter"), [
    (small("A"), ConvolutionExporter), (small("C", 96), ConvolutionExporter),
    (AVERAGE, ConvolutionExporter), (small("C"), TimmExporter), (small("D-BN", 224), TimmExporter),
])  # fmt: skip
def test_fc_layers_as_convolutions(spec: Spec, exporter: Callable[..., Exporter]) -> None:
    state = random_state(spec)
    found = exporter(spec, state).contents()
    recognition = recognise(found, "net")
    assert recognition.spec == spec
    weights = weights_of(found, recognition, "net")
    assert all(np.array_equal(weights.state[name], array) for name, array in state.items())


def test_a_small_convolution_after_a_pool_is_none_of_them() -> None:
    rows = ("conv3-8", "maxpool", "conv1-8 conv3-8", "maxpool", "FC-9 FC-7 soft-max")
    spec = Spec("mine", rows, 32)
    assert read(ConvolutionExporter(spec, random_state(spec))).tokens == spec.tokens


def test_layers_that_are_given_channels_last_are_refused() -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    turn = {"op_type": "Transpose", "name": "", "inputs": ["before"], "outputs": ["turned"],
            "attributes": {"perm": [0, 2, 3, 1]}}  # fmt: skip
    exporter.nodes[1]["outputs"] = ["before"]
    exporter.nodes[2]["inputs"] = ["turned"]
    exporter.nodes.insert(2, turn)
    with pytest.raises(Unfit, match="MaxPool is given channels last"):
        onnx_net(exporter.contents())


def test_a_kernel_that_is_not_square_is_refused() -> None:
    spec = small("A", 224)
    exporter = ConvolutionExporter(spec, random_state(spec))
    name = next(name for name, array in exporter.arrays.items() if array.shape[2:] == (7, 7))
    exporter.arrays[name] = exporter.arrays[name].reshape(-1, 32, 1, 49)
    with pytest.raises(Unfit, match=rf"the kernel of {name} is 1 x 49, not square"):
        onnx_net(exporter.contents())


def test_arrays_that_identity_nodes_hand_on() -> None:
    spec = small("A")
    exporter = Exporter(spec, random_state(spec))
    exporter.nodes[0]["inputs"][1] = "shared"
    same = {"op_type": "Identity", "name": "", "inputs": ["0"], "outputs": ["shared"],
            "attributes": {}}  # fmt: skip
    exporter.nodes.insert(0, same)
    assert recognise(exporter.contents(), "net").spec == spec
