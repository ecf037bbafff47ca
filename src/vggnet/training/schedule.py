"""The learning rate, step by step.

In: a Recipe and how far the run is. Out: the rate of the next step.
Sources: Section 3.1 (divide by 10 when held-back accuracy stops improving, three times); Smith and
Topin 2017, arXiv 1708.07120 (one cycle).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vggnet.training.recipe import Recipe

_DROPS = 3


def one_cycle(recipe: Recipe, step: int, num_steps: int) -> float:
    """The rate of step `step` of `num_steps`, counted from 0: up in a line, then a cosine to 0."""
    rising = recipe.warmup * num_steps
    if step < rising:
        return recipe.learning_rate * (step + 1) / (rising + 1)
    done = (step - rising) / max(1.0, num_steps - rising)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


@dataclass
class Plateau:
    """Counts epochs without progress; after `patience` of them the rate is divided by 10.

    `finished` tells that the rate has dropped three times and progress has stopped once more.
    """

    best: float = -1.0
    stale: int = 0
    drops: int = 0
    finished: bool = False

    def epoch(self, accuracy: float, patience: int) -> None:
        """Take in the accuracy on the held-back pictures after an epoch."""
        if accuracy > self.best:
            self.best, self.stale = accuracy, 0
            return
        self.stale += 1
        if self.stale >= patience:
            self.finished = self.drops == _DROPS
            self.drops = min(_DROPS, self.drops + 1)
            self.stale = 0

    def rate(self, recipe: Recipe) -> float:
        return recipe.learning_rate / 10.0**self.drops
