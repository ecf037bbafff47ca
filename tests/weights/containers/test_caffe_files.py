"""Caffe's files: as Google's protobuf writes them, as ours are read by it, and damaged ones.

Legend: the schema is caffe.proto's, as far as it goes here, with its field numbers and options.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import check_damaged
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from vggnet.weights.containers import Contents, caffe_files
from vggnet.weights.containers.caffe_files import CaffeLayer

SCHEMA = {  # message: {field: (number, type, is it repeated)}
    "BlobShape": {"dim": (1, "int64", True)},
    "Blob": {
        "num": (1, "int32", False), "channels": (2, "int32", False), "height": (3, "int32", False),
        "width": (4, "int32", False), "data": (5, "float", True), "shape": (7, "BlobShape", False),
        "double_data": (8, "double", True),
    },
    "Convolution": {
        "num_output": (1, "uint32", False), "pad": (3, "uint32", True),
        "kernel_size": (4, "uint32", True), "group": (5, "uint32", False),
        "stride": (6, "uint32", True), "pad_h": (9, "uint32", False),
        "pad_w": (10, "uint32", False), "stride_h": (13, "uint32", False),
        "stride_w": (14, "uint32", False), "dilation": (18, "uint32", True),
    },
    "InnerProduct": {"axis": (5, "int32", False), "transpose": (6, "bool", False)},
    "Pooling": {
        "pool": (1, "int32", False), "kernel_size": (2, "uint32", False),
        "pad": (4, "uint32", False), "kernel_h": (5, "uint32", False),
        "kernel_w": (6, "uint32", False), "stride_h": (7, "uint32", False),
        "stride_w": (8, "uint32", False), "pad_h": (9, "uint32", False),
        "pad_w": (10, "uint32", False), "round_mode": (13, "int32", False),
    },
    "Power": {
        "power": (1, "float", False), "scale": (2, "float", False), "shift": (3, "float", False),
    },
    "ReLU": {"negative_slope": (1, "float", False)},
    "BatchNorm": {"use_global_stats": (1, "bool", False), "eps": (3, "float", False)},
    "LRN": {
        "local_size": (1, "uint32", False), "alpha": (2, "float", False),
        "norm_region": (4, "int32", False),
    },
    "Input": {"shape": (1, "BlobShape", True)},
    "V1Layer": {
        "layer": (1, "Blob", False), "bottom": (2, "string", True), "top": (3, "string", True),
        "name": (4, "string", False), "type": (5, "int32", False), "blobs": (6, "Blob", True),
        "blobs_lr": (7, "float", True), "convolution_param": (10, "Convolution", False),
        "inner_product_param": (17, "InnerProduct", False), "lrn_param": (18, "LRN", False),
        "pooling_param": (19, "Pooling", False), "power_param": (21, "Power", False),
        "relu_param": (30, "ReLU", False),
    },
    "Layer": {
        "name": (1, "string", False), "type": (2, "string", False), "bottom": (3, "string", True),
        "top": (4, "string", True), "blobs": (7, "Blob", True),
        "convolution_param": (106, "Convolution", False),
        "inner_product_param": (117, "InnerProduct", False), "lrn_param": (118, "LRN", False),
        "pooling_param": (121, "Pooling", False), "power_param": (122, "Power", False),
        "relu_param": (123, "ReLU", False), "batch_norm_param": (139, "BatchNorm", False),
        "input_param": (143, "Input", False),
    },
    "Net": {
        "name": (1, "string", False), "layers": (2, "V1Layer", True), "input": (3, "string", True),
        "input_dim": (4, "int32", True), "input_shape": (8, "BlobShape", True),
        "layer": (100, "Layer", True),
    },
}  # fmt: skip
PACKED = {("BlobShape", "dim"), ("Blob", "data"), ("Blob", "double_data")}


@cache
def schema(packed: bool) -> Any:
    """The messages' classes by name; with `packed` False, each number lies behind its own tag."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="net.proto", package="caffe", syntax="proto2")
    for name, fields in SCHEMA.items():
        message = file.message_type.add(name=name)
        for field, (number, kind, repeated) in fields.items():
            added = message.field.add(name=field, number=number)
            added.label = kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL
            if kind in SCHEMA:
                added.type, added.type_name = kinds.TYPE_MESSAGE, f".caffe.{kind}"
            else:
                added.type = getattr(kinds, f"TYPE_{kind.upper()}")
            added.options.packed = packed and (name, field) in PACKED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))
        for name in SCHEMA
    }


