"""vggnet.cli.stopping: a signal ends a run at once before its first step, later after a step."""

import signal

import pytest

from vggnet.cli.stopping import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_before_the_first_step_it_is_heard_at_once(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopRequest() as stop:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert stop.seen
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_later_it_waits_until_it_is_asked_for_and_a_second_one_is_not_caught(
    number: signal.Signals,
) -> None:
    with StopRequest() as stop:
        assert not stop.requested()
        signal.raise_signal(number)
        assert stop.requested()
        assert signal.getsignal(number) is signal.SIG_DFL
