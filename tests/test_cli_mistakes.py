"""The one line that a failed command ends with, by what failed."""

from typing import Annotated, Literal

import pytest
import typer
from typer.exceptions import TyperException

from vggnet import cli
from vggnet.cli.mistakes import in_one_line

app = typer.Typer()


@app.command()
def command(
    count: Annotated[int, typer.Option(min=1, max=9)] = 1,
    share: Annotated[float, typer.Option()] = 1.0,
    colour: Annotated[Literal["red", "blue"], typer.Option()] = "red",
) -> None:
    """Takes one option of each kind."""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--count x", "Invalid value for '--count': 'x' is not a whole number"),
        ("--count 2.5", "Invalid value for '--count': '2.5' is not a whole number"),
        ("--count 0", "Invalid value for '--count': '0' is too small, give 1 or more"),
        ("--count 10", "Invalid value for '--count': '10' is too large, give 9 or less"),
        ("--share x", "Invalid value for '--share': 'x' is not a number"),
        ("--colour x", "Invalid value for '--colour': 'x' is not one of 'red', 'blue'"),
        ("--size 1", "No such option: --size"),
    ],
)
def test_of_the_command_line(arguments: str, line: str) -> None:
    with pytest.raises(TyperException) as caught:
        app(arguments.split(), standalone_mode=False)
    assert in_one_line(caught.value).removesuffix(" (Possible options: --share)") == line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\n  two"), "one two"),
        (FileNotFoundError(2, "No such file", "a.npz"), "a.npz: No such file"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("odd"), "odd"),
        (MemoryError(), "out of memory"),
        (MemoryError("Unable to allocate 7 TiB"), "out of memory: Unable to allocate 7 TiB"),
        (
            RuntimeError("worker died\nits trace"),
            "RuntimeError: worker died (python -X dev -m vggnet shows where)",
        ),
        (
            OverflowError("too large"),
            "OverflowError: too large (python -X dev -m vggnet shows where)",
        ),
    ],
)
def test_of_what_was_done(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as end:
        cli.main(["anything"])
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"vggnet: {line}\n")


@pytest.mark.parametrize("kind", [NotImplementedError, RecursionError, TypeError, KeyError])
def test_what_only_a_programmer_can_mend_is_not_hidden(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise kind("here")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(kind, match="here"):
        cli.main(["anything"])
