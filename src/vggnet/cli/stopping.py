"""Ctrl-C, SIGTERM and SIGHUP (the terminal is gone) while a network is trained.

In: signals. Out: a request that the loop looks at after each step; before the first step, when
there is nothing to lose, KeyboardInterrupt at once. A signal that the process was started to
ignore, as nohup and shells in scripts do, stays ignored.
"""

from __future__ import annotations

import signal
from types import FrameType

_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


class StopRequest:
    """Takes the signals for as long as the `with` block lasts; `seen` is the first that came.

    With `repeated` the same signal is expected again and passed over: of Ctrl-C a process under
    torchrun hears from the terminal and from torchrun, which kills it if it takes too long. An
    error that leaves the block leaves the signals ignored then: torchrun ends all as soon as one
    has ended, and the one that says why must not be cut short.
    """

    def __init__(self, repeated: bool = False) -> None:
        self._repeated = repeated

    def __enter__(self) -> StopRequest:
        self.seen: int | None = None
        self._looked_at = False
        taken = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._notice) for number in taken}
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if error and self._repeated else handler)

    @property
    def exit_status(self) -> int:
        """What a shell shows for a program that the signal ended; 0 where none came."""
        return 0 if self.seen is None else 128 + self.seen

    def requested(self) -> bool:
        """Whether to stop; whoever asks once is trusted to ask again soon."""
        self._looked_at = True
        return self.seen is not None

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        self.seen = self.seen or number
        # The second time it is meant, but for SIGHUP, which both the terminal and the shell send.
        passed_over = self._repeated or number == getattr(signal, "SIGHUP", None)
        signal.signal(number, signal.SIG_IGN if passed_over else signal.SIG_DFL)
        if not self._looked_at:
            raise KeyboardInterrupt
