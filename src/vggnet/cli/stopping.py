"""Ctrl-C and SIGTERM while a network is trained.

In: signals. Out: a request that the loop looks at after each step; before the first step, when
there is nothing to lose, KeyboardInterrupt at once.
"""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Takes the two signals for as long as the `with` block lasts."""

    def __enter__(self) -> StopRequest:
        self.seen = False
        self._looked_at = False
        numbers = (signal.SIGINT, signal.SIGTERM)
        self._before = {number: signal.signal(number, self._notice) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def requested(self) -> bool:
        """Whether to stop; whoever asks once is trusted to ask again soon."""
        self._looked_at = True
        return self.seen

    def _notice(self, number: int, _frame: FrameType | None) -> None:
        self.seen = True
        signal.signal(number, signal.SIG_DFL)  # the second time it is meant
        if not self._looked_at:
            raise KeyboardInterrupt
