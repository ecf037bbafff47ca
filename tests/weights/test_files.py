"""From a path to weights: containers by content, arrays in place or copied, errors in one line."""

import os
from dataclasses import replace
from pathlib import Path

import matlab_7_3
import numpy as np
import pytest
import scipy.io
from damage import check_damaged
from published_forms import contents, flipped, frossard, matconvnet, small
from published_forms import tensorflow_vgg as dictionary
from published_forms import torchvision as torch_names
from small_nets import AVERAGE, random_state

from vggnet.class_lists import labels
from vggnet.configurations import configuration
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.weights import convert, own_file
from vggnet.weights.containers import Contents, numpy_files, safetensors_files, torch_files
from vggnet.weights.files import inspect, load, weights_of
from vggnet.weights.recognition.recognise import Recognition, recognise
from vggnet.weights.weights import Weights

SPEC = small("A")
STATE = random_state(SPEC)
WRITERS = {
    "net.pth": lambda path: torch_files.write(path, torch_names(SPEC, STATE)),
    "net.safetensors": lambda path: safetensors_files.write(path, torch_names(SPEC, STATE)),
    "net.npz": lambda path: numpy_files.write(path, frossard(SPEC, STATE)),
    "net.npy": lambda path: numpy_files.write_dictionary(path, dictionary(SPEC, flipped(STATE))),
    "net.h5": lambda path: convert(weights("BGR"), path, "keras"),
    "net.weights.h5": lambda path: convert(weights("BGR"), path, "keras"),
    "net.caffemodel": lambda path: convert(weights("BGR"), path, "caffe"),
    "net.onnx": lambda path: convert(weights("RGB"), path, "onnx"),
    "net.mat": lambda path: scipy.io.savemat(path, simplenn(matconvnet(SPEC, STATE)), False),
    "net-7.3.mat": lambda path: matlab_7_3.write(path, simplenn(matconvnet(SPEC, STATE))),
}


def simplenn(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """MatConvNet's `layers`: a cell a layer, its weights in a cell of two."""

    def cell(*values: object) -> np.ndarray:
        row = np.empty((1, len(values)), object)
        row[0, :] = values
        return row

    names = dict.fromkeys(name.partition("/")[0] for name in arrays)
    layers = [
        {"name": name, "type": "conv", "weights": cell(arrays[f"{name}/0"], arrays[f"{name}/1"])}
        for name in names
    ]
    return {"layers": cell(*layers)}


def weights(colour_order: str) -> Weights:
    arrays = STATE if colour_order == "RGB" else flipped(STATE)
    preprocessing = Preprocess.paper(73, 64) if colour_order == "RGB" else Preprocess.caffe(73, 64)
    return Weights(SPEC, arrays, preprocessing)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("suffix", ["", ".renamed"])
def test_a_file_is_known_by_its_content(tmp_path: Path, name: str, suffix: str) -> None:
    WRITERS[name](tmp_path / name)
    path = (tmp_path / name).rename(tmp_path / f"{name}{suffix}")
    loaded = load(path)
    expected = flipped(STATE) if loaded.preprocessing.colour_order == "BGR" else STATE
    assert loaded.spec == SPEC
    assert list(loaded.state) == list(SPEC.state_shapes)
    for canonical, array in loaded.state.items():
        assert np.array_equal(array, expected[canonical]), canonical
        assert array.flags.c_contiguous
        assert array.flags.aligned
    assert inspect(path).spec == SPEC


def test_what_needs_no_change_is_a_view_of_the_file(tmp_path: Path) -> None:
    for name in ("net.pth", "net.safetensors"):
        WRITERS[name](tmp_path / name)
        for array in load(tmp_path / name).state.values():
            assert not array.flags.owndata
            assert not array.flags.writeable


def test_our_own_file_keeps_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    mine = labels("tiny-imagenet")[:7]
    saved = Weights(AVERAGE, random_state(AVERAGE), Preprocess.paper(20, 16), mine, {"epochs": 3})
    own_file.save(path, saved)
    loaded, recognition = load(path), inspect(path)
    assert (loaded.spec, loaded.labels, loaded.training) == (AVERAGE, mine, {"epochs": 3})
    assert (recognition.convention, recognition.confidence) == ("vggnet", "certain")
    assert recognition.spec == AVERAGE
    assert load(path, colour="BGR").preprocessing == replace(
        saved.preprocessing, colour_order="BGR"
    )
    assert inspect(path, colour="BGR").preprocessing.colour_order == "BGR"
    with pytest.raises(ValueError, match=r"net\.safetensors: .*none of its names is known"):
        load(path, convention="keras")


def test_what_is_asked_for_holds(tmp_path: Path) -> None:
    WRITERS["net.pth"](tmp_path / "net.pth")
    asked = load(tmp_path / "net.pth", "torchvision-features", "BGR")
    assert asked.training["convention"] == "torchvision-features"
    assert asked.preprocessing.colour_order == "BGR"
    assert asked.preprocessing.std == (1 / 255,) * 3


def test_a_net_without_head_gives_features_and_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "notop.npz"
    numpy_files.write(
        path, {n: a for n, a in frossard(SPEC, STATE).items() if not n.startswith("fc")}
    )
    model = Model(load(path), engine="numpy")
    picture = np.zeros((64, 64, 3), np.uint8)
    found = model.features(model.preprocess(picture), ["pool5"])
    assert found["pool5"].shape == (1, 32, 7, 7)
    with pytest.raises(ValueError, match="has no classifier; use features"):
        model.predict(picture)


def test_numbers_that_are_not_finite_are_reported(tmp_path: Path) -> None:
    arrays = frossard(SPEC, STATE)
    arrays["conv2_1_W"][0, 0, 0, 0] = np.inf
    numpy_files.write(tmp_path / "net.npz", arrays)
    with pytest.raises(ValueError, match=r"net\.npz: .*not finite: conv2_1\.weight$"):
        load(tmp_path / "net.npz")


def test_numbers_that_float32_does_not_hold_are_reported(tmp_path: Path) -> None:
    arrays = {name: array.astype(np.float64) for name, array in frossard(SPEC, STATE).items()}
    arrays["fc7_W"][0, 0] = 1e300
    numpy_files.write(tmp_path / "net.npz", arrays)
    with pytest.raises(ValueError, match=r"net\.npz: .*not finite: fc7\.weight$"):
        load(tmp_path / "net.npz")


@pytest.mark.parametrize(("factor", "expected"), [(2.0, 0.5), (0.0, 0.0)])
def test_caffe_s_scale_of_a_batch_norm(factor: float, expected: float) -> None:
    found, recognition = with_divisor(np.array([factor], np.float32), added=0.25)
    measured = weights_of(found, recognition, "net").state["conv1_1.bias"]
    assert np.array_equal(measured, STATE["conv1_1.bias"] * np.float32(expected) + np.float32(0.25))


def test_a_scale_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"^net: scale is \(3,\), not one number$"):
        weights_of(*with_divisor(np.ones(3, np.float32)), "net")
    with pytest.raises(ValueError, match=r"^net: .*not finite: conv1_1\.bias$"):
        weights_of(*with_divisor(np.array([np.nan], np.float32)), "net")


