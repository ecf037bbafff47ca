"""vggnet.evaluation.calibration: of answers whose calibration is known."""

import numpy as np
import pytest

from vggnet.engines.reference import softmax
from vggnet.evaluation.calibration import (
    at_temperature,
    bins,
    calibration,
    expected_error,
    golden_section,
    temperature,
)


def drawn(number: int, scale: float, seed: int = 0):  # type: ignore[no-untyped-def]
    """The posteriors of a net `scale` times as sure as it may be, and classes drawn by the true."""
    random = np.random.default_rng(seed)
    logits_NK = 2 * random.standard_normal((number, 6))
    true_NK = softmax(logits_NK)
    targets_N = (true_NK.cumsum(axis=1) > random.random((number, 1))).argmax(axis=1)
    return softmax(scale * logits_NK), targets_N


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_a_net_is_too_sure_of(scale: float) -> None:
    posteriors, targets = drawn(20_000, scale)
    found = calibration(posteriors, targets)
    assert found.temperature == pytest.approx(scale, rel=0.05)
    assert found.error_mended < 0.015
    assert (found.error > 0.05) == (scale != 1)
    np.testing.assert_allclose(
        at_temperature(posteriors, scale), drawn(20_000, 1.0)[0], rtol=1e-6, atol=1e-9
    )


def test_bins_and_the_error_by_hand() -> None:
    posteriors = np.array([[0.95, 0.05], [0.9, 0.1], [0.2, 0.8], [0.5, 0.5], [0.0, 1.0]])
    targets = np.array([0, 1, 1, 1, 1])
    found = bins(posteriors, targets, 10)
    shown = [(each.low, each.pictures, each.confidence, each.accuracy) for each in found[4:]]
    assert shown == [
        (0.4, 1, 0.5, 0),  # a bin holds its upper edge; of equal scores the first is the answer
        (0.5, 0, 0, 0),
        (0.6, 0, 0, 0),
        (0.7, 1, 0.8, 1),
        (0.8, 1, 0.9, 0),
        (0.9, 2, pytest.approx(0.975), 1),
    ]
    assert expected_error(found) == pytest.approx((0.5 + 0.2 + 0.9 + 2 * 0.025) / 5)


def test_the_mended_error_is_measured_on_other_pictures() -> None:
    """A temperature fitted to one half of the pictures is tried on the other."""
    posteriors, targets = drawn(2000, 3.0)
    targets[::2] = (posteriors[::2].argmax(axis=1) + 1) % 6  # every second one is wrong
    found = calibration(posteriors, targets)
    assert temperature(posteriors[::2], targets[::2]) == pytest.approx(20, rel=1e-3)
    assert temperature(posteriors[1::2], targets[1::2]) == pytest.approx(3, rel=0.15)
    fitted = [temperature(posteriors[i::2], targets[i::2]) for i in (0, 1)]
    by_other, by_own = np.empty_like(posteriors), np.empty_like(posteriors)
    for i in (0, 1):
        by_other[i::2] = at_temperature(posteriors[i::2], fitted[1 - i])
        by_own[i::2] = at_temperature(posteriors[i::2], fitted[i])
    assert found.error_mended == pytest.approx(expected_error(bins(by_other, targets)))
    assert found.error_mended != pytest.approx(expected_error(bins(by_own, targets)), rel=0.01)


@pytest.mark.parametrize("least", [0.0, 0.3, 0.999, 1.0])
def test_the_golden_section_calls_once_a_round(least: float) -> None:
    called: list[float] = []

    def function(x: float) -> float:
        called.append(x)
        return abs(x - least)

    assert golden_section(function, 0, 1, 1e-4) == pytest.approx(least, abs=1e-4)
    assert len(called) == 2 + 20  # 0.618**20 < 1e-4
    assert len(set(called)) == len(called)


def test_certain_answers_have_finite_temperatures() -> None:
    posteriors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], np.float32)
    found = calibration(posteriors, np.array([0, 1, 1]))
    assert 1 < found.temperature < 21
    assert found.error == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="two pictures or more"):
        calibration(posteriors[:1], np.array([0]))
