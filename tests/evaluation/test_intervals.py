"""vggnet.evaluation.intervals: against samples drawn by hand."""

import numpy as np
import pytest

from vggnet.evaluation.intervals import accuracy_interval

RANDOM = np.random.default_rng(3)


def by_hand(values_N, samples: int = 4000):  # type: ignore[no-untyped-def]
    number = len(values_N)
    means = [values_N[RANDOM.integers(0, number, number)].mean() for _ in range(samples)]
    return np.percentile(means, (2.5, 97.5))


@pytest.mark.parametrize("accuracy", [0.05, 0.5, 0.9])
def test_an_interval_is_that_of_samples_drawn_by_hand(accuracy: float) -> None:
    hits = RANDOM.random(800) < accuracy
    found = accuracy_interval(hits)
    assert found == pytest.approx(by_hand(hits), abs=0.006)
    deviation = (hits.mean() * (1 - hits.mean()) / 800) ** 0.5
    assert found[1] - found[0] == pytest.approx(2 * 1.96 * deviation, rel=0.06)
    assert accuracy_interval(hits) == found  # the seed is fixed


def test_where_all_or_none_are_hit() -> None:
    assert accuracy_interval(np.ones(10, bool)) == (1, 1)
    assert accuracy_interval(np.zeros(10, bool)) == (0, 0)


def test_there_must_be_pictures() -> None:
    with pytest.raises(ValueError, match="no pictures to take an interval over"):
        accuracy_interval(np.zeros(0, bool))
