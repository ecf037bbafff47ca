"""Which files have a graph; the graphs that we write ourselves, read back."""

from pathlib import Path

import numpy as np
import pytest
from published_forms import contents, small
from small_nets import random_state

from vggnet.configurations import configuration
from vggnet.spec import Spec
from vggnet.weights.containers import caffe_files, onnx_files
from vggnet.weights.export.caffe_network import write_caffe
from vggnet.weights.export.onnx_network import write_onnx
from vggnet.weights.files import weights_of
from vggnet.weights.recognition.graphs.graph import drawn_net, usual_convention
from vggnet.weights.recognition.recognise import recognise

AVERAGE = configuration("B-BN").scaled(1 / 16, input_size=96, num_classes=7, head="average")


@pytest.mark.parametrize(("to", "spec"), [
    ("onnx", small("A-BN", input_size=70)),  # whose pools leave out an edge
    *((to, spec) for to in ("onnx", "caffe") for spec in (small("A-LRN"), small("C"), AVERAGE)),
])  # fmt: skip
def test_what_we_write_comes_back(tmp_path: Path, to: str, spec: Spec) -> None:
    state, path = random_state(spec), tmp_path / "net"
    if to == "onnx":
        write_onnx(path, spec, state)
        found = onnx_files.read(path)
    else:
        write_caffe(path, tmp_path / "deploy", spec, state)
        found = caffe_files.read(path)
    recognition = recognise(found, "net")
    assert recognition.spec.rows == spec.rows
    assert recognition.spec.batch_norm == spec.batch_norm
    if not spec.any_size or to == "caffe":  # an ONNX file of any size states none
        assert recognition.spec == spec
    weights = weights_of(found, recognition, "net")
    assert all(np.array_equal(weights.state[name], array) for name, array in state.items())


def test_a_file_without_a_graph_draws_nothing() -> None:
    assert drawn_net(contents({}, "memory", nodes=[{}], layers=[{}])) is None


@pytest.mark.parametrize(("name", "convention"), [
    ("block1_conv1/kernel:0", "keras"), ("conv1_1/0", "oxford"), ("onnx::Conv_1", "torchvision"),
])  # fmt: skip
def test_the_exporter_of_names(name: str, convention: str) -> None:
    assert usual_convention(contents({name: np.zeros(1)})) == convention
