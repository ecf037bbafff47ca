"""The code in docs/python.md and its translation does what it says it does."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("python.md", "python.zh-CN.md")


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


def test_the_pages_have_the_same_code() -> None:
    def bare(page: str) -> list[str]:
        return [re.sub(r'# .*|""".*"""', "", code) for code in blocks(page)]

    assert bare(PAGES[0]) == bare(PAGES[1])
