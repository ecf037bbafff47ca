"""Pictures of different requests are computed together, and nobody waits for nothing."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from vggnet.web.batching import Batcher
from vggnet.web.problems import Problem
from vggnet.web.workers import Workers


class Engine:
    """Gives the mean of each picture, batch by batch, when it is told to go on."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go_on = threading.Event()
        self.begun = threading.Event()

    def __call__(self, images_NCHW: np.ndarray) -> list[float]:
        self.batches.append(len(images_NCHW))
        self.begun.set()
        assert self.go_on.wait(60)
        if (images_NCHW < 0).any():
            raise ValueError("a picture below 0")
        return [float(each.mean()) for each in images_NCHW]


def image(value: float, side: int = 2) -> np.ndarray:
    return np.full((3, side, side), value, np.float32)


def run(scenario: Callable[[Engine, Batcher[float]], Coroutine[Any, Any, None]]) -> Engine:
    engine = Engine()

    async def within() -> None:
        batcher: Batcher[float] = Batcher(engine, 40)
        try:
            await scenario(engine, batcher)
        finally:
            engine.go_on.set()
            batcher.close()

    asyncio.run(within())
    return engine


async def begun(engine: Engine) -> None:
    await asyncio.get_running_loop().run_in_executor(None, engine.begun.wait, 60)


def test_those_that_come_meanwhile_are_the_next_batch() -> None:
    async def scenario(engine: Engine, batcher: Batcher[float]) -> None:
        first = asyncio.ensure_future(batcher.answer(image(1)))
        await begun(engine)
        others = [asyncio.ensure_future(batcher.answer(image(each))) for each in range(2, 40)]
        await asyncio.sleep(0)
        assert batcher.waiting == 38
        engine.go_on.set()
        assert await asyncio.gather(first, *others) == list(range(1, 40))

    assert run(scenario).batches == [1, 32, 6]


def test_pictures_of_another_size_are_another_batch() -> None:
    async def scenario(engine: Engine, batcher: Batcher[float]) -> None:
        first = asyncio.ensure_future(batcher.answer(image(0)))
        await begun(engine)
        sizes = [2, 2, 4, 2]
        others = [asyncio.ensure_future(batcher.answer(image(each, each))) for each in sizes]
        await asyncio.sleep(0)
        engine.go_on.set()
        assert await asyncio.gather(first, *others) == [0, *sizes]

    assert run(scenario).batches == [1, 2, 1, 1]


def test_who_has_gone_is_not_computed() -> None:
    async def scenario(engine: Engine, batcher: Batcher[float]) -> None:
        first = asyncio.ensure_future(batcher.answer(image(0)))
        await begun(engine)
        gone = [asyncio.ensure_future(batcher.answer(image(5))) for _ in range(3)]
        stays = asyncio.ensure_future(batcher.answer(image(7)))
        await asyncio.sleep(0)
        first.cancel()
        for each in gone:
            each.cancel()
        await asyncio.sleep(0)
        engine.go_on.set()
        assert await stays == 7

    assert run(scenario).batches == [1, 1]


def test_a_batch_that_fails_does_not_end_the_others() -> None:
    async def scenario(engine: Engine, batcher: Batcher[float]) -> None:
        engine.go_on.set()
        with pytest.raises(ValueError, match="a picture below 0"):
            await batcher.answer(image(-1))
        assert await batcher.answer(image(3)) == 3
        await batcher.idle()

    run(scenario)


@pytest.mark.parametrize("fault", ["memory", "count", "metrics"])
def test_whatever_fails_in_a_batch_is_told_to_those_who_wait(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not leave them, and all that come later, without an answer."""

    def fail(*_: Any) -> Any:
        raise MemoryError

    def nothing(_: int) -> None:
        pass

    async def scenario() -> None:
        wrong = [0] if fault == "count" else [0, 0]
        batcher: Batcher[int] = Batcher(
            lambda _: wrong, 40, fail if fault == "metrics" else nothing
        )
        if fault == "memory":
            monkeypatch.setattr(np, "stack", fail)
        asked = [asyncio.ensure_future(batcher.answer(image(0))) for _ in range(2)]
        _, waiting = await asyncio.wait(asked, timeout=60)
        assert not waiting
        failed = [each.exception() for each in asked]
        assert isinstance(failed[1], ValueError if fault == "count" else MemoryError)
        monkeypatch.undo()
        batcher._compute, batcher._computed = lambda found: [1] * len(found), nothing
        assert await asyncio.wait_for(batcher.answer(image(0)), 60) == 1
        batcher.close()

    asyncio.run(scenario())


def test_no_more_wait_than_may() -> None:
    async def scenario(engine: Engine, batcher: Batcher[float]) -> None:
        first = asyncio.ensure_future(batcher.answer(image(0)))
        await begun(engine)
        others = [asyncio.ensure_future(batcher.answer(image(0))) for _ in range(40)]
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too many pictures are waiting") as told:
            await batcher.answer(image(0))
        assert (told.value.status, told.value.retry_after) == (503, 1)
        engine.go_on.set()
        await asyncio.gather(first, *others)

    run(scenario)


def test_a_job_that_nobody_waits_for_is_not_begun() -> None:
    release, begun_jobs = threading.Event(), []

    async def scenario() -> None:
        workers = Workers("test", 1, 2)

        def job(unwanted: threading.Event) -> bool:
            begun_jobs.append(1)
            assert release.wait(60)
            return unwanted.is_set()

        running = asyncio.ensure_future(workers.run(job))
        waiting = asyncio.ensure_future(workers.run(job))
        last = asyncio.ensure_future(workers.run(job))
        await asyncio.sleep(0)
        with pytest.raises(Problem, match="too much is being asked for"):
            await workers.run(job)
        waiting.cancel()
        await asyncio.sleep(0)
        release.set()
        assert await running is False
        assert await last is False
        assert workers.jobs == 0
        workers.close()

    asyncio.run(scenario())
    assert len(begun_jobs) == 2
