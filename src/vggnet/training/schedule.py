"""The learning rate, step by step.

In: a Recipe and how far the run is. Out: the rate of the next step.
Sources: Section 3.1 (divide by 10 when held-back accuracy stops improving, three times); Smith and
Topin 2017, arXiv 1708.07120 (one cycle); Goyal et al. 2017, arXiv 1706.02677 (warm-up in a line);
Loshchilov and Hutter 2016, arXiv 1608.03983 (a cosine to 0, here without restarts).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from vggnet.training.recipe import Recipe

_DROPS = 3


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


def rate_at(recipe: Recipe, step: int, num_steps: int, drops: int = 0) -> float:
    """The rate of step `step` of `num_steps`, counted from 0.

    With schedule plateau it was divided by 10 `drops` times; the others know all from the step.
    """
    rising = _rising_steps(recipe, num_steps)
    if step < rising:
        return recipe.learning_rate * (step + 1) / (rising + 1)
    if recipe.schedule in ("one-cycle", "cosine"):
        done = (step - rising) / max(1.0, num_steps - rising)
        return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    if recipe.schedule == "step":
        epochs = step * len(recipe.epoch_sizes) / num_steps
        drops = sum(epochs >= milestone for milestone in recipe.milestone_epochs)
    return recipe.learning_rate / 10.0**drops


def _rising_steps(recipe: Recipe, num_steps: int) -> float:
    """In how many steps the rate rises in a line, to its highest in the step after them."""
    if recipe.schedule == "one-cycle":
        return recipe.warmup * num_steps
    return recipe.warmup_epochs * num_steps / len(recipe.epoch_sizes)
