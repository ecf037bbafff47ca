"""vggnet.data.ahead: in order, bounded, with the bad in their place, and cancelled at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import pytest

from vggnet.data.ahead import prepare_ahead
from vggnet.image import PictureError


def pool_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "ThreadPool" in thread.name]


@pytest.mark.parametrize("num_ahead", [0, 1, 7, 100])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_what_is_prepared_stands_in_its_place(num_ahead: int, num_threads: int) -> None:
    def prepare(item: int) -> int:
        if item % 5 == 2:
            raise PictureError(f"{item} is bad")
        return item**2

    with prepare_ahead(
        prepare, range(30), num_ahead=num_ahead, num_threads=num_threads
    ) as prepared:
        found = list(prepared)
    assert [item for item, _ in found] == list(range(30))
    for item, result in found:
        if item % 5 == 2:
            assert isinstance(result, PictureError)
            assert str(result) == f"{item} is bad"
        else:
            assert result == item**2
    assert not pool_threads()


def test_the_next_are_begun_before_they_are_asked_for_and_no_more() -> None:
    taken: list[int] = []
    fourth_began = threading.Event()

    def items() -> Iterator[int]:
        for item in count():
            taken.append(item)
            yield item

    def prepare(item: int) -> int:
        if item == 3:
            fourth_began.set()
        return item

    with prepare_ahead(prepare, items(), num_ahead=3, num_threads=1) as prepared:
        assert taken == []
        assert next(prepared) == (0, 0)
        assert fourth_began.wait(60)
        assert taken == [0, 1, 2, 3]
        assert [item for item, _ in islice(prepared, 6)] == [1, 2, 3, 4, 5, 6]
        assert taken == list(range(10))


def test_another_error_is_raised_where_its_item_would_stand() -> None:
    def prepare(item: int) -> int:
        if item == 2:
            raise ValueError("nobody's fault but ours")
        return item

    with prepare_ahead(prepare, range(9), num_ahead=5, num_threads=2) as prepared:
        assert [next(prepared), next(prepared)] == [(0, 0), (1, 1)]
        with pytest.raises(ValueError, match="but ours"):
            next(prepared)


def test_an_interrupt_leaves_what_was_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    second_began, go_on = threading.Event(), threading.Event()

    class Pool(ThreadPoolExecutor):
        """The second picture is done only after the pool was told to end."""

        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            go_on.set()
            super().shutdown(wait=wait)

    def prepare(item: int) -> int:
        begun.append(item)
        if item:
            second_began.set()
            assert go_on.wait(60)
        return item

    def interrupted() -> None:
        with prepare_ahead(prepare, range(50), num_ahead=40, num_threads=1) as prepared:
            next(prepared)
            assert second_began.wait(60)
            raise KeyboardInterrupt

    monkeypatch.setattr("vggnet.data.ahead.ThreadPoolExecutor", Pool)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert begun == [0, 1]
    assert not pool_threads()