WEIGHTS = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype(np.float32)
BIASES = np.arange(4, dtype=np.float32)
FC = np.random.default_rng(1).standard_normal((5, 64)).astype(np.float32)


def old_net(packed: bool = True) -> Any:
    """A net of 2013: V1 layers, blobs with four sides."""
    net = schema(packed)["Net"](name="VGG_small", input=["data"], input_dim=[10, 3, 8, 8])
    first = net.layers.add(name="conv1_1", type=4, bottom=["data"], top=["conv1_1"])
    first.blobs_lr.extend([1, 2])
    first.blobs.add(num=4, channels=3, height=3, width=3, data=WEIGHTS.ravel())
    first.blobs.add(num=1, channels=1, height=1, width=4, data=BIASES)
    first.convolution_param.MergeFrom(schema(packed)["Convolution"](pad=[1], kernel_size=[3, 3]))
    net.layers.add(name="norm", type=15).lrn_param.alpha = 0.25
    net.layers.add(name="pool1", type=17).pooling_param.pool = 1
    net.layers.add(name="relu1_1", type=18, bottom=["conv1_1"], top=["conv1_1"])
    net.layers.add(name="loss", type=37)
    last = net.layers.add(name="fc6", type=14, bottom=["conv1_1"], top=["fc6"])
    last.blobs.add(num=1, channels=1, height=5, width=64, data=FC.ravel())
    return net


def new_net(packed: bool = True) -> Any:
    """A net of today: blobs with a BlobShape, one of them in double precision."""
    net = schema(packed)["Net"](name="VGG_small")
    data = net.layer.add(name="data", type="Input", top=["data"])
    data.input_param.shape.add(dim=[1, 3, 8, 8])
    first = net.layer.add(name="conv1_1", type="Convolution", bottom=["data"], top=["conv1_1"])
    for array in (WEIGHTS, BIASES):
        first.blobs.add(data=array.ravel()).shape.dim.extend(array.shape)
    last = net.layer.add(name="fc6", type="InnerProduct", bottom=["conv1_1"], top=["fc6"])
    last.blobs.add(double_data=FC.ravel()).shape.dim.extend(FC.shape)
    return net


def saved(path: Path, net: Any) -> Path:
    path.write_bytes(net.SerializeToString())
    return path


def load_all(path: Path) -> Contents:
    contents = caffe_files.read(path)
    for array in contents.arrays.values():
        loaded = array.load()
        assert (loaded.shape, loaded.dtype) == (array.shape, array.dtype)
        loaded.tobytes()
    return contents


@pytest.mark.parametrize("packed", [True, False])
def test_layers_of_2013(tmp_path: Path, packed: bool) -> None:
    path = saved(tmp_path / "net", old_net(packed))
    contents = load_all(path)
    arrays = {name: array.load() for name, array in contents.arrays.items()}
    assert list(arrays) == ["conv1_1/0", "conv1_1/1", "fc6/0"]
    assert np.array_equal(arrays["conv1_1/0"], WEIGHTS)
    assert np.array_equal(arrays["conv1_1/1"], BIASES.reshape(1, 1, 1, 4))
    assert np.array_equal(arrays["fc6/0"], FC.reshape(1, 1, 5, 64))
    assert not arrays["conv1_1/0"].flags.writeable
    assert arrays["conv1_1/0"].base is not None  # a view of the file
    assert contents.metadata == {
        "layers": [
            {
                "name": "conv1_1",
                "type": "Convolution",
                "settings": {"pad": 1, "kernel_size": [3, 3]},
            },
            {"name": "norm", "type": "LRN", "settings": {"alpha": 0.25}},
            {"name": "pool1", "type": "Pooling", "settings": {"pool": "AVE"}},
            {"name": "relu1_1", "type": "ReLU", "settings": {}},
            {"name": "loss", "type": "V1 type 37", "settings": {}},
            {"name": "fc6", "type": "InnerProduct", "settings": {}},
        ],
        "input_shape": [10, 3, 8, 8],
    }


