"""Pictures that are prepared by threads while those before them are in use.

In: a function that prepares a picture, and what it takes, picture by picture. Out: what it gives,
in the order of the pictures, a PictureError in the place of each that cannot be used.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from vggnet.image import PictureError

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def prepare_ahead(
    prepare: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_ahead: int,
    num_threads: int,
) -> Iterator[Iterator[tuple[Item, Result | PictureError]]]:
    """Each item, and what `prepare` makes of it; no more than `num_ahead` wait to be asked for.

    At the end of the context, which an interrupt brings too, nothing more is begun. What `prepare`
    raises but PictureError is raised where its item would stand.
    """

    def attempt(item: Item) -> Result | PictureError:
        try:
            return prepare(item)
        except PictureError as error:
            return error

    pool = ThreadPoolExecutor(num_threads)
    try:
        yield _in_order(pool, attempt, items, num_ahead)
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ThreadPoolExecutor,
    attempt: Callable[[Item], Result | PictureError],
    items: Iterable[Item],
    num_ahead: int,
) -> Iterator[tuple[Item, Result | PictureError]]:
    waiting: deque[tuple[Item, Future[Result | PictureError]]] = deque()
    for item in items:
        waiting.append((item, pool.submit(attempt, item)))
        if len(waiting) > num_ahead:
            first, job = waiting.popleft()
            yield first, job.result()
    while waiting:
        first, job = waiting.popleft()
        yield first, job.result()
