"""What a weight file does not say, said on the command line: labels, sizes, mean, deviation."""

import inspect
import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from places import EXAMPLES
from small_data import write_pictures

import vggnet
from vggnet.class_lists import labels
from vggnet.label_files import read_labels
from vggnet.weights import load
from vggnet.weights.export.convert import convert
from vggnet.weights.overrides import override

CAT = str(EXAMPLES / "cat.jpg")


def best(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[str, float]:
    status, out, err = run(capsys, "predict", CAT, "--format", "json", *arguments)
    assert (status, err) == (0, "")
    found = json.loads(out)[0]["predictions"][0]
    return found["label"], found["probability"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The embedded model as a .pth, which says neither labels nor sizes."""
    path = tmp_path_factory.mktemp("bare") / "net.pth"
    convert("tiny-imagenet", path)
    return str(path)


@pytest.mark.parametrize(
    ("name", "size"),
    [("net.pth", ()), ("net.caffemodel", ("--input-size", "96", "--resize", "104"))],
)
def test_convert_says_how_to_read_what_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, size: tuple[str, ...]
) -> None:
    path = str(tmp_path / name)
    status, _, err = run(capsys, "weights", "convert", "tiny-imagenet", path, *size)
    assert status == 0
    (line,) = [line for line in err.splitlines() if "read it with" in line]
    assert line.startswith(
        f"vggnet: {path}: read it with --input-size {size[1] if size else 104} --resize 104 --mean "
    )
    asked = shlex.split(line.partition("read it with ")[2])
    original = best(capsys, *size)
    found = best(capsys, "--weights", path, *asked)
    assert original[0] == found[0] == "tabby"
    assert found[1] == pytest.approx(original[1], rel=1e-3)
    assert best(capsys, "--weights", path)[0].startswith("class ")


def test_a_file_that_says_all_needs_no_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("net.onnx", "net.safetensors", "net.h5"):
        path = str(tmp_path / name)
        assert "read it with" not in run(capsys, "weights", "convert", "tiny-imagenet", path)[2]
        assert best(capsys, "--weights", path)[0] == "tabby"


def test_load_spells_out_what_may_be_known() -> None:
    known = dict(inspect.signature(override).parameters)
    del known["weights"]
    for take in (vggnet.load, vggnet.load_weights):
        assert known.items() <= inspect.signature(take).parameters.items()
        with pytest.raises(TypeError, match=f"{take.__name__}.. got an unexpected .* 'size'"):
            take("tiny-imagenet", size=3)


def test_ones_own_labels_go_through_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = load("tiny-imagenet")
    named = tuple(replace(label, wnid="", words=f"thing {label.index}") for label in net.labels)
    source = tmp_path / "own.safetensors"
    from vggnet.weights import save

    save(source, replace(net, labels=named))
    target = str(tmp_path / "net.pth")
    _, _, err = run(capsys, "weights", "convert", str(source), target)
    assert "--labels FILE (vggnet labels IN --format json > FILE)" in err
    hostile = tmp_path / "hostile.txt"
    hostile.write_text("".join(f"\x1b[31mred {label.index}\n" for label in named))
    shown = run(capsys, "labels", str(source), "--labels", str(hostile))[1]
    assert "\\x1b[31mred 0" in shown
    assert "\x1b" not in shown
    listed = tmp_path / "labels.json"
    listed.write_text(run(capsys, "labels", str(source), "--format", "json")[1])
    assert read_labels(listed) == named
    found = best(capsys, "--weights", target, "--labels", str(listed))
    assert found[0].startswith("thing ")


def test_labels_in_every_form(tmp_path: Path) -> None:
    plain = ("cat", "dog", "red fox, Vulpes vulpes")
    path = tmp_path / "labels"
    for text in (
        "cat\ndog\nred fox, Vulpes vulpes\n",
        "\ufeffcat\r\ndog\r\n\r\nred fox, Vulpes vulpes",
        json.dumps(plain),
        json.dumps(dict(enumerate(plain))),
        json.dumps({name: index for index, name in enumerate(plain)}),
        json.dumps([{"index": i, "wnid": "", "words": name} for i, name in enumerate(plain)]),
    ):
        path.write_text(text, encoding="utf-8")
        assert [label.words for label in read_labels(path)] == list(plain), text
        assert [label.index for label in read_labels(path)] == [0, 1, 2]
    for text in (
        "n02123045 tabby, tabby cat\nn02085620 Chihuahua\n",
        "n02123045\ttabby, tabby cat\nn02085620\tChihuahua\n",
        json.dumps({"0": ["n02123045", "tabby, tabby cat"], "1": ["n02085620", "Chihuahua"]}),
    ):
        path.write_text(text)
        assert [(each.wnid, each.name) for each in read_labels(path)] == [
            ("n02123045", "tabby"), ("n02085620", "Chihuahua")
        ]  # fmt: skip
    assert read_labels("tiny-imagenet") == labels("tiny-imagenet")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it names no class"),
        ("[1, 2]", "a class is 1; give a name"),
        ('{"0": "cat", "2": "dog"}', "its 2 indices are not 0 to 1"),
        ('{"a": "b"}', "give an object with a class an index"),
        ("[not json", "it begins like JSON and is none"),
        ("cat\ncat\n", "'cat' comes more than once"),
    ],
)
def test_mistakes_in_labels(
    text: str, fault: str, tmp_path: Path, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "labels"
    path.write_text(text)
    status, out, err = run(capsys, "labels", bare, "--labels", str(path))
    assert (status, out) == (2, "")
    assert err.startswith(f"vggnet: {bare}: {path}: ")
    assert fault in err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("--labels imagenet-1k", "1000 labels for a net of 200 classes"),
        (
            f"--labels {os.devnull}",
            "a folder, a pipe or a device, not a regular file",
        ),
        ("--labels nowhere.txt", "labels 'nowhere.txt': no such file, and no list of this package"),
        ("--input-size 8", "pictures must be at least 32 x 32, not 8 x 8"),
        ("--input-size 64 --resize 32", "crop 64 is larger than resize 32"),
        ("--mean 1,2", "'1,2': give three numbers, as 0.485,0.456,0.406"),
        ("--mean 1,2,x", "'1,2,x': give three numbers"),
        ("--std 0,1,1", "std is (0.0, 1.0, 1.0); give three numbers above 0"),
        ("--input-size many", "'many' is not a whole number"),
    ],
)
def test_mistakes_are_one_line(
    options: str, fault: str, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = run(capsys, "predict", CAT, "--weights", bare, *options.split())
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert fault in err


def test_every_command_with_weights_takes_them(
    tmp_path: Path, bare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--input-size", "64", "--mean", "0.5,0.5,0.5", "--std", "0.3,0.3,0.3"]
    asked += ["--labels", "tiny-imagenet", "--resize", "72"]
    out = tmp_path / "found.npz"
    command = ["features", CAT, "--layer", "pool1", "--out", str(out), "--weights", bare]
    assert run(capsys, *command, *asked)[0] == 0
    with np.load(out) as arrays:
        assert arrays["pool1"].shape == (1, 44, 32, 32)
    written = tmp_path / "net.safetensors"
    assert run(capsys, "weights", "convert", bare, str(written), *asked)[0] == 0
    preprocessing = load(written).preprocessing
    assert load(written).spec.input_size == 64
    assert (preprocessing.crop, preprocessing.resize) == (64, 72)
    assert (preprocessing.mean, preprocessing.std) == ((0.5,) * 3, (0.3,) * 3)
    assert load(written).labels == labels("tiny-imagenet")
    status, text, _ = run(capsys, "labels", bare, *asked, "--format", "csv")
    assert (status, text.splitlines()[31]) == (0, '30,n02123045,"tabby, tabby cat"')
    data = write_pictures(tmp_path / "data")
    (tmp_path / "names").write_text("\n".join(["red", "green", "blue", *map(str, range(197))]))
    asked[asked.index("tiny-imagenet")] = str(tmp_path / "names")
    status, text, _ = run(
        capsys, "evaluate", str(data), "--weights", bare, *asked, "--limit", "3", "--format", "json"
    )
    assert (status, json.loads(text)["images"]) == (0, 3)


def test_labels_lists_what_a_model_knows(bare: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "labels", "tiny-imagenet")
    assert (status, len(out.splitlines())) == (0, 200)
    assert out.splitlines()[0] == "   0  n01443537  goldfish, Carassius auratus"
    assert (
        run(capsys, "labels", "tiny-imagenet", "--language", "zh")[1]
        .splitlines()[30]
        .endswith("虎斑猫")
    )
    assert run(capsys, "labels", bare) == (
        2, "", f"vggnet: {bare}: it does not name its 200 classes; pass --labels FILE|NAME\n"
    )  # fmt: skip


def test_chinese_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert best(capsys, "--language", "zh")[0] == "虎斑猫"
    assert best(capsys, "--language", "en")[0] == "tabby"


def test_a_mean_says_in_which_range_pixels_are() -> None:
    net = load("tiny-imagenet")
    assert override(net).preprocessing == net.preprocessing
    large = override(net, mean=(123.68, 116.78, 103.94)).preprocessing
    assert (large.scale, large.std) == (1.0, (1.0, 1.0, 1.0))
    both = override(net, mean=(123.68, 116.78, 103.94), std=(58.0, 57.0, 57.0)).preprocessing
    assert (both.scale, both.std) == (1.0, (58.0, 57.0, 57.0))
    small = override(net, std=(0.3, 0.3, 0.3)).preprocessing
    assert (small.scale, small.mean) == (net.preprocessing.scale, net.preprocessing.mean)
    larger = override(net, input_size=160).preprocessing
    assert (larger.crop, larger.resize) == (160, 160)
