"""`vggnet draw`: the suffix says what is written; mistakes are one line."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from command_line import run
from PIL import Image


def test_svg(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "net.SVG"
    assert run(capsys, "draw", "vgg16_bn", "-o", str(out)) == (0, f"written to {out}\n", "")
    text = out.read_text(encoding="utf-8")
    ElementTree.fromstring(text)
    assert "D-BN (vgg16_bn)" in text


def test_png(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "net.png"
    assert run(capsys, "draw", "A", "E", "--input-size", "64", "-o", str(out))[0] == 0
    with Image.open(out) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000


def test_html_of_the_embedded_model(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "net.html"
    assert run(capsys, "draw", "tiny-imagenet", "--classes", "10", "-o", str(out))[0] == 0
    text = out.read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert "D (width 0.688, global average, 10 classes)" in text


def test_in_chinese(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("net.svg", "net.html"):
        out = tmp_path / name
        assert run(capsys, "draw", "D", "--language", "zh", "-o", str(out))[0] == 0
        assert "全连接" in out.read_text(encoding="utf-8")
    monkeypatch.setattr("vggnet.drawing.fonts.system_font", lambda _: None)
    out = tmp_path / "net.png"
    status, _, err = run(capsys, "draw", "D", "--language", "zh", "-o", str(out))
    assert status == 2
    assert "no font with Chinese characters" in err
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("D -o net.pdf", "net.pdf: name a file that ends with .svg, .png, .html, which says what "
         "to write"),
        ("D -o nowhere/net.svg", "nowhere/net.svg: the folder nowhere is missing; make it first"),
        ("F -o net.svg", "no configuration 'F'"),
        ("D --input-size 8 -o net.svg", "a picture of 8 x 8 is too small"),
        ("D", "Missing option '-o' / '--out'"),
    ],
)  # fmt: skip
def test_mistakes(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: str,
    fault: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, "draw", *arguments.split())
    assert (status, out) == (2, "")
    assert fault in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
