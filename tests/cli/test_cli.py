"""The command line as a whole: every mistake is one line and status 2, and good work goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from bad_pictures import BAD_PICTURES
from command_line import run
from places import EXAMPLES
from small_data import SMALL, write_pictures


def test_predict_gives_the_keys_that_others_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "predict", str(EXAMPLES), "--format", "json", "--top", "3")
    answers = json.loads(out)
    assert status == 0
    assert err == ""
    names = [Path(answer["image"]).name for answer in answers]
    assert names == ["cat.jpg", "espresso.jpg", "uniform.jpg"]
    for answer in answers:
        assert set(answer) == {"image", "engine", "precision", "weights", "predictions"}
        assert answer["precision"] == "fp32"
        assert answer["weights"] == "tiny-imagenet"
        probabilities = [each["probability"] for each in answer["predictions"]]
        assert probabilities == sorted(probabilities, reverse=True)
        assert len(probabilities) == 3
        assert 0 < sum(probabilities) <= 1
        assert {"index", "wnid", "label", "probability"} == set(answer["predictions"][0])


def test_json_says_what_was_computed_in(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights = _trained(pictures, tmp_path, capsys)
    chosen = ("--weights", weights, "--format", "json", "--engine", "native", "--precision", "bf16")
    monkeypatch.setenv("VGGNET_ISA", "portable")  # which has no bf16
    with warnings.catch_warnings():
        warnings.simplefilter("always")  # as for users; in these tests they are errors
        _, out, err = run(capsys, "predict", str(pictures / "red" / "000.png"), *chosen)
        assert json.loads(out)[0]["precision"] == "fp32"
        assert re.fullmatch(r"vggnet: .* no products in bf16.*\n", err)
        _, out, err = run(capsys, "evaluate", str(pictures), *chosen)
    assert json.loads(out)["precision"] == "fp32"
    assert re.match(r"vggnet: .* no products in bf16", err)


def test_predict_prints_a_picture_a_block(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "predict", str(EXAMPLES / "cat.jpg"), "--engine", "numpy")
    assert status == 0
    lines = out.splitlines()
    assert lines[0].endswith("cat.jpg")
    assert len(lines) == 6
    assert all("%" in line and "(n0" in line for line in lines[1:])


@pytest.mark.parametrize("kind", BAD_PICTURES)
def test_a_bad_picture_is_one_line_and_the_good_ones_are_answered(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = BAD_PICTURES[kind](tmp_path)
    good = [str(EXAMPLES / "cat.jpg"), str(EXAMPLES / "uniform.jpg")]
    arguments = [good[0], str(bad), good[1], "--format", "json", "--engine", "numpy"]
    status, out, err = run(capsys, "predict", *arguments)
    assert status == 1
    first, failed, last = json.loads(out)
    assert [first["image"], last["image"]] == good
    assert set(failed) == {"image", "error"}
    fault, count = err.splitlines()
    assert fault == f"vggnet: {failed['error']}"
    assert count == "vggnet: 1 of 3 pictures failed"
    assert "Traceback" not in err


def test_an_address_is_no_picture(capsys: pytest.CaptureFixture[str]) -> None:
    good = str(EXAMPLES / "cat.jpg")
    status, out, err = run(capsys, "predict", "https://example.com/a.jpg", good, "--top", "1")
    assert status == 1
    assert out.startswith(good)
    assert err == (
        "vggnet: https://example.com/a.jpg: an address, not a file; download it first\n"
        "vggnet: 1 of 2 pictures failed\n"
    )


def test_there_are_at_least_25_kinds_of_bad_picture() -> None:
    assert len(BAD_PICTURES) >= 25


BAD_COMMAND_LINES = {
    "no such command": ["prophesy", "cat.jpg"],
    "no such option": ["predict", "cat.jpg", "--tpo", "3"],
    "no picture given": ["predict"],
    "top of zero": ["predict", str(EXAMPLES / "cat.jpg"), "--top", "0"],
    "top is no number": ["predict", str(EXAMPLES / "cat.jpg"), "--top", "many"],
    "no such engine": ["predict", str(EXAMPLES / "cat.jpg"), "--engine", "steam"],
    "no such weights": ["predict", str(EXAMPLES / "cat.jpg"), "--weights", "nowhere.safetensors"],
    "weights are a picture": [
        "predict", str(EXAMPLES / "cat.jpg"), "--weights", str(EXAMPLES / "cat.jpg"),
    ],
    "no such configuration": ["describe", "F"],
    "too small for the pools": ["describe", "D", "--input-size", "16"],
    "negative width": ["describe", "D", "--width", "-1"],
    "width beyond all floats": ["describe", "D", "--width", "1e308"],
    "classes beyond all floats": ["describe", "D", "--classes", "1" + "0" * 200],
    "size beyond all floats": ["describe", "D", "--input-size", "1" + "0" * 200],
    "channels beyond all floats": ["stack", "3", "--channels", "1" + "0" * 200],
    "more threads than any machine": [
        "predict", str(EXAMPLES / "cat.jpg"), "--threads", "1" + "0" * 200,
    ],
    "threads for the NumPy engine": [
        "predict", str(EXAMPLES / "cat.jpg"), "--engine", "numpy", "--threads", "2",
    ],
    "weights are an address": [
        "predict", str(EXAMPLES / "cat.jpg"), "--weights", "https://example.com/net.safetensors",
    ],
    "weights are not fetched yet": ["predict", str(EXAMPLES / "cat.jpg"), "--weights", "vgg16"],
    "weights are a folder": ["predict", str(EXAMPLES / "cat.jpg"), "--weights", str(EXAMPLES)],
    "no such precision": ["predict", str(EXAMPLES / "cat.jpg"), "--precision", "fp7"],
    "kernel as a product": ["stack", "3x3"],
    "control characters": ["predict", str(EXAMPLES / "cat.jpg"), "--weights", "\x1b[31m\n"],
    "kernel of zero": ["stack", "3", "0"],
    "kernel is a word": ["stack", "three"],
    "no such data": ["evaluate", "/nowhere/at/all"],
    "data without classes": ["evaluate", str(EXAMPLES)],
    "no such split": ["evaluate", str(EXAMPLES), "--split", "holiday"],
    "no such layer": ["features", str(EXAMPLES / "cat.jpg"), "--layer", "conv9_9"],
    "no such format": ["describe", "D", "--format", "xml"],
    "no such recipe": ["train", str(EXAMPLES), "--recipe", "grandmother"],
    "rate below zero": ["train", str(EXAMPLES), "--learning-rate", "-1"],
}  # fmt: skip


@pytest.mark.parametrize("mistake", BAD_COMMAND_LINES)
def test_a_bad_command_line_is_one_line(
    mistake: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *BAD_COMMAND_LINES[mistake])
    assert status == 2
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("vggnet: ")
    assert len(err) > 20
    assert err.strip().isprintable()


def test_evaluate_gives_the_keys_that_others_rely_on(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _trained(pictures, tmp_path, capsys)
    status, out, err = run(
        capsys, "evaluate", str(pictures), "--weights", weights, "--format", "json"
    )
    score = json.loads(out)
    assert status == 0
    assert err == (
        f"vggnet: 60 pictures of {pictures}, which has no validation split of its own: all of it "
        "is taken\n"
    )
    assert set(score) >= {"top1", "top5", "images", "protocol", "images_per_second"}
    assert score["images"] == 60
    assert 1 / 3 <= score["top1"] <= score["top5"] == 1
    _, out, err = run(capsys, "evaluate", str(pictures), "--weights", weights, "--limit", "10")
    assert re.fullmatch(r" \* Acc@1 \d+\.\d{3} Acc@5 100\.000\n", out)
    assert err.startswith("vggnet: 10 of 60 pictures, drawn at random, of ")


def test_evaluate_says_which_split_it_takes(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _trained(pictures, tmp_path, capsys)
    for name in ("train", "val"):
        (tmp_path / name).symlink_to(pictures)
    _, _, err = run(capsys, "evaluate", str(tmp_path), "--weights", weights, "--limit", "9")
    drawn = "9 of 60 pictures, drawn at random, of the validation split"
    assert err == f"vggnet: {drawn}, {tmp_path / 'val'}\n"
    (tmp_path / "val").rename(tmp_path / "test")
    status, out, err = run(
        capsys, "evaluate", str(tmp_path), "--weights", weights, "--format", "json"
    )
    assert status == 0
    assert err == f"vggnet: 60 pictures of the test split, {tmp_path / 'test'}\n"
    assert json.loads(out)["split"] == "test"


def test_evaluate_names_classes_without_pictures_and_tests_the_others(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _trained(pictures, tmp_path, capsys)
    data = tmp_path / "data"
    data.mkdir()
    for name in ("blue", "red"):
        (data / name).symlink_to(pictures / name)
    (data / "green").mkdir()
    (data / "notes").mkdir()  # no class of the model
    (data / "green" / "photograph.heic").write_bytes(b"")
    status, out, err = run(capsys, "evaluate", str(data), "--weights", weights, "--format", "json")
    assert status == 0
    assert json.loads(out)["images"] == 40
    assert "1 picture in a format that is not read: 1 .heic" in err
    assert err.splitlines()[-1] == "vggnet: without pictures, and so not tested: class green, notes"


def test_features_writes_named_activations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found"
    layers = ("--layer", "conv1_1", "--layer", "relu1_1")
    status, _, _ = run(capsys, "features", str(EXAMPLES), *layers, "--out", str(out))
    assert status == 0
    with np.load(out) as arrays:
        assert arrays["images"].shape == (3,)
        assert arrays["conv1_1"].min() < 0
        np.testing.assert_array_equal(arrays["relu1_1"], np.maximum(arrays["conv1_1"], 0))


def test_features_of_good_pictures_are_written_where_there_are_bad_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.npz"
    good = [str(EXAMPLES / "cat.jpg"), str(EXAMPLES / "uniform.jpg")]
    arguments = ["--layer", "fc6", "--out", str(out), "--format", "json"]
    status, text, err = run(capsys, "features", good[0], __file__, good[1], *arguments)
    assert status == 1
    assert json.loads(text) == {"file": str(out), "images": 2, "layers": {"fc6": [2, 200]}}
    assert err.startswith(f"vggnet: {__file__}: not a JPEG")
    assert err.splitlines()[1:] == ["vggnet: 1 of 3 pictures failed"]
    with np.load(out) as arrays:
        assert arrays["images"].tolist() == good
        both = arrays["fc6"]
    assert run(capsys, "features", good[1], *arguments)[0] == 0
    with np.load(out) as arrays:
        np.testing.assert_allclose(arrays["fc6"][0], both[1], rtol=1e-4, atol=1e-5)
    out.unlink()
    assert run(capsys, "features", __file__, *arguments)[0] == 2
    assert not out.exists()


def _options(out: Path) -> list[str]:
    return [
        "--out", str(out), "--workers", "0", "--threads", "1", "--input-size", "32",
        "--batch-size", "8", "--holdout", "10", "--precision", "fp32",
    ]  # fmt: skip


_NETWORK = ["--config", SMALL.config, "--width", str(SMALL.width)]


def _trained(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    out = tmp_path / "run"
    options = [*_options(out), *_NETWORK, "--sizes", "32x2"]
    status, _, err = run(capsys, "train", str(pictures), *options)
    assert status == 0, err
    assert "epoch 2 at 32: loss" in err
    return str(out / "model.safetensors")


def test_train_writes_a_model_that_predict_takes_and_init_starts_from(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _trained(pictures, tmp_path, capsys)
    picture = str(pictures / "red" / "000.png")
    _, out, _ = run(
        capsys, "predict", picture, "--weights", weights, "--format", "json", "--top", "3"
    )
    (answer,) = json.loads(out)
    assert {each["label"] for each in answer["predictions"]} == {"blue", "green", "red"}
    second = _options(tmp_path / "second")
    status, _, err = run(
        capsys, "train", str(pictures), *second, "--sizes", "32x1", "--init", weights
    )
    assert status == 0, err


def test_ctrl_c_leaves_a_checkpoint_and_status_130(tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "data")
    out = tmp_path / "run"
    command = [sys.executable, "-m", "vggnet", "train", str(pictures), *_options(out), *_NETWORK]
    command += ["--workers", "1", "--checkpoint-seconds", "1000"]
    process = subprocess.Popen(
        [*command, "--sizes", "32x100000"], stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    metrics = out / "metrics.jsonl"
    while process.poll() is None and not (out / "curves.png").exists():
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, err = process.communicate(timeout=600)
    assert process.returncode == 130, err
    assert "go on with --resume" in err
    assert "Traceback" not in err
    assert metrics.stat().st_size > 0
    assert (out / "checkpoint.pt").exists()


def test_version_lists_the_engines(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--version")
    assert status == 0
    assert out.startswith("vggnet 0.")
    assert "engine numpy: available" in out
    assert "engine torch: available" in out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "--help")
    for command in ("predict", "describe", "stack", "evaluate", "features", "train"):
        assert command in out


def test_no_arguments_is_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys)
    assert status == 0
    assert err == ""
    assert len(out.splitlines()) > 10


def test_json_goes_to_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["describe", "D"], ["stack", "3", "3", "3"]):
        status, out, err = run(capsys, *arguments, "--format", "json")
        assert status == 0
        assert err == ""
        assert json.loads(out)


def test_evaluate_ends_with_1_where_it_is_strict_with_pictures(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = _trained(pictures, tmp_path, capsys)
    data = tmp_path / "data"
    for name in ("blue", "green", "red"):
        (data / name).mkdir(parents=True)
        (data / name / "a.png").symlink_to(pictures / name / "000.png")
    (data / "red" / "b.png").write_bytes(b"no picture")
    arguments = ("evaluate", str(data), "--weights", weights, "--format", "json")
    for more, expected in (((), 0), (("--strict",), 1)):
        status, out, err = run(capsys, *arguments, *more)
        assert status == expected
        assert (json.loads(out)["images"], json.loads(out)["broken"]) == (3, 1)
        assert re.search(r"^vggnet: left out: .*b\.png: not a JPEG", err, re.M)
    (data / "red" / "b.png").unlink()
    assert run(capsys, *arguments, "--strict")[0] == 0


@pytest.mark.parametrize(
    ("category", "told"),
    [("UserWarning", "vggnet: first\n"), ("DeprecationWarning", ""), ("RuntimeWarning", "")],
)
def test_no_warning_of_python_reaches_a_user(category: str, told: str) -> None:
    program = (
        "import warnings, vggnet.stacks, vggnet.cli.stack as stack\n"
        "from vggnet.cli import main\n"
        f"stack._side = lambda text: warnings.warn('first\\nsecond', {category}) or int(text)\n"
        "main(['stack', '3', '--format', 'json'])"
    )
    command = [sys.executable, "-W", "always", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, told)
    shown = subprocess.run(
        [*command[:1], "-X", "dev", *command[1:]], capture_output=True, text=True
    )
    assert "vggnet: first\n" in shown.stderr  # whoever looks for them finds them
