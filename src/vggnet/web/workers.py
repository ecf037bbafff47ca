"""Threads for work that would hold up the event loop, so that it always turns.

In: functions. Out: their results; at most so many are waiting, and whoever comes then is told to
try again. What nobody waits for any more is not begun, and ends at the next call of the engine if
it has begun.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vggnet.engines import Engine
from vggnet.model import Model
from vggnet.web.problems import busy

Result = TypeVar("Result")


class Stopped(Exception):
    """Nobody waits for this any more."""


class Workers:
    """`threads` threads, for which no more than `waiting` jobs wait."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, f"vggnet-{name}")
        self._most = threads + waiting
        self._lock = threading.Lock()
        self.jobs = 0  # that wait or run

    async def run(self, work: Callable[[threading.Event], Result]) -> Result:
        """What `work` gives; it is handed an event that is set when its result is not wanted.

        Raises Problem where too many wait.
        """
        with self._lock:
            if self.jobs >= self._most:
                raise busy("too much is being asked for at the same time; try again in a moment")
            self.jobs += 1
        unwanted = threading.Event()
        future = self._pool.submit(work, unwanted)
        future.add_done_callback(self._done)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            unwanted.set()
            raise

    def _done(self, _: Future[Any]) -> None:
        with self._lock:
            self.jobs -= 1

    def close(self) -> None:
        """Begin nothing any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def until_unwanted(model: Model, unwanted: threading.Event) -> Model:
    """The same model, whose engine raises Stopped from then on."""
    watched = copy(model)
    watched.engine = _Watched(model.engine, unwanted)
    return watched


class _Watched:
    """An engine that looks before each call whether its result is still wanted."""

    def __init__(self, engine: Engine, unwanted: threading.Event) -> None:
        self._engine, self._unwanted = engine, unwanted
        self.name, self.spec = engine.name, engine.spec

    @property
    def precision(self) -> str:
        return self._engine.precision

    def __call__(self, images_NCHW: NDArray[np.floating]) -> NDArray[np.float32]:
        self._look()
        return self._engine(images_NCHW)

    def features(
        self, images_NCHW: NDArray[np.floating], names: Iterable[str]
    ) -> dict[str, NDArray[np.float32]]:
        self._look()
        return self._engine.features(images_NCHW, names)

    def _look(self) -> None:
        if self._unwanted.is_set():
            raise Stopped
