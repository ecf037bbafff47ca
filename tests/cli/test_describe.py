"""`vggnet describe`: the table at several widths, the JSON, and what is said of mistakes."""

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from table_1 import FIELDS_OF_D, PARAMETERS

from vggnet.analysis import analyze
from vggnet.cli import main
from vggnet.configurations import configuration
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import own_file


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run in, standard output is a pipe unless a test says otherwise."""
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Makes the commands write as to a terminal of `width` characters without colours."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "50")


def describe(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Standard output of a run that goes well and has nothing else to say."""
    with pytest.raises(SystemExit) as end:
        main(["describe", *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code or 0, err) == (0, "")
    return out


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    return json.loads(describe(capsys, *arguments, "--format", "json"))


def line_of(out: str, name: str) -> str:
    return next(line for line in out.splitlines() if line.startswith(name + " ")).rstrip()


def test_json_of_d(capsys: pytest.CaptureFixture[str]) -> None:
    values = as_json(capsys, "D")
    assert values["name"] == "D"
    assert values["input"] == [3, 224, 224]
    assert values["parameters"] == 138_357_544
    assert values["macs"] == 15_470_264_320
    assert values["activations"] * 4 == values["activation_bytes"]
    keys = {"name", "type", "kernel", "stride", "output", "parameters", "macs"}
    assert all(keys | {"receptive_field", "jump"} <= set(layer) for layer in values["layers"])
    fields = [layer["receptive_field"] for layer in values["layers"]]
    assert list(dict.fromkeys(fields)) == list(dict.fromkeys(f for f, _ in FIELDS_OF_D.values()))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        *PARAMETERS.items(),
        ("vgg16", 138_357_544),
        ("vgg16_bn", 138_357_544 + 8448),
    ],
)
def test_json_of_the_others(capsys: pytest.CaptureFixture[str], name: str, parameters: int) -> None:
    assert as_json(capsys, name)["parameters"] == parameters


def test_options_vary_the_net(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--width=0.5", "--classes=200", "--head=average", "--batch-norm"]
    options.append("--input-size=64x96")
    values = as_json(capsys, "D", *options)
    spec = configuration("D").scaled(0.5, None, 200, "average", True)
    assert values == json.loads(json.dumps(analyze(spec, (64, 96)).to_json()))
    assert values["input"] == [3, 64, 96]
    assert "2x3" in line_of(describe(capsys, "D", *options), "avgpool")
    assert as_json(capsys, "D", "--input-size", "64")["spec"]["input_size"] == 64
    assert as_json(capsys, "vgg16_bn")["spec"]["batch_norm"]


def test_weight_file_is_described_by_the_spec_inside(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = Spec("mine", ("conv3-4", "maxpool", "avgpool", "FC-3", "soft-max"), 16)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in spec.state_shapes.items()}
    path = tmp_path / "mine.safetensors"
    own_file.save(path, own_file.Weights(spec, arrays, Preprocess(16, 16, 1.0, (0.0, 0.0, 0.0))))
    values = as_json(capsys, str(path))
    assert values["name"] == "mine"
    assert values["parameters"] == 3 * 9 * 4 + 4 + 4 * 3 + 3


@pytest.mark.parametrize(
    ("arguments", "title"),
    [
        ("D", "D on 224x224 pixels"),
        ("vgg16_bn", "D-BN (vgg16_bn) on 224x224 pixels"),
        ("D --batch-norm", "D (batch norm) on 224x224 pixels"),
        ("E --input-size 64", "E on 64x64 pixels"),
        ("D --width 0.333 --classes 10", "D (width 0.333, 10 classes) on 224x224 pixels"),
        ("D --width 0.5 --head average --input-size 64x96 --batch-norm",
         "D (batch norm, width 0.5, global average) on 64x96 pixels"),
        ("AlexNet --width 2", "AlexNet (width 2) on 227x227 pixels"),
        ("D --width 1e-9", "D (width 0.0002) on 224x224 pixels"),  # as good: each layer has 1
    ],
)  # fmt: skip
def test_the_title_tells_variants_apart(
    capsys: pytest.CaptureFixture[str], arguments: str, title: str
) -> None:
    out = describe(capsys, *arguments.split())
    assert out.splitlines()[0].rstrip() == title
    name = "D-BN" if arguments == "vgg16_bn" else arguments.split()[0]
    assert as_json(capsys, *arguments.split())["name"] == name


@pytest.mark.parametrize(
    ("rows", "title"),
    [
        (("conv3-4", "maxpool", "avgpool", "FC-3", "soft-max"),
         "D (other layers, global average, 3 classes) on 16x16 pixels"),
        (("conv3-4", "maxpool"), "D (other layers, no head) on 16x16 pixels"),
    ],
)  # fmt: skip
def test_the_title_of_a_net_that_only_has_the_name(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, rows: tuple[str, ...], title: str
) -> None:
    spec = Spec("D", rows, 16)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in spec.state_shapes.items()}
    path = tmp_path / "model.safetensors"
    own_file.save(path, own_file.Weights(spec, arrays, Preprocess(16, 16, 1.0, (0.0, 0.0, 0.0))))
    for name in (str(path), str(tmp_path)):  # the folder of a run stands for its weights
        assert describe(capsys, name).splitlines()[0].rstrip() == title


