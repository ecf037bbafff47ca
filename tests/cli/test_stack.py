"""`vggnet stack`: table and JSON of Section 2.3's comparison, and what is said of mistakes."""

import io
import json
import sys
from typing import Any

import pytest

from vggnet.cli import main


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests run in, standard output is a pipe unless a test says otherwise."""
    for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)


def stack(capsys: pytest.CaptureFixture[str], arguments: str) -> str:
    """Standard output of a run that goes well and has nothing else to say."""
    with pytest.raises(SystemExit) as end:
        main(["stack", *arguments.split()])
    out, err = capsys.readouterr()
    assert (end.value.code or 0, err) == (0, "")
    return out


def as_json(capsys: pytest.CaptureFixture[str], arguments: str) -> dict[str, Any]:
    return json.loads(stack(capsys, f"{arguments} --format json"))


def row_of(out: str, name: str) -> list[str]:
    line = next(line for line in out.splitlines() if line.startswith(name + " "))
    return line.removeprefix(name).split()


def test_json_of_three_3x3(capsys: pytest.CaptureFixture[str]) -> None:
    values = as_json(capsys, "3 3 3 --channels 512")
    assert values["receptive_field"] == 7
    assert values["weights"] == 27 * 512**2
    assert values["nonlinearities"] == 3
    assert values["single"]["kernel"] == 7
    assert values["single"]["weights"] == 49 * 512**2
    assert values["ratio"] == pytest.approx(27 / 49)


def test_options(capsys: pytest.CaptureFixture[str]) -> None:
    values = as_json(capsys, "3 5 --channels 4 --mid-channels 6 --out-channels 8 --size 10")
    assert values["kernels"] == [3, 5]
    assert values["channels"] == [4, 6, 8]
    assert values["weights"] == 9 * 4 * 6 + 25 * 6 * 8
    assert values["macs"] == 100 * values["weights"]
    assert values["single"]["weights"] == 49 * 4 * 8
    assert as_json(capsys, "3 3")["channels"] == [512, 512, 512]


@pytest.mark.parametrize("width", [80, 120])
def test_table_of_three_3x3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("LINES", "50")
    out = stack(capsys, "3 3 3 --channels 512")
    assert row_of(out, "kernels") == ["3x3", "3x3", "3x3", "7x7"]
    assert row_of(out, "receptive field") == ["7", "7"]
    assert row_of(out, "weights") == ["7,077,888", "12,845,056"]
    assert "27 C^2 49 C^2" in " ".join(out.split())
    assert row_of(out, "non-linearities") == ["3", "1"]
    assert row_of(out, "MACs at 14 x 14") == ["1,387,266,048", "2,517,630,976"]
    assert max(map(len, out.splitlines())) <= width
    assert "the single one has 81% more" in out
    assert "512 > 512 channels: the stack costs less with fewer than 787.8 between" in out
    assert "the stack costs less with fewer than 1,137.8 out" in " ".join(out.split())


@pytest.mark.parametrize(
    ("arguments", "verdict"),
    [
        ("3 3 --channels 3 --out-channels 64", "the stack has 704% more"),
        ("5", "both have the same"),
        ("5 1", "widened by the first kernel, the stack never costs less"),
    ],
)
def test_verdicts(capsys: pytest.CaptureFixture[str], arguments: str, verdict: str) -> None:
    assert verdict in stack(capsys, arguments)


@pytest.mark.parametrize("arguments", ["3 3 3", "3 3 --channels 1000000 --size 1000000"])
def test_no_number_is_broken_where_the_terminal_is_too_narrow(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: str
) -> None:
    values = as_json(capsys, arguments)
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("LINES", "50")
    out = stack(capsys, arguments)
    macs = [f"{values['macs']:,}", f"{values['single']['macs']:,}"]
    assert next(line.split()[-2:] for line in out.splitlines() if "MACs at" in line) == macs
    assert row_of(out, "weights") == [
        f"{values['weights']:,}", f"{values['single']['weights']:,}"
    ]  # fmt: skip


def test_one_kernel_has_no_crossover(capsys: pytest.CaptureFixture[str]) -> None:
    assert "costs less" not in stack(capsys, "5")
    assert as_json(capsys, "5")["crossover"] == {"mid_channels": None, "out_channels": None}


def test_table_where_only_ascii_can_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding="ascii"))
    with pytest.raises(SystemExit) as end:
        main(["stack", "3", "3"])
    sys.stdout.flush()
    assert not end.value.code
    out = shown.getvalue().decode("ascii").replace("|", " ")
    assert row_of(out, "kernels") == ["3x3", "3x3", "5x5"]


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("3 0", "kernel 0: the side must be 1 to 1,000,000"),
        ("-- 3 -3", "kernel -3: the side must be 1 to 1,000,000"),
        ("3 3 --channels 0", "0 channels in: there must be 1 to 1,000,000"),
        ("3 3 --out-channels -5", "-5 channels out: there must be 1 to 1,000,000"),
        ("3 3 --mid-channels 0", "0 channels between the kernels: there must be 1 to 1,000,000"),
        ("3x3", "kernel '3x3': kernel sizes are whole numbers such as 3, which stands for 3x3"),
        ("3 2.5", "kernel '2.5': kernel sizes are whole numbers such as 3, which stands for 3x3"),
        (f"3 {10**200}", "kernel '100000000000...0000000000000': kernel sizes are whole numbers "
         "such as 3, which stands for 3x3"),
        ("3 1000001", "kernel 1000001: the side must be 1 to 1,000,000"),
        (f"3 --channels {10**200}", "100000000000000000...0000000000000000000 channels in: there "
         "must be 1 to 1,000,000"),
        ("3 --channels 1" + "0" * 5000, "Invalid value for '--channels': "
         "'100000000000...0000000000000' is too large"),
        ("3 --channels many", "Invalid value for '--channels': 'many' is not a whole number"),
        ("3 3 --size 0", "map of 0 x 0: both sides must be 1 to 1,000,000"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str], arguments: str, fault: str
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["stack", *arguments.split()])
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"vggnet: {fault}\n")


@pytest.mark.parametrize("arguments", ["", "3 --format xml"])
def test_other_mistakes_too(capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["stack", *arguments.split()])
    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "")
    assert err.startswith("vggnet: ")
    assert err.count("\n") == 1
