"""Many runs side by side, each process taking one after the other.

In: jobs, a Place, the results so far. Out: a result for each job, kept as soon as it is there. What
a process has imported and mapped stays for its next job.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from multiprocessing import get_context
from typing import Any

from harness.find_rate import range_test
from harness.jobs import Job, to_do
from harness.one_run import Place, one_run
from harness.protocols import protocol_test
from harness.results import RANGE_TEST, TRAINING, Results
from vggnet.training.recipe import Recipe

Work = Callable[[Callable[[], bool]], dict[str, Any] | None]  # asks whether to stop
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

    Where one of several processes is killed, the others end too, and that is the last fault.
    `record` is put into each result. Runs under way when it is asked to stop keep a checkpoint.
    Weights that a job needs and that are not in `place`, since their run was made elsewhere, are
    trained again.
    """
    context = get_context("spawn")
    stop = context.Event()
    faults: list[str] = []
    failed = set[tuple[Recipe, str]]()
    running: dict[Future[dict[str, Any] | None], tuple[Job, tuple[Recipe, str]]] = {}
    with _noticing_kills(faults), _pool(processes, stop, should_stop) as pool:
        while True:
            if should_stop():
                stop.set()
            left = to_do(jobs, results)
            busy = failed | {key for _, key in running.values()}
            for job in () if stop.is_set() or len(running) == processes else left:
                if len(running) < processes and job.is_ready(results):
                    key, work = _next(job, results, place)
                    if key not in busy:
                        busy.add(key)
                        running[pool.submit(_in_process, work)] = job, key
            if not running:
                break
            done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
            for future in done:
                job, key = running.pop(future)
                try:
                    result = future.result()
                except BrokenProcessPool:
                    raise
                except Exception as error:  # one run's fault is not the others'
                    faults.append(f"{job.name}: {type(error).__name__}: {error}")
                    failed.add(key)
                    continue
                if result is not None and results.find(*key) is None:
                    result = {"name": job.name, "seed": job.seed, **result, **record}
                    results.add(result)
                    report(job, result, len(to_do(jobs, results)))
    return faults


@contextmanager
def _noticing_kills(faults: list[str]) -> Iterator[None]:
    """Adds to `faults` that a process of the pool was killed, with which the whole pool ends."""
    try:
        yield
    except BrokenProcessPool:
        faults.append(
            "a process was killed, perhaps since memory ran out: give fewer --jobs; the same "
            "command goes on"
        )


def _next(job: Job, results: Results, place: Place) -> tuple[tuple[Recipe, str], Work]:
    """What a job that is ready has to do next: itself, or else weights that it needs."""
    for source in job.needs(results):
        if source is not None and not place.weights(source).exists():
            return (source, TRAINING), partial(one_run, source, (), place)
    recipe = job.recipe(results)
    assert recipe is not None
    if job.what == TRAINING:
        return (recipe, job.what), partial(one_run, recipe, job.parts, place)
    if job.what == RANGE_TEST:
        return (recipe, job.what), partial(range_test, recipe, place)
    return (recipe, job.what), partial(protocol_test, recipe, job.what, place)


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

    def submit(self, _: object, work: Work) -> Future[dict[str, Any] | None]:
        future: Future[dict[str, Any] | None] = Future()
        try:
            future.set_result(work(self.should_stop))
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


def _in_process(work: Work) -> dict[str, Any] | None:
    return work(_Asked(_stop))


class _Asked:
    """Whether the event is set, asked for at most ten times a second: it is a system call."""

    def __init__(self, event: Any) -> None:
        self.event, self.seen, self.asked_at = event, False, 0.0

    def __call__(self) -> bool:
        now = time.monotonic()
        if now - self.asked_at > 0.1:
            self.seen, self.asked_at = self.event.is_set(), now
        return self.seen