@pytest.mark.parametrize("width", [80, 100, 120])
def test_table_fits_and_shows_where_the_parameters_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    terminal(monkeypatch, width)
    out = describe(capsys, "D")
    assert max(map(len, out.splitlines())) <= width
    fc6, conv = line_of(out, "fc6"), line_of(out, "conv1_2")
    for part in ("7x7", "4096x1x1", "102,764,544", "74.3%", "404", "32"):
        assert part in fc6.split()
    assert "12.0%" in conv
    # fc6 has the longest bar, three quarters of the whole, and fc7 the next.
    bars = {line.split()[0]: line.count("█") for line in out.splitlines() if line.startswith("fc")}
    assert bars["fc6"] >= 6
    assert bars["fc6"] > 4 * bars["fc7"] > 0
    assert "█" in conv
    assert ("activations" in out.splitlines()[2]) == (width >= 100)
    assert "138,357,544, 527.8 MiB in fp32; fc6 holds 74.3%" in out
    assert "15,470,264,320; convolutions do 99.2%" in out
    assert "24.5 MiB live at most (conv1_2); training keeps 58.1 MiB a picture" in out


def test_no_digit_is_cut_where_the_terminal_is_too_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal(monkeypatch, 40)
    out = describe(capsys, "D")
    assert line_of(out, "fc6").split() == [
        "fc6", "7x7", "4096x1x1", "102,764,544", "74.3%", "103", "M", "0.7%", "404", "32"
    ]  # fmt: skip
    assert "…" not in out


def test_table_in_a_pipe_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    out = describe(capsys, "AlexNet")
    assert "\x1b" not in out
    assert out.startswith("AlexNet on 227x227 pixels")
    assert "11x11/4" in line_of(out, "conv1")
    assert line_of(out, "norm1").split()[1] == "96x55x55"
    assert "relu1" not in out  # in-place layers add no line


