"""Weights as files of other libraries: what is kept to the bit, what is folded, what is told."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from comparison import relative_error
from places import EXAMPLES
from published_forms import flipped, frossard, small
from published_forms import timm as timm_names
from published_forms import torchvision as torch_names
from safetensors.numpy import load_file
from small_nets import EVERYTHING, random_images, random_state

from vggnet.class_lists import labels
from vggnet.configurations import configuration
from vggnet.engines.reference import ReferenceEngine
from vggnet.model import load
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import files, save
from vggnet.weights.export.convert import TARGETS, convert, in_convention
from vggnet.weights.recognition.conventions import CONVENTIONS
from vggnet.weights.weights import Weights

SPEC = small("A")
NAMES = {
    "vggnet": "net.safetensors",
    "torchvision": "net.pth",
    "timm": "net.safetensors",
    "keras": "net.weights.h5",
    "frossard": "net.npz",
    "tensorflow-vgg": "net.npy",
    "caffe": "net.caffemodel",
    "onnx": "net.onnx",
}
PREPROCESS = {
    "torchvision": Preprocess.torchvision(73, 64),
    "timm": Preprocess.torchvision(73, 64),
    "keras": Preprocess.caffe(73, 64),
    "tensorflow-vgg": Preprocess.caffe(73, 64),
    "caffe": Preprocess.caffe(73, 64),
}
PICTURE = np.random.default_rng(3).integers(0, 256, (80, 90, 3), dtype=np.uint8)


def weights(preprocessing: Preprocess, spec: Spec = SPEC, **changes: object) -> Weights:
    return replace(Weights(spec, random_state(spec), preprocessing), **changes)


def logits(net: Weights) -> np.ndarray:
    return ReferenceEngine(net.spec, net.state)(net.preprocessing(PICTURE)[np.newaxis])


ROUND_TRIPS = [(to, name) for to in TARGETS for name in ("A", "D-BN")
               if name == "A" or to not in ("keras", "frossard", "tensorflow-vgg")]  # fmt: skip


@pytest.mark.parametrize(("to", "name"), ROUND_TRIPS)
def test_a_round_trip_is_exact_to_the_bit(tmp_path: Path, to: str, name: str) -> None:
    spec = small(name)
    net = weights(PREPROCESS.get(to, Preprocess.paper(73, 64)), spec)
    assert convert(net, tmp_path / NAMES[to], to) == []
    found = files.load(tmp_path / NAMES[to])
    assert (found.spec, found.preprocessing) == (net.spec, net.preprocessing)
    assert all(np.array_equal(found.state[name], array) for name, array in net.state.items())


@pytest.mark.parametrize("to", ["keras", "tensorflow-vgg", "caffe"])
def test_colours_are_turned_round_and_back_to_the_bit(tmp_path: Path, to: str) -> None:
    net = weights(Preprocess.paper(73, 64))
    assert convert(net, tmp_path / NAMES[to], to) == []
    there = files.load(tmp_path / NAMES[to])
    assert there.preprocessing == Preprocess.caffe(73, 64)
    first = "conv1_1.weight"
    assert np.array_equal(there.state[first], flipped(dict(net.state))[first])
    assert relative_error(logits(there), logits(net)) < 1e-5
    assert convert(there, tmp_path / "back.npz", "frossard") == []
    back = files.load(tmp_path / "back.npz")
    assert back.preprocessing == net.preprocessing
    assert all(np.array_equal(back.state[name], array) for name, array in net.state.items())


def test_a_range_is_folded_and_the_mean_is_kept_and_both_are_told() -> None:
    net = weights(Preprocess.torchvision(73, 64))
    for convention, order in (("frossard", "RGB"), ("oxford", "BGR")):
        there, remarks = in_convention(net, CONVENTIONS[convention])
        assert there.preprocessing.colour_order == order
        assert (there.preprocessing.scale, there.preprocessing.std) == (1, (1, 1, 1))
        assert there.preprocessing.mean == pytest.approx((123.675, 116.28, 103.53))
        assert relative_error(logits(there), logits(net)) < 1e-5
        assert remarks == [
            "the range of the pixels is folded into conv1_1, which is rounded by it: 0.0171248, "
            "0.0175070, 0.0174292 for R, G, B".replace("70,", "7,"),
            "it wants its own mean, R, G, B 123.675, 116.28, 103.53 of 0..255, and not 123.68, "
            f"116.779, 103.939, which is usual in {convention} files",
        ]
        changed = [n for n in net.state if not np.array_equal(there.state[n], net.state[n])]
        assert changed == ["conv1_1.weight"]


def test_what_differs_by_its_colours_alone_is_not_rounded() -> None:
    there, remarks = in_convention(weights(Preprocess.paper()), CONVENTIONS["oxford"])
    assert remarks == []
    assert there.preprocessing == Preprocess.caffe()


@pytest.mark.parametrize("to", ["keras", "frossard", "tensorflow-vgg"])
def test_batch_norm_is_folded_where_there_is_none(tmp_path: Path, to: str) -> None:
    net = weights(PREPROCESS.get(to, Preprocess.paper(73, 64)), small("A-BN"))
    (remark,) = convert(net, tmp_path / NAMES[to], to)
    assert remark == f"batch norm is folded into the convolutions: {to} files have none"
    found = files.load(tmp_path / NAMES[to])
    assert found.spec == small("A")
    assert relative_error(logits(found), logits(net)) < 1e-5


@pytest.mark.parametrize("to", ["torchvision", "timm"])
def test_torch_loads_what_is_written(tmp_path: Path, to: str) -> None:
    spec = small("A-BN")
    net = weights(Preprocess.torchvision(), spec)
    letter = {"torchvision": torch_names, "timm": timm_names}[to](spec, dict(net.state))
    expected = {name: array for name, array in letter.items() if "num_batches" not in name}
    convert(net, tmp_path / "net.pth", to)
    convert(net, tmp_path / "net.safetensors", to)
    tensors = torch.load(tmp_path / "net.pth", weights_only=True)
    arrays = load_file(tmp_path / "net.safetensors")
    assert set(tensors) == set(arrays) == set(expected)
    for name, array in expected.items():
        assert np.array_equal(tensors[name].numpy(), array)
        assert np.array_equal(arrays[name], array)


def test_numpy_loads_what_is_written(tmp_path: Path) -> None:
    net = weights(Preprocess.paper())
    convert(net, tmp_path / "net.npz", "frossard")
    with np.load(tmp_path / "net.npz") as arrays:
        expected = frossard(SPEC, dict(net.state))
        assert set(arrays) == set(expected)
        assert all(np.array_equal(arrays[name], expected[name]) for name in expected)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras
def test_keras_computes_what_we_compute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    net = weights(Preprocess.caffe(73, 64))
    model = keras.Sequential([keras.Input((64, 64, 3))])
    for layer in SPEC.layers:
        stage, _, index = layer.name[4:].partition("_")
        if layer.kind == "conv":
            model.add(keras.layers.Conv2D(layer.output[0], 3, padding="same", activation="relu",
                                          name=f"block{stage}_conv{index}"))  # fmt: skip
        elif layer.kind == "maxpool":
            model.add(keras.layers.MaxPooling2D(name=f"block{stage}_pool"))
        elif layer.kind == "fc":
            if layer.name == "fc6":
                model.add(keras.layers.Flatten(name="flatten"))
            name = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}[layer.name]
            activation = None if name == "predictions" else "relu"
            model.add(keras.layers.Dense(layer.output[0], activation=activation, name=name))
    images = random_images(2, 64, 64)
    expected = ReferenceEngine(SPEC, net.state)(images)
    for name in ("net.h5", "net.weights.h5"):
        convert(net, tmp_path / name, "keras")
        model.set_weights([np.zeros_like(array) for array in model.get_weights()])
        model.load_weights(tmp_path / name)
        found = model(images.transpose(0, 2, 3, 1)).detach().cpu().numpy()
        assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize(("to", "dtype"), [
    (to, dtype) for to, (_, dtypes) in TARGETS.items() for dtype in dtypes if dtype != "fp32"
])  # fmt: skip
def test_sixteen_bits_halve_the_file(tmp_path: Path, to: str, dtype: str) -> None:
    net = weights(PREPROCESS.get(to, Preprocess.paper(73, 64)))
    path = tmp_path / NAMES[to]
    convert(net, path, to, dtype)
    assert path.stat().st_size < 2.1 * sum(array.size for array in net.state.values()) + 9000
    found = files.load(path)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
    for name, array in net.state.items():
        rounded = torch.from_numpy(np.ascontiguousarray(array)).to(kind).float().numpy()
        assert np.array_equal(found.state[name], rounded), name


def test_what_a_convention_leaves_open_is_in_the_metadata(tmp_path: Path) -> None:
    mine = labels("tiny-imagenet")[:7]
    preprocessing = Preprocess(
        70, 60, 1.0, (10, 20, 30), colour_order="BGR", interpolation="bicubic"
    )
    net = weights(preprocessing, labels=mine)
    convert(net, tmp_path / "net.onnx", "onnx")
    found = files.load(tmp_path / "net.onnx")
    assert (found.labels, found.preprocessing) == (mine, preprocessing)
    assert all(np.array_equal(found.state[name], net.state[name]) for name in net.state)
    convert(net, tmp_path / "net.safetensors", "torchvision")
    found = files.load(tmp_path / "net.safetensors")
    assert (found.labels, found.preprocessing.colour_order) == (mine, "RGB")
    assert found.preprocessing.interpolation == "bicubic"


@pytest.mark.parametrize(("to", "name", "dtype", "fault"), [
    ("chainer", "net.npz", "fp32", r"convert to one of vggnet, .*, not 'chainer'"),
    ("frossard", "net.npy", "fp32", r"the suffix for frossard is \.npz"),
    ("torchvision", "net", "fp32", r"the suffix .* is \.pth or \.pt or \.bin or \.safetensors"),
    ("keras", "net.h5", "bf16", r"files for keras hold fp32, not bf16"),
    ("caffe", "net.caffemodel", "fp16", r"files for caffe hold fp32, not fp16"),
])  # fmt: skip
def test_what_a_file_cannot_be(tmp_path: Path, to: str, name: str, dtype: str, fault: str) -> None:
    with pytest.raises(ValueError, match=rf"^{tmp_path / name}: {fault}"):
        convert(weights(Preprocess.paper()), tmp_path / name, to, dtype)
    assert list(tmp_path.iterdir()) == []


def test_nets_that_a_convention_cannot_express(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    for spec, fault in (
        (EVERYTHING, "EVERYTHING cannot be a torchvision file: norm1_1, .*: no such file says"),
        (small("A-LRN"), "A-LRN cannot be a torchvision file: norm1_1: no such file says"),
        (configuration("AlexNet").scaled(1 / 32), "AlexNet cannot be .* conv1, norm1, pool1"),
    ):
        with pytest.raises(ValueError, match=f"(?i)^{path}: {fault}"):
            convert(weights(Preprocess.torchvision(), spec), path, "torchvision")
    two = replace(SPEC, rows=tuple(row for row in SPEC.rows if row != "FC-40"))
    with pytest.raises(ValueError, match="it names 3 FC layers, and A has 2"):
        convert(weights(Preprocess.torchvision(), two), path, "torchvision")


def test_a_net_with_a_global_average(tmp_path: Path) -> None:
    spec = configuration("B").scaled(1 / 16, num_classes=5, head="average")
    for to, name in NAMES.items():
        net = weights(PREPROCESS.get(to, Preprocess.paper()), spec)
        convert(net, tmp_path / name, to)
        assert files.load(tmp_path / name).spec == spec, to


def test_numbers_that_are_too_large_or_none_are_named(tmp_path: Path) -> None:
    net = weights(Preprocess.paper())
    net.state["fc8.bias"][0] = 70_000
    with pytest.raises(ValueError, match=r"net\.npz: too large for fp16: fc8_b; write fp32"):
        convert(net, tmp_path / "net.npz", "frossard", "fp16")
    net.state["fc8.bias"][0] = np.nan
    for to, name in NAMES.items():
        with pytest.raises(ValueError, match=r"not finite: fc8\.bias$"):
            convert(net, tmp_path / name, to)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("to", "name"), [
    ("torchvision", "net.pth"), ("frossard", "net.npz"), ("caffe", "net.caffemodel"),
])  # fmt: skip
def test_what_a_reader_takes_for_something_else_is_told(tmp_path: Path, to: str, name: str) -> None:
    preprocessing = replace(PREPROCESS.get(to, Preprocess.paper()), resize=80, crop=60)
    net = weights(preprocessing, labels=labels("tiny-imagenet")[:7])
    assert convert(net, tmp_path / name, to) == [
        "resize 80 is not kept: it is read as 73",
        "crop 60 is not kept: it is read as 64",
        "the labels are not kept: its classes are read with no names",
        "read it with --input-size 60 --resize 80 --labels FILE (vggnet labels IN --format json > "
        "FILE)",
    ]


def test_another_net_is_told(tmp_path: Path) -> None:
    spec = Spec("mine", ("conv3-8", "maxpool", "conv3-9", "FC-5 FC-4 soft-max"), 16)
    remarks = convert(weights(Preprocess.paper(37, 32), spec), tmp_path / "net.npz", "frossard")
    assert remarks == [
        "input size 16 is not kept: it is read as 32",
        "the net conv3-8 maxpool conv3-9 FC-5 FC-4 soft-max is not kept: it is read as "
        "conv3-8 maxpool conv3-9 maxpool FC-5 FC-4 soft-max",
    ]
    many = labels("tiny-imagenet") * 5
    named = tuple(replace(label, index=index) for index, label in enumerate(many))
    net = weights(Preprocess.paper(73, 64), small("A", classes=1000), labels=named)
    remark, mended = convert(net, tmp_path / "net.npz", "frossard")
    assert remark == "the labels are not kept: its classes are read with ImageNet's names"
    assert mended.startswith("read it with --labels FILE ")


def options_of(remark: str) -> dict[str, Any]:
    """The options of `load` that a remark names as those of the command line."""
    known: dict[str, Any] = {}
    for option, given in re.findall(r"--(\S+) (\S+)", remark.partition("read it with ")[2]):
        if option in ("mean", "std"):
            known[option] = tuple(map(float, given.split(",")))
        else:
            known[option.replace("-", "_")] = int(given) if given.isdecimal() else given
    return known


@pytest.mark.parametrize("name", ["net.pth", "net.npz", "net.npy", "net.caffemodel"])
def test_with_the_options_that_are_named_a_file_gives_the_same_answers(
    tmp_path: Path, name: str
) -> None:
    picture = EXAMPLES / "cat.jpg"
    colours = Preprocess(80, 70, 1 / 255, (0.48, 0.44, 0.39), (0.27, 0.26, 0.28))
    spec = configuration("D").scaled(1 / 16, num_classes=200, head="average", input_size=64)
    net = weights(colours, spec, labels=labels("tiny-imagenet"))
    *_, mended = convert(net, tmp_path / name)
    known = options_of(mended)
    assert known["labels"] == "tiny-imagenet"
    expected = load(net, engine="numpy").predict(picture)
    found = load(tmp_path / name, engine="numpy", **known).predict(picture)
    assert [each.label for each in found] == [each.label for each in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.probability == pytest.approx(other.probability, rel=1e-3)


@pytest.mark.parametrize("name", ["net.pth", "net.npz", "net.npy", "net.caffemodel", "net.h5"])
@pytest.mark.parametrize(
    "colours",
    [
        Preprocess(73, 64, 1 / 255, (0, 0, 0)),
        Preprocess(73, 64, 1 / 255, (0, 0, 0), (0.5, 0.25, 0.125)),
        Preprocess(73, 64, 1.0, (0, 0, 0)),
        Preprocess(73, 64, 1.0, (0.5, 0, 1), (64, 32, 64)),
        Preprocess(73, 64, 1.0, (20, 30, 40)),
        Preprocess(73, 64, 2 / 255, (1, 1, 1)),  # from -1 to 1
        Preprocess(73, 64, 2.0, (1.5, 1, 1)),
        Preprocess(73, 64, 10.0, (0, 0, 0)),
    ],
    ids=lambda colours: f"{colours.scale:.3g}-{colours.mean}-{colours.std}",
)
def test_options_for_a_mean_whose_range_would_be_guessed_wrong(
    tmp_path: Path, colours: Preprocess, name: str
) -> None:
    net = weights(colours)
    *_, mended = convert(net, tmp_path / name)
    found = load(tmp_path / name, engine="numpy", **options_of(mended))
    ready, _ = in_convention(net, CONVENTIONS[files.inspect(tmp_path / name).convention])
    inputs, wanted = found.preprocessing(PICTURE), ready.preprocessing(PICTURE)
    np.testing.assert_allclose(inputs, wanted, rtol=1e-5, atol=1e-4)
    assert relative_error(logits(found.weights), logits(net)) < 1e-5


def test_a_net_without_conv1_1_is_refused_in_one_line(tmp_path: Path) -> None:
    spec = replace(SPEC, numbering="layer")
    for name in ("net.pth", "net.caffemodel"):
        with pytest.raises(ValueError, match=rf"^{tmp_path / name}: A has no conv1_1, whose col"):
            convert(weights(Preprocess.paper(), spec), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_net_that_is_no_vgg_is_written_and_told(tmp_path: Path) -> None:
    net = weights(Preprocess.paper(), configuration("AlexNet").scaled(1 / 32))
    (remark,) = convert(net, tmp_path / "net.onnx", "onnx")
    assert remark.startswith("vggnet does not read it back: onnx whose 16 arrays ")


def test_an_average_before_several_fc_layers_needs_a_graph(tmp_path: Path) -> None:
    spec = Spec("mine", ("conv3-8", "maxpool", "avgpool", "FC-5 FC-4 soft-max"), 16)
    with pytest.raises(ValueError, match="avgpool: no such file says what these layers are"):
        convert(weights(Preprocess.paper(), spec), tmp_path / "net.npz", "frossard")
    for to, name in (("onnx", "net.onnx"), ("caffe", "net.caffemodel")):
        convert(weights(PREPROCESS.get(to, Preprocess.paper()), spec), tmp_path / name, to)
        assert files.load(tmp_path / name).spec.tokens == spec.tokens


def test_what_folding_makes_infinite_is_named(tmp_path: Path) -> None:
    net = weights(Preprocess.caffe(73, 64), small("A-BN"))
    net.state["bn1_1.running_var"][0] = -1
    with pytest.raises(ValueError, match=r"not finite: conv1_1\.weight, conv1_1\.bias$"):
        convert(net, tmp_path / "net.h5", "keras")


def test_the_suffix_says_whose_file_it_becomes(tmp_path: Path) -> None:
    save(tmp_path / "net.safetensors", weights(Preprocess.torchvision(73, 64)))
    assert convert(tmp_path / "net.safetensors", tmp_path / "net.pth") == []
    assert files.inspect(tmp_path / "net.pth").convention == "torchvision"
    for name, convention in (
        ("again.safetensors", "vggnet"), ("net.npz", "frossard"), ("net.onnx", "vggnet"),
    ):  # fmt: skip
        convert(tmp_path / "net.pth", tmp_path / name)
        assert files.inspect(tmp_path / name).convention == convention
    with pytest.raises(ValueError, match=r"net\.txt: files that can be written end in \.safetens"):
        convert(tmp_path / "net.pth", tmp_path / "net.txt")
    with pytest.raises(ValueError, match=r"none\.pth.: no such file"):
        convert(tmp_path / "none.pth", tmp_path / "net.npz")
