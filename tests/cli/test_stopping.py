"""vggnet.cli.stopping: a signal ends a run at once before its first step, later after a step."""

import signal

import pytest

from vggnet.cli.stopping import StopRequest

SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", SIGNALS)
def test_before_the_first_step_it_is_heard_at_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        assert stop.exit_status == 0
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert stop.exit_status == 128 + number
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", SIGNALS)
def test_later_it_waits_until_it_is_asked_for_and_a_second_one_is_not_caught(
    number: signal.Signals,
) -> None:
    with StopRequest() as stop:
        assert not stop.requested()
        signal.raise_signal(number)
        assert stop.requested()
        # A terminal that is closed is told of by the system and by the shell.
        again = signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL
        assert signal.getsignal(number) is again


def test_the_first_signal_is_the_one_that_counts() -> None:
    with StopRequest() as stop:
        assert not stop.requested()
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGINT)
        assert stop.exit_status == 143


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_ignored_stays_ignored(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)  # as nohup does it
    try:
        with StopRequest() as stop:
            signal.raise_signal(number)
            assert not stop.requested()
            assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_under_torchrun_a_signal_comes_more_than_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest(repeated=True) as stop:
        assert not stop.requested()
        signal.raise_signal(number)
        assert stop.requested()
        assert signal.getsignal(number) is signal.SIG_IGN
    assert signal.getsignal(number) is before


def test_under_torchrun_an_error_can_still_be_said() -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with pytest.raises(ValueError, match="why"), StopRequest(repeated=True):
            raise ValueError("why it ends")
        assert {signal.getsignal(number) for number in SIGNALS} == {signal.SIG_IGN}
        # The other processes have ended, and torchrun ends this one too.
        signal.raise_signal(signal.SIGTERM)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
