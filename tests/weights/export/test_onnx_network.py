"""The network as an ONNX file, computed by ONNX Runtime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comparison import relative_error
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

from vggnet import engines
from vggnet.spec import Spec
from vggnet.torch_network import Network
from vggnet.weights.containers import onnx_files
from vggnet.weights.export.onnx_network import write_onnx
from vggnet.weights.rewrite import fully_convolutional

DENSE, _ = fully_convolutional(FULLY_CONNECTED, random_state(FULLY_CONNECTED))
AVERAGED_FEATURES = Spec("averaged-features", ("conv3-6", "avgpool"), 16)


def session(path: Path) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 1  # a warning in its output would be a fault of the file
    return runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    "spec", [EVERYTHING, FULLY_CONNECTED, AVERAGE, HEADLESS, DENSE, AVERAGED_FEATURES],
    ids=lambda spec: spec.name,
)  # fmt: skip
def test_onnx_runtime_computes_the_same(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], spec: Spec
) -> None:
    package = pytest.importorskip("onnx")
    path, state = tmp_path / "net.onnx", random_state(spec)
    write_onnx(path, spec, state)
    package.checker.check_model(path, full_check=True)
    net = session(path)
    engine = engines.create("numpy", spec, state)
    size = spec.input_size
    sizes = [(size, size), (size + 5, size + 2)] if spec.any_size else [(size, size)]
    for number, (height, width) in [(number, side) for number in (1, 3) for side in sizes]:
        images_NCHW = random_images(number, height, width)
        expected = engine.features(images_NCHW, [spec.logits_layer])[spec.logits_layer]
        name = "logits" if spec.num_classes else "features"
        (found,) = net.run([name], {"images": images_NCHW})
        assert relative_error(found, expected) < 1e-5
    assert "Warning" not in capfd.readouterr().err


def test_the_file_has_the_state_and_the_free_sizes(tmp_path: Path) -> None:
    state = random_state(EVERYTHING)
    write_onnx(tmp_path / "net", EVERYTHING, state, {"spec": "{}"})
    contents = onnx_files.read(tmp_path / "net")
    assert set(contents.arrays) == set(state)
    for name, array in contents.arrays.items():
        assert array.load().tobytes() == state[name].tobytes()
    assert contents.metadata["inputs"] == {"images": ["N", 3, 24, 24]}
    assert contents.metadata["properties"] == {"spec": "{}"}
    write_onnx(tmp_path / "net", AVERAGE, random_state(AVERAGE))
    contents = onnx_files.read(tmp_path / "net")
    assert contents.metadata["inputs"] == {"images": ["N", 3, "height", "width"]}


@pytest.mark.filterwarnings("ignore:You are using the legacy:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The feature will be removed:DeprecationWarning")
def test_torch_export_is_read(tmp_path: Path) -> None:
    """What torch itself exports of the module, by the exporter that needs no other package."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    state = random_state(FULLY_CONNECTED)
    network = Network(FULLY_CONNECTED, None)
    tensors = {name: torch.tensor(array) for name, array in state.items()}
    network.load_state_dict(tensors, assign=True)
    plain = torch.nn.Sequential()
    for layer in FULLY_CONNECTED.layers[:-1]:
        if layer.name == "fc3":
            plain.add_module("flatten", torch.nn.Flatten())
        plain.add_module(layer.name, network.get_submodule(layer.name))
    images = torch.zeros(1, 3, 16, 16)
    torch.onnx.export(plain.eval(), (images,), tmp_path / "net", dynamo=False, verbose=False)
    contents = onnx_files.read(tmp_path / "net")
    assert set(contents.arrays) == set(state)
    for name, array in contents.arrays.items():
        assert np.array_equal(array.load(), state[name])
    nodes = contents.metadata["nodes"]
    assert isinstance(nodes, list)
    kinds = [node["op_type"] for node in nodes if node["op_type"] in ("Conv", "Relu", "Gemm")]
    assert kinds == ["Conv", "Relu", "Conv", "Relu", "Gemm", "Relu", "Gemm"]


def test_strided_arrays_are_written(tmp_path: Path) -> None:
    state = random_state(FULLY_CONNECTED)
    strided = {name: np.asfortranarray(array) for name, array in state.items()}
    write_onnx(tmp_path / "a", FULLY_CONNECTED, state)
    write_onnx(tmp_path / "b", FULLY_CONNECTED, strided)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_state_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    state = random_state(AVERAGE)
    del state["fc3.bias"]
    with pytest.raises(ValueError, match=f"^{tmp_path / 'net'}: .*missing: fc3.bias"):
        write_onnx(tmp_path / "net", AVERAGE, state)
    assert list(tmp_path.iterdir()) == []
