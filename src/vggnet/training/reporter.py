"""Who is told how a run goes.

In: the figures of every step and epoch. Out: whatever the reporter makes of them.
"""

from __future__ import annotations

from typing import Any, Protocol


class Reporter(Protocol):
    """What the loop calls."""

    def step(self, step: int, num_steps: int, loss: float, accuracy: float, rate: float) -> None:
        """After every step, on CUDA after 32 at most: the mean loss and accuracy in the epoch so
        far, images/s since the last time."""

    def epoch(self, line: dict[str, Any]) -> None:
        """After every epoch, with its line of metrics.jsonl."""

    def note(self, text: str) -> None:
        """Anything else worth a line."""


class Silent:
    """Tells nobody."""

    def step(self, step: int, num_steps: int, loss: float, accuracy: float, rate: float) -> None:
        pass

    def epoch(self, line: dict[str, Any]) -> None:
        pass

    def note(self, text: str) -> None:
        pass
