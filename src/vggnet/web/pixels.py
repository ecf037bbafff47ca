"""How many pixels are decoded at one time: a small file may stand for hundreds of megabytes.

In: the pixels of a picture, as its header has them. Out: a turn, as soon as there is room.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

_BLOCK = 64 << 20  # bytes; above 32 MiB, which glibc's malloc always takes from the system alone


def return_freed_memory() -> None:
    """Let what Pillow frees of large pictures go back to the system at once.

    It takes them in blocks of 16 MiB by default, which glibc keeps for each thread once some were
    freed: a thread would hold the memory of the largest picture that it has decoded.
    """
    Image.core.set_block_size(_BLOCK)  # type: ignore[attr-defined]


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
        # Who waits in here holds the turn, so that small ones do not pass it.
        with self._turn, self._freed:
            self._freed.wait_for(lambda: self._held + number <= self._most)
            self._held += number
        try:
            yield
        finally:
            with self._freed:
                self._held -= number
                self._freed.notify_all()
