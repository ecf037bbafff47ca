"""Many runs side by side, each process taking one after the other.

In: jobs, a Place, the results so far. Out: a result for each job, kept as soon as it is there. What
a process has imported and mapped stays for its next job.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from multiprocessing import get_context
from typing import Any

from harness.jobs import Job, to_do
from harness.one_run import Place, one_run
from harness.results import Results
from vggnet.training.recipe import Recipe

Report = Callable[[Job, dict[str, Any], int], None]  # job, its result, how many are left
_stop: Any = None  # an Event, in a process of the pool


def carry_out(
    jobs: list[Job],
    results: Results,
    place: Place,
    processes: int,
    record: dict[str, Any],
    should_stop: Callable[[], bool],
    report: Report,
) -> list[str]:
    """Run what has no result yet, until done or asked to stop; the faults of runs that failed.

    `record` is put into each result. Runs under way when it is asked to stop keep a checkpoint.
    """
    context = get_context("spawn")
    stop = context.Event()
    faults: list[str] = []
    failed = set[Recipe]()
    running: dict[Future[dict[str, Any] | None], tuple[Job, Recipe]] = {}
    with _pool(processes, stop, should_stop) as pool:
        while True:
            if should_stop():
                stop.set()
            left = to_do(jobs, results)
            busy = failed | {recipe for _, recipe in running.values()}
            for job in () if stop.is_set() else left:
                recipe = job.recipe(results)
                if len(running) < processes and recipe is not None and recipe not in busy:
                    busy.add(recipe)
                    running[pool.submit(_in_process, recipe, job.parts, place)] = job, recipe
            if not running:
                return faults
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                job, recipe = running.pop(future)
                try:
                    result = future.result()
                except Exception as error:  # one run's fault is not the others'
                    faults.append(f"{job.name}: {type(error).__name__}: {error}")
                    failed.add(recipe)
                    continue
                if result is not None:
                    result = {"name": job.name, "seed": job.seed, **result, **record}
                    results.add(result)
                    report(job, result, len(to_do(jobs, results)))


def _pool(
    processes: int, stop: Any, should_stop: Callable[[], bool]
) -> AbstractContextManager[Executor | _Here]:
    """Processes that wait for jobs; for a single one, this process itself."""
    if processes == 1:
        return nullcontext(_Here(should_stop))
    return ProcessPoolExecutor(processes, get_context("spawn"), _begin, (stop,))


class _Here:
    """The part of an executor that is needed, which does at once what it is given."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop

    def submit(
        self, _: object, recipe: Recipe, parts: tuple[str, ...], place: Place
    ) -> Future[dict[str, Any] | None]:
        future: Future[dict[str, Any] | None] = Future()
        try:
            future.set_result(one_run(recipe, parts, place, self.should_stop))
        except Exception as error:
            future.set_exception(error)
        return future


def _begin(stop: Any) -> None:
    """Leave signals to the process that hands out jobs, so that each run ends in order."""
    global _stop
    _stop = stop
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _in_process(recipe: Recipe, parts: tuple[str, ...], place: Place) -> dict[str, Any] | None:
    return one_run(recipe, parts, place, _Asked(_stop))


class _Asked:
    """Whether the event is set, asked for at most ten times a second: it is a system call."""

    def __init__(self, event: Any) -> None:
        self.event, self.seen, self.asked_at = event, False, 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self.asked_at > 0.1:
            self.seen, self.asked_at = self.event.is_set(), now
        return self.seen
