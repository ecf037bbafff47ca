import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from published_forms import frossard, small
from published_forms import torchvision as torch_names
from small_nets import random_state

from vggnet.cli import main
from vggnet.weights import files
from vggnet.weights.containers import numpy_files, torch_files
from vggnet.weights.published import catalog
from vggnet.weights.published.catalog import Digest

SPEC = small("A")
STATE = random_state(SPEC)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(each) for each in arguments])
    return int(end.value.code or 0)


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    numpy_files.write(tmp_path / "net.npz", frossard(SPEC, STATE))
    return tmp_path / "net.npz"


def test_inspect_says_all_in_json(npz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("weights", "inspect", npz, "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    evidence = found.pop("evidence")
    assert any("colour order unknown, RGB is usual here" in each for each in evidence)
    assert found == {
        "container": "NumPy",
        "convention": "frossard",
        "net": None,
        "nets": [],
        "architecture": "A",
        "rows": list(SPEC.rows),
        "input_size": 64,
        "num_classes": 7,
        "colour_order": "RGB",
        "colour_order_known": False,
        "range_known": False,
        "size_known": False,
        "preprocessing": {
            "resize": 73, "crop": 64, "scale": 1.0, "mean": [123.68, 116.779, 103.939],
            "std": [1.0, 1.0, 1.0], "colour_order": "RGB", "interpolation": "bilinear",
        },
        "parameters": sum(array.size for array in STATE.values()),
        "confidence": "likely",
        "notes": [],
        "bytes": npz.stat().st_size,
        "sha256": hashlib.sha256(npz.read_bytes()).hexdigest(),
        "published": None,
    }  # fmt: skip


def test_inspect_prints_a_table(npz: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("weights", "inspect", npz, "--colour", "BGR", "--convention", "frossard") == 0
    text = capsys.readouterr().out
    assert "A: conv3-4 maxpool conv3-8" in text
    assert "colours       BGR\n" in text
    assert "std for each of R, G, B\n" in text
    assert "frossard as asked for" in text
    assert "nothing of the catalog" in text
    assert hashlib.sha256(npz.read_bytes()).hexdigest() in text
    assert run("weights", "inspect", npz) == 0
    usual = "(not known, but frossard's usual)\n"
    text = capsys.readouterr().out
    assert f"colours       RGB {usual}" in text
    assert f"resize        short side to 73, 64 x 64 in the middle {usual}" in text
    assert f"range         (pixel x 1 - mean) / std for each of R, G, B {usual}" in text


def test_inspect_does_not_doubt_what_the_file_states(
    npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = tmp_path / "net.safetensors", tmp_path / "net.h5"
    assert run("weights", "convert", npz, ours) == 0
    assert run("weights", "convert", npz, theirs, "--to", "keras") == 0
    for path in (ours, theirs):
        capsys.readouterr()
        assert run("weights", "inspect", path) == 0
        text = capsys.readouterr().out
        assert "resize        short side to 73, 64 x 64 in the middle\n" in text
        assert "usual" not in text


def test_what_is_left_out_is_told_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And predict does not answer with what is no class."""
    path, features = tmp_path / "net.pth", torch_names(SPEC, STATE)
    kept = {n: a for n, a in features.items() if "classifier" not in n}
    head = {"fc_age": 9, "fc_sex": 2}
    for name, num in head.items():
        kept |= {f"{name}.weight": np.ones((num, 32 * 4), "f4"), f"{name}.bias": np.ones(num, "f4")}
    torch_files.write(path, kept)
    line = f"vggnet: {path}: its head is left out: fc_age and fc_sex take the same 128 numbers\n"
    Image.new("RGB", (80, 90)).save(tmp_path / "picture.png")
    picture = ("--weights", path, "--engine", "numpy", tmp_path / "picture.png")
    assert run("features", *picture, "--layer", "pool1", "--out", tmp_path / "out.npz") == 0
    assert capsys.readouterr().err == line
    assert run("weights", "convert", path, tmp_path / "net.safetensors") == 0
    assert capsys.readouterr().err.startswith(line)
    assert run("predict", *picture) == 2
    error = capsys.readouterr().err
    assert error.startswith(line)
    assert error.endswith(
        f"vggnet: {path} has no class scores, only features: "
        "its head is left out: fc_age and fc_sex take the same 128 numbers\n"
    )
    assert run("weights", "inspect", path) == 0
    assert "evidence      its head is left out: fc_age and fc_sex" in capsys.readouterr().out


def test_inspect_knows_a_published_file(
    npz: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = Digest("md5", hashlib.md5(npz.read_bytes()).hexdigest())
    size = npz.stat().st_size
    file = replace(catalog.CATALOG["vgg16@frossard"], digest=digest, num_bytes=size)
    monkeypatch.setitem(catalog.CATALOG, "vgg16@frossard", file)
    assert run("weights", "inspect", npz, "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["published"] == "vgg16@frossard"


def test_convert_tells_what_is_not_kept(
    npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net.pth"
    assert run("weights", "convert", npz, out, "--to", "torchvision") == 0
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert lines[0].startswith(f"vggnet: {out}: the range of the pixels is folded into conv1_1")
    assert lines[1].startswith(
        f"vggnet: {out}: it wants its own mean, R, G, B 123.68, 116.779, 103.939"
    )
    assert lines[2].startswith(f"vggnet: {out}: read it with --mean 0.48501")
    assert lines[3:] == [f"vggnet: written to {out}"]
    assert files.load(out).spec == SPEC


def test_convert_writes_our_own_files_by_default(npz: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    assert run("weights", "convert", npz, out, "--dtype", "bf16") == 0
    assert files.inspect(out).convention == "vggnet"
    assert out.stat().st_size < 0.6 * npz.stat().st_size


def test_convert_to_caffe_names_both_files(
    npz: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "net.caffemodel"
    assert run("weights", "convert", npz, out, "--to", "caffe") == 0
    assert capsys.readouterr().err == (
        f"vggnet: written to {out} and {tmp_path / 'net.prototxt'}\n"
    )
    assert (tmp_path / "net.prototxt").exists()


def test_the_help_names_all_that_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("weights", "convert", "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--to keras writes Keras 3's tree where OUT ends in .weights.h5" in text
    assert "--to caffe writes OUT's .prototxt beside it" in text
    assert run("weights", "--help") == 0
    assert "any file can be inspected and converted" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("arguments", "fault"), [
    (("convert", "{npz}", "out.npz", "--to", "keras"), "out.npz: the suffix for keras"),
    (("convert", "{npz}", "out.h5", "--to", "chainer"), "'chainer'"),
    (("convert", "{npz}", "out.h5", "--to", "keras", "--dtype", "bf16"), "hold fp32, not bf16"),
    (("convert", "none.npz", "out.h5", "--to", "keras"), "'none.npz': no such file; give"),
    (("convert", "{npz}", "none/out.h5", "--to", "keras"), "the folder none is missing"),
    (("inspect", "none.npz"), "'none.npz': no such file; give"),
    (("inspect", "{npz}", "--convention", "chainer"), "convention 'chainer' must be one of"),
    (("inspect", "{npz}", "--convention", "keras"), "net.npz: NumPy whose 22 arrays"),
    (("inspect", "{npz}", "--colour", "grey"), "'grey'"),
])  # fmt: skip
def test_mistakes_are_told_in_one_line(
    npz: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], fault: str
) -> None:
    assert run("weights", *(each.format(npz=npz) for each in arguments)) == 2
    error = capsys.readouterr().err
    assert error.startswith("vggnet: ")
    assert error.count("\n") == 1
    assert fault in error
    assert not Path("out.h5").exists()


def test_predict_takes_any_file_and_what_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch_files.write(tmp_path / "net.pth", torch_names(SPEC, STATE))
    picture = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    command = ("predict", tmp_path / "picture.png", "--weights", tmp_path / "net.pth",
               "--engine", "numpy", "--format", "json")  # fmt: skip
    answers = []
    for options in ((), ("--convention", "torchvision-features"), ("--colour", "BGR")):
        assert run(*command, *options) == 0
        (answer,) = json.loads(capsys.readouterr().out)
        answers.append([each["probability"] for each in answer["predictions"]])
    assert all(len(each) == 5 for each in answers)
    assert answers[0] != answers[1] != answers[2] != answers[0]


def test_of_two_nets_one_is_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, picture = tmp_path / "checkpoint.pth", tmp_path / "picture.png"
    nets = {"model": STATE, "model_ema": random_state(SPEC, 2)}
    arrays = {f"{net}.{n}": a for net in nets for n, a in torch_names(SPEC, nets[net]).items()}
    torch_files.write(path, arrays)
    Image.fromarray(np.full((80, 90, 3), 99, np.uint8)).save(picture)
    answers = []
    for net in ("model", "model_ema"):
        assert run("weights", "inspect", path, "--net", net, "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["net"], found["nets"]) == (net, ["model", "model_ema"])
        out = tmp_path / f"{net}.safetensors"
        assert run("weights", "convert", path, out, "--net", net) == 0
        assert np.array_equal(files.load(out).state["fc8.bias"], nets[net]["fc8.bias"])
        capsys.readouterr()
        assert run("predict", picture, "--weights", path, "--net", net, "--engine", "numpy") == 0
        answers.append(capsys.readouterr().out)
    assert answers[0] != answers[1]
    assert run("weights", "inspect", path) == 0
    assert "2 nets are in it (model, model_ema): model is read, which" in capsys.readouterr().out
    assert run("weights", "inspect", path, "--net", "ema") == 2
    assert capsys.readouterr().err == (
        f"vggnet: {path}: no net is called 'ema'; there are model, model_ema\n"
    )


def test_names_are_taken_as_weights_takes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("weights", "inspect", "tiny-imagenet", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["convention"], found["num_classes"]) == ("vggnet", 200)
    assert run("weights", "convert", "tiny-imagenet", str(tmp_path / "net.safetensors")) == 0
    assert run("weights", "inspect", str(tmp_path / "net.safetensors")) == 0