@pytest.mark.parametrize("packed", [True, False])
def test_layers_of_today(tmp_path: Path, packed: bool) -> None:
    contents = load_all(saved(tmp_path / "net", new_net(packed)))
    arrays = {name: array.load() for name, array in contents.arrays.items()}
    assert np.array_equal(arrays["conv1_1/0"], WEIGHTS)
    assert np.array_equal(arrays["conv1_1/1"], BIASES)
    assert arrays["fc6/0"].dtype == np.float64
    assert np.array_equal(arrays["fc6/0"], FC)
    assert contents.metadata["input_shape"] == [1, 3, 8, 8]


SETTINGS = {  # type: the V1 number, if any, the message, and what is set
    "Convolution": (4, "Convolution", {"group": 2, "pad_h": 1, "pad_w": 2, "stride_h": 3,
                                       "stride_w": 4, "dilation": 5}),
    "InnerProduct": (14, "InnerProduct", {"axis": 2, "transpose": True}),
    "Pooling": (17, "Pooling", {"pool": "AVE", "pad": 1, "kernel_h": 2, "kernel_w": 3,
                                "stride_h": 4, "stride_w": 5, "pad_h": 6, "pad_w": 7,
                                "round_mode": 1}),
    "Power": (26, "Power", {"power": 0.5, "scale": 2.0, "shift": -1.0}),
    "ReLU": (18, "ReLU", {"negative_slope": 0.25}),
    "LRN": (15, "LRN", {"norm_region": 1}),
    "BatchNorm": (0, "BatchNorm", {"use_global_stats": True, "eps": 0.0009765625}),
}  # fmt: skip
FIELDS = {"InnerProduct": "inner_product", "BatchNorm": "batch_norm"}


@pytest.mark.parametrize(("kind", "v1"), [
    *((kind, False) for kind in SETTINGS), *((kind, True) for kind in SETTINGS if SETTINGS[kind][0])
])  # fmt: skip
def test_what_is_set_in_a_layer(tmp_path: Path, kind: str, v1: bool) -> None:
    number, message, settings = SETTINGS[kind]
    net = schema(True)["Net"]()
    layer = net.layers.add(name="a", type=number) if v1 else net.layer.add(name="a", type=kind)
    found = getattr(layer, f"{FIELDS.get(kind, kind.lower())}_param")
    found.MergeFrom(schema(True)[message](**{
        name: {"AVE": 1}.get(value, value) if isinstance(value, str) else [value]
        if name == "dilation" else value for name, value in settings.items()
    }))  # fmt: skip
    assert load_all(saved(tmp_path / "net", net)).metadata["layers"] == [
        {"name": "a", "type": kind, "settings": settings}
    ]


def test_what_we_write_google_reads(tmp_path: Path) -> None:
    settings = {"num_output": 4, "pad": 1, "kernel_size": 3, "stride": 2}
    transposed = FC.T  # not contiguous
    layers = [
        CaffeLayer("conv1_1", "Convolution", "data", "conv1_1", settings, [WEIGHTS, BIASES]),
        CaffeLayer("norm", "LRN", "conv1_1", "norm", {"local_size": 5, "alpha": 0.25}),
        CaffeLayer("pool", "Pooling", "norm", "pool", {"pool": "AVE", "kernel_size": 2}),
        CaffeLayer("fc6", "InnerProduct", "pool", "fc6", {"num_output": 64}, [transposed]),
    ]
    path = tmp_path / "net"
    caffe_files.write(path, "small", (1, 3, 8, 8), layers)
    net = schema(True)["Net"].FromString(path.read_bytes())
    assert (net.name, list(net.input), list(net.input_shape[0].dim)) == (
        "small", ["data"], [1, 3, 8, 8],
    )  # fmt: skip
    assert [(each.name, each.type, each.bottom[0], each.top[0]) for each in net.layer] == [
        (each.name, each.type, each.bottom, each.top) for each in layers
    ]
    parameters = net.layer[0].convolution_param
    assert (parameters.num_output, parameters.pad, parameters.kernel_size, parameters.stride) == (
        4, [1], [3], [2],
    )  # fmt: skip
    assert net.layer[1].lrn_param.alpha == 0.25
    assert net.layer[2].pooling_param.pool == 1
    blob = net.layer[3].blobs[0]
    assert np.array_equal(np.array(blob.data, np.float32).reshape(blob.shape.dim), transposed)
    assert caffe_files.read(path).metadata["layers"] == [
        {"name": each.name, "type": each.type, "settings": each.settings} for each in layers
    ]
    assert net.SerializeToString() == path.read_bytes()  # nothing that the schema does not know


