"""vggnet.commit: the commit of the code that runs, and of no other."""

import subprocess
from pathlib import Path

import pytest

from vggnet.commit import commit_of


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file of a package in a checkout with one commit."""
    file = tmp_path / "src" / "training" / "code.py"
    file.parent.mkdir(parents=True)
    file.write_text("x = 1\n")
    (tmp_path / "notes.txt").write_text("a\n")
    _git(tmp_path, "init", "-q")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-q", "-m", "first")
    return file


def test_the_commit_and_a_plus_where_the_package_was_changed(tmp_path: Path, code: Path) -> None:
    commit = _git(tmp_path, "rev-parse", "HEAD")
    (tmp_path / "notes.txt").write_text("b\n")  # no part of the package
    assert commit_of(code) == commit
    code.write_text("x = 2\n")
    assert commit_of(code) == commit + "+"
    _git(tmp_path, "checkout", "-q", "src")
    (tmp_path / "src" / "new.py").write_text("y = 1\n")
    assert commit_of(code) == commit + "+"


def test_a_repository_around_the_code_is_not_its_own(tmp_path: Path, code: Path) -> None:
    (tmp_path / ".gitignore").write_text("site-packages\n")
    installed = tmp_path / "site-packages" / "vggnet" / "training" / "code.py"
    installed.parent.mkdir(parents=True)
    installed.write_text("x = 1\n")
    assert commit_of(installed) is None


def test_no_checkout_and_no_git(code: Path, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(code) is None