def test_table_where_only_ascii_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    with pytest.raises(SystemExit) as end:
        main(["describe", "D"])
    sys.stdout.flush()
    assert not end.value.code
    fc6 = line_of(shown.getvalue().decode("ascii").replace("|", " "), "fc6")
    assert fc6.count("#") == 15  # 74.3% of 20
    assert "102,764,544" in fc6


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["vgg17"], "no configuration 'vgg17': there are A, A-LRN, B, C, D, E, AlexNet, vgg11, "
         "vgg13, vgg16, vgg19 (each also with -BN or _bn); nor is there a weight file of that "
         "name"),
        (["conv-64 / maxpol"], "spec 'custom': bad token 'conv-64', 'maxpol': did you mean "
         "conv3-64, maxpool? the tokens are like conv3-64, conv11-96/4p0, LRN, maxpool, "
         "maxpool3/2, avgpool, FC-4096, soft-max"),
        (["D", "--width", "-1"], "spec 'D': width -1.0 must be above 0 and at most 1,000,000"),
        (["D", "--width", "inf"], "spec 'D': width inf must be above 0 and at most 1,000,000"),
        (["D", "--classes", "0"], "spec 'D': 0 classes: there must be 1 to 1,000,000"),
        (["D", "--input-size", "big"],
         "input size 'big': give a side or HEIGHTxWIDTH, as 224 or 256x320, of at most 1,000,000"),
        (["D", "--input-size", f"{10**200}"], "input size '100000000000...0000000000000': give a "
         "side or HEIGHTxWIDTH, as 224 or 256x320, of at most 1,000,000"),
        (["D", "--head", "average", "--input-size", "224x1000001"],
         "spec 'D': a picture's side may be 1,000,000 pixels, not more"),
        (["D", "--classes", f"{10**200}"], "spec 'D': 100000000000000000...0000000000000000000 "
         "classes: there must be 1 to 1,000,000"),
        (["D", "--width", "1e308"],
         "spec 'D': width 1e+308 must be above 0 and at most 1,000,000"),
        (["D", "--width", "wide"], "Invalid value for '--width': 'wide' is not a number"),
        (["D", "--head", "big"],
         "Invalid value for '--head': 'big' is not one of 'fc', 'average'"),
        (["https://example.com/net.safetensors"], "weights 'https://example.com/net.safetensors': "
         "an address, not a file; download it first"),
        (["D", "--input-size", "31"],
         "spec 'D': a picture of 31 x 31 is too small: pool5 takes 2 x 2 and is given 1 x 1"),
        (["D", "--input-size", "224x256"], "spec 'D': its FC layers take square pictures, not "
         "224 x 256; give it the average head for these"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], fault: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["describe", *arguments])
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"vggnet: {fault}\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["D", "E", "--plan"], ["D", "--format", "xml"], ["D", "--colour"], [__file__],
     [str(Path(__file__).parent)]],
    ids=" ".join,
)  # fmt: skip
def test_other_mistakes_too(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["describe", *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("vggnet: ")
    assert err.count("\n") == 1


def test_several_networks_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    out = describe(capsys, "A", "B", "C", "D", "E")
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["A", "B", "C", "D", "E"]
    rows = {" ".join(line[:-5]): line[-5:] for line in lines if len(line) > 5}
    assert rows["parameters"] == [
        "132,863,336", "133,047,848", "133,638,952", "138,357,544", "143,667,240"
    ]  # fmt: skip
    assert rows["weight layers"] == ["11", "13", "16", "16", "19"]
    assert sum(line == ["conv1-256", "conv3-256", "conv3-256"] for line in lines) == 1
    found = json.loads(describe(capsys, "A", "vgg16", "--format", "json"))
    assert [each["name"] for each in found] == ["A", "D"]
    assert found[1] == json.loads(describe(capsys, "D", "--format", "json"))


def test_columns_tell_a_net_from_the_paper_s(capsys: pytest.CaptureFixture[str]) -> None:
    lines = describe(capsys, "tiny-imagenet", "vgg16", "D").splitlines()
    heads = [[column.strip() for column in re.split(r"\s{2,}", line.strip())] for line in lines[:4]]
    assert heads == [["D"], ["(width 0.688,"], ["global average,", "D"],
                     ["200 classes)", "(vgg16)", "D"]]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "title"),
    [("vgg11", "A (vgg11)"), ("VGG-16", "D"), ("A", "A"), ("vgg19_bn", "E-BN (vgg19_bn)")],
)
def test_a_familiar_name_is_told_which_it_is(
    name: str, title: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert describe(capsys, name).startswith(title)