def test_round_trip_is_exact(tmp_path: Path) -> None:
    unusual = np.array([0.0, -0.0, 1e-45, 3.4e38, np.nan, np.inf], np.float32)
    caffe_files.write(tmp_path / "net", "é", (1, 3, 1, 1), [
        CaffeLayer("a", "InnerProduct", "data", "a", {}, [unusual]),
    ])  # fmt: skip
    contents = load_all(tmp_path / "net")
    assert contents.arrays["a/0"].load().tobytes() == unusual.tobytes()
    assert schema(True)["Net"].FromString((tmp_path / "net").read_bytes()).name == "é"


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="layer 'a': ReLU has no pad"):
        CaffeLayer("a", "ReLU", "data", "a", {"pad": 1})


@pytest.mark.parametrize("net", [old_net(), new_net(), old_net(False)])
def test_recognised_by_content(net: Any) -> None:
    content = net.SerializeToString()
    for size in (64, 100, len(content)):
        assert caffe_files.recognises(content[:size])


@pytest.mark.parametrize(
    "head",
    [
        b"", b"\n", b"\x80\x02}q\x00" * 30, b"PK\x03\x04" * 30, b"\x89HDF\r\n\x1a\n" * 30,
        b"\x93NUMPY\x01\x00v\x00{'descr'" * 5, b"\nA text that begins with an empty line" * 9,
        bytes(100), b"\x08\x08\x12\x07pytorch\x1a\x031.2" * 9, b"\x0a\x03\x01\x02\x03\x12\x02\x22",
        b"MATLAB 5.0 MAT-file, Platform: posix" * 4,
    ],
)  # fmt: skip
def test_other_files_are_not_recognised(head: bytes) -> None:
    assert not caffe_files.recognises(head)


def faulty(change: Any) -> Any:
    net = new_net()
    change(net)
    return net


@pytest.mark.parametrize(
    ("net", "fault"),
    [
        (faulty(lambda net: net.layer[2].blobs.add()), r"blob 1 of 'fc6': .* \(\), .* 0 numbers"),
        (faulty(lambda net: net.layer[1].blobs[0].shape.dim.append(2)), r"3, 3, 2\), .* 108 num"),
        (faulty(lambda net: net.layer[1].blobs[0].shape.dim.append(-2)), "no array has the shape"),
        (faulty(lambda net: net.layer[1].MergeFrom(net.layer[1])), None),
        (faulty(lambda net: net.layer.add().CopyFrom(net.layer[1])), "two layers .* 'conv1_1'"),
        (faulty(lambda net: net.ClearField("layer")), "empty file|it has no layers"),
        (faulty(lambda net: net.layers.add().layer.SetInParent()), r"\(V0\); run upgrade"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, net: Any, fault: str | None) -> None:
    path = saved(tmp_path / "net", net)
    if fault is None:  # two more blobs in one layer are none
        assert len(load_all(path).arrays) == 5
        return
    with pytest.raises(ValueError, match=f"^{path}: .*{fault}"):
        caffe_files.read(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^{tmp_path / 'none'}: No such file"):
        caffe_files.read(tmp_path / "none")


@pytest.mark.parametrize("seed", range(2))
def test_damaged_files(tmp_path: Path, seed: int) -> None:
    net = [old_net, new_net][seed](packed=False)
    num_refused = check_damaged(load_all, saved(tmp_path / "net", net), seed)
    assert num_refused > 20
