"""The code in the pages of docs/ and their translations does what it says it does."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NAMES = {
    "python": ("without-torch", "perceptual-loss", "training", "gradients"),
    "explain": ("explain", "unit"),
}


def blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(code, id=name)
        for page, names in NAMES.items()
        for name, code in zip(names, blocks(f"{page}.md"), strict=True)
    ],
)
def test_a_block_prints_what_stands_beside_it(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "a page of docs/", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    expected = re.findall(r"print\(.*\)  # (.+)", code)
    assert expected
    assert printed[: len(expected)] == expected


def test_the_block_about_protocols(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cats = tmp_path / "DATA" / "Egyptian cat"
    cats.mkdir(parents=True)
    (cats / "cat.jpg").symlink_to(ROOT / "examples" / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("testing.md")
    exec(compile(code, "testing.md", "exec"), {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.+)", code)


@pytest.mark.parametrize("page", [*NAMES, "testing"])
def test_the_pages_have_the_same_code(page: str) -> None:
    def bare(name: str) -> list[str]:
        return [re.sub(r'# .*|""".*"""', "", code) for code in blocks(name)]

    assert bare(f"{page}.md") == bare(f"{page}.zh-CN.md")
