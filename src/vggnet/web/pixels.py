"""How many pixels are decoded at one time: a small file may stand for hundreds of megabytes.

In: the pixels of a picture, as its header has them. Out: a turn, as soon as there is room.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Pixels:
    """At most so many at a time, in the order in which they come; one that has more comes alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._turn, self._freed = threading.Lock(), threading.Condition()

    @contextmanager
    def room_for(self, number: int) -> Iterator[None]:
        """Waits until these pixels, and those before them, have found room."""
        number = min(number, self._most)
        with (
            self._turn,
            self._freed,
        ):  # who waits here is waited for, so that small ones do not pass
            self._freed.wait_for(lambda: self._held + number <= self._most)
            self._held += number
        try:
            yield
        finally:
            with self._freed:
                self._held -= number
                self._freed.notify_all()
