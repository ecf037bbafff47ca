"""vggnet.progress: on standard error, and on a terminal alone."""

import sys

import pytest

from vggnet.progress import bar, counting_bar


def make_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of standard error as it is captured."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")


def test_a_counting_bar_says_what_and_how_many(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_terminal(monkeypatch)
    with counting_bar("pictures [of mine]", 12) as advance:
        advance(5)
        advance(12)
    out, err = capsys.readouterr()
    assert out == ""
    assert "pictures [of mine] 12/12" in err
    assert "/s" in err


def test_a_note_stands_above_the_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_terminal(monkeypatch)
    with bar("{task.completed} done", "at {task.fields[rate]:.0f}") as progress:
        progress.add_task("", total=3, completed=3, rate=7.2)
        progress.console.print("an [odd] :warning:")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.index("an [odd] :warning:") < err.rindex("3 done")
    assert "at 7" in err


@pytest.mark.parametrize("forced", [False, True])
def test_elsewhere_nothing_is_drawn(
    forced: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if forced:  # colours that somebody wants in a log do not make it a terminal
        monkeypatch.setenv("FORCE_COLOR", "1")
    with counting_bar("pictures", 2) as advance:
        advance(1)
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stderr", None)  # as of a program without a console
    with counting_bar("pictures", 2) as advance:
        advance(2)
