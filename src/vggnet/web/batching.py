"""Pictures of different requests, computed together.

In: pictures, one at a time, from many requests. Out: the answer to each. While the engine is idle a
picture is computed at once; those that come while it computes are the next batch.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from vggnet.web.problems import busy

Answer = TypeVar("Answer")
_MOST = 32  # pictures
_MOST_NUMBERS = 1 << 21  # of the input, unless one picture has more


@dataclass(frozen=True, eq=False)
class _Waiting(Generic[Answer]):
    image_CHW: NDArray[np.float32]
    answer: asyncio.Future[Answer]


class Batcher(Generic[Answer]):
    """Gives batches to `compute`, one at a time, in a thread of its own.

    `compute` takes images_NCHW and gives an answer for each. At most `waiting` pictures wait. To be
    used from one event loop.
    """

    def __init__(
        self,
        compute: Callable[[NDArray[np.float32]], Sequence[Answer]],
        waiting: int,
        computed: Callable[[int], None] = lambda pictures: None,
    ) -> None:
        """`computed` is told the size of each batch."""
        self._compute, self._computed, self._most_waiting = compute, computed, waiting
        self._thread = ThreadPoolExecutor(1, "vggnet-engine")
        self.jobs = 0  # batches that are being computed
        self._waiting: deque[_Waiting[Answer]] = deque()
        self._turning: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    async def answer(self, image_CHW: NDArray[np.float32]) -> Answer:
        """The answer to one picture. Raises Problem where too many wait."""
        if len(self._waiting) >= self._most_waiting:
            raise busy("too many pictures are waiting; try again in a moment")
        mine: _Waiting[Answer] = _Waiting(image_CHW, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if self._turning is None:
            self._turning = asyncio.create_task(self._turn())
        return await mine.answer

    async def idle(self) -> None:
        """Return when the thread takes work again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, lambda: None)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _turn(self) -> None:
        """Compute batches until nobody waits."""
        try:
            while batch := self._next():
                try:
                    await self._answer_all(batch)
                except Exception as error:
                    for each in batch:
                        if not each.answer.done():
                            each.answer.set_exception(error)
        finally:
            self._turning = None

    async def _answer_all(self, batch: list[_Waiting[Answer]]) -> None:
        images_NCHW = np.stack([each.image_CHW for each in batch])
        self.jobs += 1
        computing = self._thread.submit(self._compute, images_NCHW)
        computing.add_done_callback(self._done)
        found = await asyncio.wrap_future(computing)
        self._computed(len(batch))
        for each, answer in zip(batch, found, strict=True):
            if not each.answer.done():  # whose client has gone
                each.answer.set_result(answer)

    def _done(self, _: object) -> None:
        self.jobs -= 1

    def _next(self) -> list[_Waiting[Answer]]:
        """Those that come first, of one shape; whom nobody waits for is passed over."""
        batch: list[_Waiting[Answer]] = []
        while self._waiting:
            first = self._waiting[0]
            if first.answer.done():
                self._waiting.popleft()
                continue
            size = first.image_CHW.size
            if batch and (
                first.image_CHW.shape != batch[0].image_CHW.shape
                or len(batch) >= min(_MOST, _MOST_NUMBERS // size)
            ):
                break
            batch.append(self._waiting.popleft())
        return batch
