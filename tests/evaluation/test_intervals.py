"""vggnet.evaluation.intervals: against samples drawn by hand."""

import numpy as np
import pytest

from vggnet.evaluation.intervals import accuracy_interval, gain_interval

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


def test_a_gain_is_taken_on_the_same_pictures() -> None:
    base = RANDOM.random(1000) < 0.6
    better = base.copy()
    better[np.flatnonzero(~base)[:30]] = True
    better[np.flatnonzero(base)[:5]] = False
    gain, (low, high) = gain_interval(better, base)
    assert gain == pytest.approx(0.025)
    assert (low, high) == pytest.approx(by_hand(better.astype(float) - base), abs=0.003)
    # Far narrower than the accuracies' own, since most pictures are the same in both.
    own = accuracy_interval(better)
    assert high - low < 0.5 * (own[1] - own[0])
    lost, (low, high) = gain_interval(base, better)
    assert (lost, low < high < 0) == (pytest.approx(-0.025), True)


def test_where_all_or_none_are_hit() -> None:
    assert accuracy_interval(np.ones(10, bool)) == (1, 1)
    assert accuracy_interval(np.zeros(10, bool)) == (0, 0)
    assert gain_interval(np.ones(10, bool), np.ones(10, bool)) == (0, (0, 0))


def test_there_must_be_pictures() -> None:
    with pytest.raises(ValueError, match="no pictures to take an interval over"):
        accuracy_interval(np.zeros(0, bool))
    with pytest.raises(ValueError, match="2 and 3 pictures are not the same ones"):
        gain_interval(np.zeros(2, bool), np.zeros(3, bool))