def with_divisor(divisor: np.ndarray, added: float = 0) -> tuple[Contents, Recognition]:
    """A net with an array that is divided by another before something is added to it."""
    plain = contents(torch_names(SPEC, STATE))
    recognition = recognise(plain, "net")
    source = replace(recognition.sources["conv1_1.bias"], divisor="scale", added=added)
    sources = {**recognition.sources, "conv1_1.bias": source}
    arrays = {**plain.arrays, **contents({"scale": divisor}).arrays}
    return replace(plain, arrays=arrays), replace(recognition, sources=sources)


def test_matconvnet_says_mean_and_classes() -> None:
    classes = {"name": ["n01440764"] * 7, "description": [f"thing {i}, a thing" for i in range(7)]}
    found = contents(
        matconvnet(SPEC, STATE),
        "MATLAB",
        classes=classes,
        normalization={"averageImage": [120.5, 110.25, 100.0]},
    )
    recognition = recognise(found, "net.mat")
    assert recognition.preprocessing.mean == (120.5, 110.25, 100.0)
    assert [label.name for label in recognition.labels] == [f"thing {i}" for i in range(7)]
    assert "mean as the file states it" in recognition.evidence
    assert weights_of(found, recognition, "net.mat").labels == recognition.labels


@pytest.mark.parametrize(("content", "fault"), [
    (b"", "empty file"),
    (b"not a weight file, not even one that is damaged" * 20, "none of the formats that are read"),
    (b"PK\3\4" + bytes(200), "none of the formats that are read"),
])  # fmt: skip
def test_a_file_of_no_known_format(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "net.bin").write_bytes(content)
    for call in (load, inspect):
        with pytest.raises(ValueError, match=rf"net\.bin: {fault}"):
            call(tmp_path / "net.bin")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path, fault in ((tmp_path / "none", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ValueError, match=rf"^{path}: {fault}"):
            load(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for call in (load, inspect):
        with pytest.raises(ValueError, match=rf"^{tmp_path}/pipe: not a file on a disk"):
            call(tmp_path / "pipe")


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_that_was_cut_off(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    for length in (len(whole) // 4, len(whole) // 2, len(whole) - 2000):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"^{tmp_path / name}: ") as caught:
            load(tmp_path / name)
        assert "\n" not in str(caught.value)


TINY = configuration("A").scaled(1 / 64, input_size=32, num_classes=2, head="average")


@pytest.mark.parametrize(("to", "name"), [
    ("vggnet", "net.safetensors"), ("timm", "net.safetensors"), ("torchvision", "net.pth"),
    ("keras", "net.h5"), ("frossard", "net.npz"), ("tensorflow-vgg", "net.npy"),
    ("caffe", "net.caffemodel"), ("onnx", "net.onnx"),
])  # fmt: skip
def test_damaged_files_fail_in_one_line(tmp_path: Path, to: str, name: str) -> None:
    """Damage that the container does not notice reaches names, shapes and metadata."""
    convert(Weights(TINY, random_state(TINY), Preprocess.paper()), tmp_path / name, to)
    assert check_damaged(load, tmp_path / name, num=32, header=64) > 5
