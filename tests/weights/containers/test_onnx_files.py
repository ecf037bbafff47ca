"""ONNX files: as the onnx package writes them, as ours are read by it, and damaged ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import check_damaged

from vggnet.weights.containers import Contents, onnx_files
from vggnet.weights.containers.onnx_files import Graph, Node

package = pytest.importorskip("onnx")
helper, numpy_helper = package.helper, package.numpy_helper
TYPES = package.TensorProto

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.standard_normal((4, 3, 3, 3)).astype(np.float32)
BIASES = np.arange(4, dtype=np.float32)
FC = RANDOM.standard_normal((6, 5)).astype(np.float32)


def model_of(tensors: list[Any], nodes: list[Any] | None = None, **arguments: Any) -> Any:
    images = helper.make_tensor_value_info("images", TYPES.FLOAT, ["N", 3, 8, 8])
    scores = helper.make_tensor_value_info("scores", TYPES.FLOAT, [None, 5])
    conv = helper.make_node("Conv", ["images", "w"], ["scores"], kernel_shape=[3, 3], group=1)
    graph = helper.make_graph(nodes or [conv], "net", [images], [scores], tensors)
    return helper.make_model(graph, ir_version=8, producer_name="pytorch", **arguments)


def saved(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def load_all(path: Path) -> Contents:
    contents = onnx_files.read(path)
    for array in contents.arrays.values():
        loaded = array.load()
        assert (loaded.shape, loaded.dtype) == (array.shape, array.dtype)
        loaded.tobytes()
    return contents


def loaded(path: Path, *tensors: Any) -> dict[str, Any]:
    contents = load_all(saved(path, model_of(list(tensors))))
    return {name: array.load() for name, array in contents.arrays.items()}


def test_raw_bytes_are_views_of_the_file(tmp_path: Path) -> None:
    arrays = loaded(tmp_path / "net", numpy_helper.from_array(WEIGHTS, "features.0.weight"),
                    numpy_helper.from_array(BIASES, "onnx::Conv_123"))  # fmt: skip
    assert list(arrays) == ["features.0.weight", "onnx::Conv_123"]
    assert np.array_equal(arrays["features.0.weight"], WEIGHTS)
    assert np.array_equal(arrays["onnx::Conv_123"], BIASES)
    for array in arrays.values():
        assert not array.flags.writeable
        assert array.base is not None


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("FLOAT", "f4"), ("DOUBLE", "f8"), ("FLOAT16", "f2"), ("INT64", "i8"), ("INT32", "i4"),
        ("UINT8", "u1"), ("INT8", "i1"), ("UINT64", "u8"), ("BOOL", "?"), ("INT16", "i2"),
    ],
)  # fmt: skip
def test_data_types_raw_and_in_typed_fields(tmp_path: Path, kind: str, dtype: str) -> None:
    array = (100 * FC).astype(np.int64).astype(dtype) if dtype[0] in "u?i" else FC.astype(dtype)
    code = getattr(TYPES, kind)
    typed = helper.make_tensor("typed", code, array.shape, array.ravel())
    raw = helper.make_tensor("raw", code, array.shape, array.tobytes(), raw=True)
    assert not typed.HasField("raw_data")
    assert raw.HasField("raw_data")
    for found in loaded(tmp_path / "net", typed, raw).values():
        assert found.dtype == np.dtype(dtype)
        assert np.array_equal(found, array)


def test_bf16_is_widened(tmp_path: Path) -> None:
    upper = FC.view(np.uint32) >> 16
    expected = (upper << 16).view(np.float32)
    raw = helper.make_tensor(
        "raw", TYPES.BFLOAT16, FC.shape, upper.astype(np.uint16).tobytes(), raw=True
    )
    typed = TYPES(name="typed", data_type=TYPES.BFLOAT16, dims=FC.shape, int32_data=upper.ravel())
    for found in loaded(tmp_path / "net", raw, typed).values():
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)


def test_the_graph(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(WEIGHTS, "value")),
        helper.make_node("Transpose", ["images"], ["t"], name="first", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"], kernel_shape=[3, 3], auto_pad="SAME_UPPER"),
        helper.make_node("LRN", ["c"], ["n"], size=5, alpha=0.5),
        helper.make_node("Gemm", ["n", "fc"], ["scores"], transB=1),
    ]
    model = model_of([numpy_helper.from_array(FC, "fc")], nodes)
    model.graph.input.add().CopyFrom(  # as files before IR version 4 have it
        helper.make_tensor_value_info("fc", TYPES.FLOAT, FC.shape)
    )
    helper.set_model_props(model, {"source": "a test"})
    contents = load_all(saved(tmp_path / "net", model))
    assert list(contents.arrays) == ["fc", "w"]
    assert np.array_equal(contents.arrays["w"].load(), WEIGHTS)
    metadata = dict(contents.metadata)
    found = metadata.pop("nodes")
    assert isinstance(found, list)
    assert metadata == {
        "properties": {"source": "a test"}, "inputs": {"images": ["N", 3, 8, 8]},
    }  # fmt: skip
    assert [node["op_type"] for node in found] == ["Constant", "Transpose", "Conv", "LRN", "Gemm"]
    assert found[1] == {
        "op_type": "Transpose", "name": "first", "inputs": ["images"], "outputs": ["t"],
        "attributes": {"perm": [0, 3, 1, 2]},
    }  # fmt: skip
    assert found[2]["attributes"] == {"kernel_shape": [3, 3], "auto_pad": "SAME_UPPER"}
    assert found[3]["attributes"] == {"size": 5, "alpha": 0.5}
    assert found[4]["attributes"] == {"transB": 1}


def test_what_we_write_the_package_reads(tmp_path: Path) -> None:
    unusual = np.array([[0.0, -0.0, 1e-45], [3.4e38, np.nan, np.inf]], np.float32)
    graph = Graph(
        "é",
        [Node("Conv", ["images", "w"], ["c"], {"kernel_shape": [3, 3], "pads": [1, 0, 1, 0]}),
         Node("LRN", ["c"], ["scores"], {"size": 5, "alpha": 0.25})],
        {"w": WEIGHTS, "transposed": FC.T, "unusual": unusual},
        {"images": ("N", 3, 8, 8)},
        {"scores": ("N", 4, "rows", "columns")},
    )  # fmt: skip
    path = tmp_path / "net"
    onnx_files.write(path, graph, {"key": "value"})
    model = package.load(path)
    package.checker.check_model(model, full_check=True)
    found = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    ours = {name: array.load() for name, array in load_all(path).arrays.items()}
    for name, array in graph.initialisers.items():
        assert found[name].tobytes() == ours[name].tobytes() == array.tobytes()
    assert model.producer_name == "vggnet"
    assert model.graph.name == "é"
    assert [(each.key, each.value) for each in model.metadata_props] == [("key", "value")]
    assert [
        {each.name: helper.get_attribute_value(each) for each in node.attribute}
        for node in model.graph.node
    ] == [node.attributes for node in graph.nodes]
    (output,) = model.graph.output
    sides = [side.dim_param or side.dim_value for side in output.type.tensor_type.shape.dim]
    assert (output.name, sides) == ("scores", ["N", 4, "rows", "columns"])


def test_recognised_by_content() -> None:
    content = model_of([numpy_helper.from_array(WEIGHTS, "w")]).SerializeToString()
    for size in (64, 100, len(content)):
        assert onnx_files.recognises(content[:size])


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\x08", b"\x08\x08", b"\x80\x02}q\x00" * 30, b"PK\x03\x04" * 30, bytes(100),
        b"\x89HDF\r\n\x1a\n" * 30, b"\x93NUMPY\x01\x00v\x00{'descr'" * 5, b"\n\x05VGG16\x12\x30",
        b"\x08\x01\x00\x00\x00\x00\x00\x00{\"__metadata__\":{}}" * 4, b"\x08\xff\xff\x7f\x12\x01a",
    ],
)  # fmt: skip
def test_other_files_are_not_recognised(head: bytes) -> None:
    assert not onnx_files.recognises(head)


def _external() -> Any:
    tensor = numpy_helper.from_array(WEIGHTS, "w")
    package.external_data_helper.set_external_data(tensor, "weights.bin")
    tensor.ClearField("raw_data")
    return tensor


@pytest.mark.parametrize(
    ("tensor", "fault"),
    [
        (_external(), "initialiser 'w': it lies in another file; save the model in one"),
        (helper.make_tensor("s", TYPES.STRING, [1], [b"a"]), "'s': data type 8 is not read"),
        (TYPES(name="w", data_type=1, dims=[2], raw_data=bytes(4)), r"shape is \(2,\), .* 1 num"),
        (TYPES(name="w", data_type=1, dims=[2], raw_data=bytes(9)), "9 bytes are no whole number"),
        (TYPES(name="w", data_type=10, dims=[2], int32_data=[1]), r"shape is \(2,\), .* 1 num"),
        (TYPES(name="w", data_type=1, dims=[-1], raw_data=bytes(4)), "no array has the shape"),
        (TYPES(data_type=1, dims=[1], raw_data=bytes(4)), "initialiser '': it has no name"),
        (numpy_helper.from_array(BIASES, "same"), "initialiser 'same': two have this name"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, tensor: Any, fault: str) -> None:
    path = saved(tmp_path / "net", model_of([numpy_helper.from_array(BIASES, "same"), tensor]))
    with pytest.raises(ValueError, match=f"^{path}: .*{fault}"):
        onnx_files.read(path)


def test_no_graph(tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(package.ModelProto(ir_version=8).SerializeToString())
    with pytest.raises(ValueError, match="it has no graph"):
        onnx_files.read(tmp_path / "net")


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files(tmp_path: Path, seed: int) -> None:
    """Raw bytes, and in typed fields."""
    tensors = [numpy_helper.from_array(WEIGHTS, "w"), numpy_helper.from_array(FC, "fc")]
    if seed:
        tensors = [helper.make_tensor("w", TYPES.FLOAT, WEIGHTS.shape, WEIGHTS.ravel()),
                   helper.make_tensor("fc", TYPES.FLOAT16, FC.shape, FC.ravel())]  # fmt: skip
    constant = helper.make_node("Constant", [], ["b"], value=numpy_helper.from_array(BIASES, "b"))
    nodes = [constant, *(helper.make_node("Relu", [f"{i}"], [f"{i + 1}"]) for i in range(20))]
    assert check_damaged(load_all, saved(tmp_path / "net", model_of(tensors, nodes)), seed) > 20
