"""What leaves a command: names that are not UTF-8, streams that take ASCII alone, closed pipes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import EXAMPLES

EXAMPLE = EXAMPLES / "cat.jpg"


def run(
    *arguments: str | bytes, encoding: str = "utf-8:strict", folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "vggnet", *arguments],
        capture_output=True, cwd=folder, env=environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures whose names no table shows as they are."""
    folder = tmp_path_factory.mktemp("names")
    for name in (b"caf\xe9.jpg", "\u56fe.jpg".encode(), b"red\x1b[31m\n.jpg"):
        Path(folder, os.fsdecode(name)).symlink_to(EXAMPLE)
    return folder


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_json_gives_every_name_back(folder: Path, encoding: str) -> None:
    arguments = ["predict", ".", "--format", "json", "--top", "1", "--engine", "numpy"]
    done = run(*arguments, encoding=encoding, folder=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    names = [os.fsencode(answer["image"]) for answer in json.loads(done.stdout)]
    assert sorted(names) == sorted(os.fsencode(path.name) for path in folder.iterdir())


def test_json_is_readable_where_the_encoding_has_the_characters(folder: Path) -> None:
    arguments = ["predict", "\u56fe.jpg", "--format", "json", "--engine", "numpy"]
    assert "\u56fe.jpg" in run(*arguments, folder=folder).stdout.decode()
    shown = run(*arguments, encoding="ascii:strict", folder=folder).stdout.decode("ascii")
    assert "\\u56fe.jpg" in shown


@pytest.mark.parametrize(
    ("encoding", "chinese", "block"),
    [("utf-8:strict", "\u56fe.jpg", "█"), ("ascii:strict", "\\u56fe.jpg", "#")],
)
def test_a_table_keeps_to_one_line_and_to_the_encoding(
    folder: Path, encoding: str, chinese: str, block: str
) -> None:
    arguments = ["predict", ".", "missing\x07", "--top", "1", "--engine", "numpy"]
    done = run(*arguments, encoding=encoding, folder=folder)
    lines = done.stdout.decode(encoding.partition(":")[0]).splitlines()
    assert set(lines[::2]) == {"'caf\\udce9.jpg'", chinese, "'red\\x1b[31m\\n.jpg'"}
    assert all(block in line and line.isprintable() for line in lines[1::2])
    assert done.returncode == 1
    assert done.stderr == (
        b"vggnet: 'missing\\x07': cannot be read: No such file or directory\n"
        b"vggnet: 1 of 4 pictures failed\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["describe", "D"], ["describe", "D", "--format", "json"], ["stack", "3", "3"], ["--help"]],
    ids=" ".join,
)
def test_a_closed_pipe_ends_a_command_quietly(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "vggnet", *arguments], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")  # 128 + SIGPIPE, as of any other tool


def test_a_full_disk_is_one_line() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("wb") as file:
        done = subprocess.run(
            [sys.executable, "-m", "vggnet", "describe", "D", "--format", "json"],
            stdout=file, stderr=subprocess.PIPE,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == b"vggnet: No space left on device\n"


@pytest.mark.parametrize(
    ("closed", "picture", "status", "told"),
    [
        (">&-", "cat.jpg", 0, b""),
        ("2>&-", "missing.jpg", 2, b""),
        ("<&-", "-", 2, b"vggnet: -: no bytes\n"),
    ],
)
def test_a_command_without_a_standard_stream(
    closed: str, picture: str, status: int, told: bytes
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m vggnet predict {picture} {closed}', sys.executable],
        cwd=EXAMPLES, capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", told)
