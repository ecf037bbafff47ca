"""`vggnet explain`: the picture, the lines, the JSON, and mistakes in one line."""

import io
import json
from pathlib import Path

import pytest
from command_line import run
from PIL import Image
from places import EXAMPLES

CAT = str(EXAMPLES / "cat.jpg")


def test_a_picture_and_lines(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "why.png"
    status, printed, err = run(
        capsys, "explain", CAT, "-o", str(out), "--method", "grad-cam", "--method", "occlusion"
    )
    assert (status, err) == (0, "")
    lines = printed.splitlines()
    assert lines[0] == CAT
    assert lines[1] == "  tabby: 55.3% at 104x104 pixels"
    assert lines[2].startswith("  grad-cam   relu5_3, 14x14 positions, at 232x232 pixels")
    assert "26x26 pixels are hidden, stride 8, at 104x104 pixels" in lines[3]
    assert lines[4] == f"written to {out}"
    with Image.open(out) as picture:
        assert picture.format == "PNG"


def test_without_a_font_for_chinese_it_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.drawing.fonts.system_font", lambda _: None)
    out = tmp_path / "why.png"
    status, _, err = run(capsys, "explain", CAT, "--language", "zh", "-o", str(out))
    assert (status, out.exists()) == (2, False)
    assert "no font with Chinese characters" in err
    assert "leave --language zh out" in err


def test_json_needs_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    status, printed, _ = run(
        capsys, "explain", CAT, "--class", "n02124075", "--format", "json", "--language", "zh"
    )
    assert status == 0
    found = json.loads(printed)
    assert found["class"]["label"] == "埃及猫"
    assert found["image"] == CAT
    assert found["weights"] == "tiny-imagenet"
    assert len(found["maps"][0]["values"]) == 14


def test_a_picture_on_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(CAT).open("rb") as file, io.TextIOWrapper(file) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        status, printed, _ = run(capsys, "explain", "-", "--format", "json")
    found = json.loads(printed)
    assert (status, found["image"], found["class"]["label"]) == (0, "-", "tabby")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("", "say which file to write, as -o why.png, or --format json"),
        ("-o why.jpg", "why.jpg: name a file that ends with .png"),
        (
            "-o why.png --class espreso",
            "no class 'espreso': did you mean 'espresso'? vggnet labels",
        ),
        ("-o why.png --class 200", "class 200 must be from 0 to 199"),
        ("-o why.png --method occlusion --patch 105", "patch 105 must be from 1 to 104"),
        ("-o why.png --method lime", "'lime' is not one of"),
        ("-o nowhere/why.png", "nowhere/why.png: the folder nowhere is missing"),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    fault: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "explain", CAT, *arguments.split())
    assert (status, out) == (2, "")
    assert fault in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
