"""vggnet.training.schedule: the rate rises and falls as it should."""

from dataclasses import replace
from itertools import pairwise

import pytest

from vggnet.training.recipes import MODERN, PAPER
from vggnet.training.schedule import Plateau, one_cycle


def test_one_cycle_rises_in_a_line_to_the_peak_and_falls_to_zero() -> None:
    recipe = replace(MODERN, learning_rate=0.4, warmup=0.25)
    rates = [one_cycle(recipe, step, 100) for step in range(100)]
    assert max(rates) == rates[25] == pytest.approx(0.4)
    steps = [after - before for before, after in pairwise(rates[:26])]
    assert steps == pytest.approx([steps[0]] * 25)
    assert rates[0] == pytest.approx(0.4 / 26)  # a step at rate 0 would be lost
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert 0 < rates[-1] < 0.001


def test_plateau_divides_by_ten_three_times_then_ends() -> None:
    plateau = Plateau()
    rates, finished = [], []
    for accuracy in (0.1, 0.2, 0.2, 0.15, 0.21, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2):
        plateau.epoch(accuracy, patience=2)
        rates.append(plateau.rate(PAPER))
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
