"""The one line that a failed command ends with, by what failed."""

import click
import pytest

from vggnet import cli
from vggnet.cli.mistakes import in_one_line
from vggnet.cli.options import Real, Whole, command


@command("vggnet something --count 3")
@click.option("--count", type=Whole(1, 9), help="How many.")
@click.option("--share", type=Real(), help="How much.")
@click.option("--colour", type=click.Choice(["red", "blue"]), help="Which.")
def something(**_: object) -> None:
    """Take one option of each kind."""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--count x", "Invalid value for '--count': 'x' is not a whole number"),
        ("--count 2.5", "Invalid value for '--count': '2.5' is not a whole number"),
        ("--count 0", "Invalid value for '--count': '0' is too small, give 1 or more"),
        ("--count 10", "Invalid value for '--count': '10' is too large, give 9 or less"),
        ("--share x", "Invalid value for '--share': 'x' is not a number"),
        ("--colour x", "Invalid value for '--colour': 'x' is not one of 'red', 'blue'"),
        (
            f"--count {'9' * 99}",
            "Invalid value for '--count': '999999999999...9999999999999' is too large, give 9 or "
            "less",
        ),
        ("--share nan", "Invalid value for '--share': 'nan' is not a number"),
        ("--shar 1", "No such option '--shar'. Did you mean '--share'?"),
    ],
)
def test_of_the_command_line(arguments: str, line: str) -> None:
    with pytest.raises(click.ClickException) as caught:
        something.main(arguments.split(), standalone_mode=False)
    assert in_one_line(caught.value) == line


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
    def fail(_: list[str]) -> None:
        raise error

    monkeypatch.setattr(cli, "_run", fail)
    with pytest.raises(SystemExit) as end:
        cli.main(["anything"])
    assert end.value.code == 2
    assert capsys.readouterr() == ("", f"vggnet: {line}\n")


@pytest.mark.parametrize("kind", [NotImplementedError, RecursionError, TypeError, KeyError])
def test_what_only_a_programmer_can_mend_is_not_hidden(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: list[str]) -> None:
        raise kind("here")

    monkeypatch.setattr(cli, "_run", fail)
    with pytest.raises(kind, match="here"):
        cli.main(["anything"])
