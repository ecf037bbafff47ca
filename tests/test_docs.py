"""The code in docs/python.md and its translation does what it says it does."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("python.md", "python.zh-CN.md")
TESTING_PAGES = ("testing.md", "testing.zh-CN.md")


def blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize(
    "code", blocks(PAGES[0]), ids=["without-torch", "perceptual-loss", "training", "gradients"]
)
def test_a_block_prints_what_stands_beside_it(
    code: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, PAGES[0], "exec"), {})
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
    (code,) = blocks(TESTING_PAGES[0])
    exec(compile(code, TESTING_PAGES[0], "exec"), {})
    assert capsys.readouterr().out.splitlines() == re.findall(r"print\(.*\)  # (.+)", code)


@pytest.mark.parametrize("pages", [PAGES, TESTING_PAGES])
def test_the_pages_have_the_same_code(pages: tuple[str, str]) -> None:
    def bare(page: str) -> list[str]:
        return [re.sub(r'# .*|""".*"""', "", code) for code in blocks(page)]

    assert bare(pages[0]) == bare(pages[1])
