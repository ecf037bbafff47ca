"""What is to be run, in which order.

In: claims, the results so far. Out: jobs, the most important first, so that a cut leaves balanced
data: the trials of rates, then all arms of seed 0, then all of seed 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.claims import Arm, Claim
from harness.results import CHOOSING, TESTING, Results
from harness.scales import Scale, recipe
from vggnet.training.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """One run: of a rate's trial where `rate` is given, else of the arm's seed."""

    arm: Arm
    seed: int = 0
    rate: float | None = None

    @property
    def name(self) -> str:
        return f"{self.arm.name}, " + (f"rate {self.rate}" if self.rate else f"seed {self.seed}")

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the pictures that its result is measured on."""
        return CHOOSING if self.rate else TESTING

    def arm_recipe(self, scale: Scale) -> Recipe:
        """The arm's recipe but for its rate."""
        return recipe(scale, self.arm.changes, scale.rates[0], self.seed)

    def recipe(self, results: Results) -> Recipe | None:
        """None while it waits for the choice of a rate."""
        if self.rate:
            return results.rate_recipe(self.arm, self.rate)
        return results.recipe(self.arm, self.seed)


def all_jobs(claims: Sequence[Claim], results: Results, seeds: int | None = None) -> list[Job]:
    """Every run that the claims ask for, done or not; `seeds` takes fewer than they do."""
    rates = results.scale.rates
    trials = [
        Job(arm, rate=rate)
        for claim in claims
        for arm in claim.arms
        if arm.tuned and len(rates) > 1
        for rate in rates
    ]
    rounds = max((claim.seeds for claim in claims), default=0)
    runs = [
        Job(arm, seed)
        for seed in range(min(rounds, rounds if seeds is None else seeds))
        for claim in claims
        if seed < claim.seeds
        for arm in claim.arms
    ]
    return trials + runs


def to_do(jobs: Iterable[Job], results: Results) -> list[Job]:
    """Those without a result; of several with one recipe the first."""
    found: list[Job] = []
    known = set[tuple[bool, Recipe]]()
    for job in jobs:
        wanted = job.recipe(results)
        # One that waits for its rate is told from others by the recipe that the rate will change.
        key = (wanted is None, wanted or job.arm_recipe(results.scale))
        if key not in known and (wanted is None or results.find(wanted) is None):
            known.add(key)
            found.append(job)
    return found
