"""Files with several nets: which are there, which is read, and how another is asked for."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from published_forms import contents, keras, small, torchvision
from small_nets import AVERAGE, random_state

from vggnet.model import load
from vggnet.preprocess import Preprocess
from vggnet.weights import convert, files, own_file
from vggnet.weights.named import load_weights
from vggnet.weights.recognition.recognise import recognise
from vggnet.weights.weights import State, Weights

SPEC = small("A")
FIRST, SECOND = random_state(SPEC, 1), random_state(SPEC, 2)
RULE = "which has the most arrays, or as many and comes first"


def checkpoint(path: Path, *names: str) -> Path:
    """What training scripts save: a state dict a net, and other things."""
    nets = {
        name: {key: torch.from_numpy(array) for key, array in torchvision(SPEC, state).items()}
        for name, state in zip(names, (FIRST, SECOND), strict=True)
    }
    torch.save({"epoch": 90, **nets, "lr": 0.1}, path)
    return path


def same(found: State, expected: State) -> bool:
    return all(np.array_equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("names", [
    ("model", "model_ema"), ("state_dict", "ema_state_dict"), ("net_g", "net_d"),
    ("ema", "model"),
])  # fmt: skip
def test_of_equal_nets_the_first_is_read_unless_another_is_asked_for(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    path = checkpoint(tmp_path / "checkpoint.pth", *names)
    recognition = files.inspect(path)
    assert recognition.nets == names
    listed = ", ".join(sorted(names))
    evidence = f"2 nets are in it ({listed}): {names[0]} is read, {RULE}"
    assert recognition.evidence[1] == evidence
    loaded = files.load(path)
    assert same(loaded.state, FIRST)
    assert evidence in loaded.training["evidence"]
    for name, state in zip(names, (FIRST, SECOND), strict=True):
        assert same(files.load(path, net=name).state, state)
        assert files.inspect(path, net=name).nets[0] == name
        asked = f"{name} is read, as asked for"
        assert asked in files.inspect(path, net=name).evidence[1]


def test_every_way_to_load_takes_the_name(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "checkpoint.pth", "model", "model_ema")
    assert same(load_weights(path, net="model_ema").state, SECOND)
    assert same(load(path, engine="numpy", net="model_ema").weights.state, SECOND)


def test_the_one_with_the_most_arrays_is_read() -> None:
    features = {name: a for name, a in torchvision(SPEC, FIRST).items() if "features" in name}
    found = contents(
        {f"loss.vgg.{name}": array for name, array in features.items()}
        | {f"model.{name}": array for name, array in torchvision(SPEC, SECOND).items()}
    )
    recognition = recognise(found, "net")
    assert recognition.nets == ("model", "loss.vgg")
    assert recognition.spec == SPEC
    alone = recognise(found, "net", net="loss.vgg")
    assert alone.nets == ("loss.vgg", "model")
    assert alone.spec.num_classes is None


def test_what_belongs_to_another_net_is_no_part_of_the_one_asked_for() -> None:
    """Whose batch norms would else be taken for layers that are passed over."""
    normed = small("A-BN")
    found = contents(
        {f"student.{name}": array for name, array in torchvision(SPEC, FIRST).items()}
        | {f"teacher.{n}": a for n, a in torchvision(normed, random_state(normed)).items()}
        | {"teacher.neck.norm.weight": FIRST["fc8.bias"]}
    )
    assert recognise(found, "net", net="student").spec == SPEC
    with pytest.raises(ValueError, match=r"takes teacher\.neck\..*; --net reads another of stud"):
        recognise(found, "net")


def test_what_lies_beside_another_net_is_no_part_of_the_one_that_is_read() -> None:
    found = contents(
        {f"student.{name}": array for name, array in torchvision(SPEC, FIRST).items()}
        | {f"teacher.{name}": array for name, array in torchvision(SPEC, SECOND).items()}
        | {"teacher.neck.norm.weight": FIRST["fc8.bias"]}
    )
    assert recognise(found, "net").nets == ("student", "teacher")
    beside = {"neck.norm.weight": FIRST["fc8.bias"]}
    with pytest.raises(ValueError, match=r"no layer takes neck\.norm\.weight"):
        recognise(contents({name: a.load() for name, a in found.arrays.items()} | beside), "net")


def test_a_net_whose_names_have_nothing_before_them() -> None:
    found = contents(
        {f"ema.{name}": array for name, array in torchvision(SPEC, SECOND).items()}
        | torchvision(SPEC, FIRST)
    )
    assert recognise(found, "net").nets == ("ema", ".")
    assert recognise(found, "net", net=".").sources["fc8.bias"].name == "classifier.6.bias"


def test_one_net_has_a_name_but_no_choice(tmp_path: Path) -> None:
    found = contents({f"module.{name}": a for name, a in torchvision(SPEC, FIRST).items()})
    assert recognise(found, "net").nets == ()
    assert recognise(found, "net", net="module").nets == ()
    assert "nets are in it" not in " ".join(recognise(found, "net").evidence)


def test_nets_in_keras_files(tmp_path: Path) -> None:
    path = tmp_path / "two.h5"
    with h5py.File(path, "w") as file:
        for net, state in (("left", FIRST), ("right", SECOND)):
            for name, array in keras(SPEC, state, "{0}/{0}/{1}:0").items():
                file[f"model_weights/{net}/{name}"] = array
    assert files.inspect(path).nets == ("model_weights/left", "model_weights/right")
    loaded = files.load(path, net="model_weights/right", colour="RGB")
    assert np.array_equal(loaded.state["fc8.bias"], SECOND["fc8.bias"])


def test_unknown_names_end_in_a_line_that_lists_the_nets(tmp_path: Path) -> None:
    path = checkpoint(tmp_path / "checkpoint.pth", "model", "model_ema")
    with pytest.raises(ValueError, match=r"checkpoint\.pth: no net is called 'ema'; there are "
                       r"model, model_ema$"):  # fmt: skip
        files.load(path, net="ema")
    with pytest.raises(ValueError, match=r"^x: no net is called 'a\\nb'; it has no nets with"):
        recognise(contents({"a": np.ones(3, np.float32)}), "x", net="a\nb")


def test_files_of_one_net_by_their_making(tmp_path: Path) -> None:
    own_file.save(
        tmp_path / "ours.safetensors",
        Weights(AVERAGE, random_state(AVERAGE), Preprocess.paper(20, 16)),
    )
    convert(Weights(SPEC, FIRST, Preprocess.paper(73, 64)), tmp_path / "net.onnx", "onnx")
    for name, fault in (
        ("ours.safetensors", "vggnet wrote it, with one net; leave --net out"),
        ("net.onnx", "(no net is called 'model'|its graph is of one net)"),
    ):
        with pytest.raises(ValueError, match=f"{name}: {fault}"):
            files.load(tmp_path / name, net="model")
    with pytest.raises(ValueError, match=r"net\.onnx: its graph is of one net; leave --net out"):
        files.load(tmp_path / "net.onnx", net=".")
