"""vggnet.training.schedule: the rate rises and falls as it should."""

import math
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from vggnet.training.recipes import MODERN, PAPER
from vggnet.training.schedule import Plateau, rate_at

RECORDED = [
    "0x1.999999999999ap-6", "0x1.999999999999ap-3", "0x1.999999999999ap-2",
    "0x1.73ce8faf70744p-3", "0x1.1e721bd86f667p-13",
]  # fmt: skip
TEN = replace(MODERN, learning_rate=0.4, sizes="32x10", holdout=1)  # epochs


def _rates(num_steps: int = 100, **changes: Any) -> list[float]:
    """Of every step of a run of ten epochs."""
    recipe = replace(TEN, **changes)
    return [rate_at(recipe, step, num_steps) for step in range(num_steps)]


def test_one_cycle_rises_in_a_line_to_the_peak_and_falls_to_zero() -> None:
    rates = _rates(warmup=0.25)
    assert max(rates) == rates[25] == pytest.approx(0.4)
    steps = [after - before for before, after in pairwise(rates[:26])]
    assert steps == pytest.approx([steps[0]] * 25)
    assert rates[0] == pytest.approx(0.4 / 26)  # a step at rate 0 would be lost
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_one_cycle_gives_the_bits_that_it_always_gave() -> None:
    """Recorded before there were other schedules."""
    rates = _rates(warmup=0.15)
    assert [rates[step].hex() for step in (0, 7, 15, 60, 99)] == RECORDED


def test_a_cosine_falls_from_its_first_step_to_zero() -> None:
    rates = _rates(schedule="cosine")
    expected = [0.2 * (1 + math.cos(math.pi * step / 100)) for step in range(100)]
    assert rates == pytest.approx(expected)


def test_steps_divide_by_ten_after_the_milestones() -> None:
    rates = _rates(schedule="step", milestones="3,7")
    assert rates == pytest.approx([0.4] * 30 + [0.04] * 40 + [0.004] * 30)
    by_default = _rates(schedule="step")
    assert by_default == pytest.approx([0.4] * 50 + [0.04] * 25 + [0.004] * 25)


def test_a_constant_rate_is_constant() -> None:
    assert _rates(schedule="constant") == [0.4] * 100


@pytest.mark.parametrize("schedule", ["plateau", "step", "cosine", "constant"])
def test_each_can_warm_up_in_epochs(schedule: str) -> None:
    rates = _rates(schedule=schedule, warmup_epochs=1.5)
    assert rates[:15] == pytest.approx([0.4 * step / 16 for step in range(1, 16)])
    assert rates[15] == 0.4
    if schedule != "cosine":
        assert rates[15:] == _rates(schedule=schedule)[15:]
    assert max(rates) == 0.4


def test_plateau_warms_up_to_the_rate_that_it_has_dropped_to() -> None:
    recipe = replace(TEN, schedule="plateau", warmup_epochs=1)
    assert rate_at(recipe, 50, 100, drops=2) == pytest.approx(0.004)


def test_plateau_divides_by_ten_three_times_then_ends() -> None:
    plateau = Plateau()
    rates, finished = [], []
    for accuracy in (0.1, 0.2, 0.2, 0.15, 0.21, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2):
        plateau.epoch(accuracy, patience=2)
        rates.append(rate_at(PAPER, 10, 100, plateau.drops))
        finished.append(plateau.finished)
    expected = [0.01] * 3 + [1e-3] * 3 + [1e-4] * 2 + [1e-5] * 3
    assert rates == pytest.approx(expected)
    assert finished == [False] * 10 + [True]


def test_plateau_is_not_finished_while_there_is_progress() -> None:
    plateau = Plateau()
    for epoch in range(50):
        plateau.epoch(epoch / 100, patience=1)
    assert plateau.drops == 0
    assert not plateau.finished
