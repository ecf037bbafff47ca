"""What is to be run, in which order.

In: claims, the results so far. Out: jobs, the most important first: claim by claim the trials of
rates, then all arms of seed 0, then all of seed 1. A cut leaves whole claims behind it, and of the
one that it falls into seeds that have all arms.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from harness.claims import Arm, Claim
from harness.results import CHOOSING, RANGE_TEST, TESTING, TRAINING, Results
from harness.scales import ORIGINAL_SIDE, Scale, recipe
from vggnet.training.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """One run: of a rate's trial where `rate` is given, else of the arm's seed.

    `what` is done: TRAINING, RANGE_TEST, or the name of the protocol that its net is tested by.
    """

    arm: Arm
    seed: int = 0
    rate: float | None = None
    what: str = TRAINING

    @property
    def name(self) -> str:
        which = f"rate {self.rate}" if self.rate else f"seed {self.seed}"
        what = {TRAINING: "", RANGE_TEST: f", {RANGE_TEST}"}.get(self.what, ", tested")
        return f"{self.arm.name}, {which}{what}"

    @property
    def is_test(self) -> bool:
        return self.what not in (TRAINING, RANGE_TEST)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the pictures that its result is measured on."""
        return CHOOSING if self.rate else TESTING

    def arm_recipe(self, scale: Scale) -> Recipe:
        """The arm's recipe but for its rate."""
        sources = {field: source.name for field, source in self.arm.weights_of.items()}
        return recipe(scale, {**self.arm.changes, **sources}, scale.rates[0], self.seed)

    def sides(self, scale: Scale) -> set[int]:
        """The sides that its pictures are stored at."""
        sources = (Job(source) for source in self.arm.weights_of.values())
        sides = {stored_side(job.arm_recipe(scale)) for job in (self, *sources)}
        return sides | ({ORIGINAL_SIDE} if self.is_test else set())

    def recipe(self, results: Results) -> Recipe | None:
        """None while it waits for the choice of a rate."""
        if self.rate:
            return results.rate_recipe(self.arm, self.rate)
        return results.recipe(self.arm, self.seed)

    def epochs(self, scale: Scale) -> int:
        """How many it trains for."""
        if self.what != TRAINING:
            return 0
        whole = len(self.arm_recipe(scale).epoch_sizes)
        return (self.arm.rate_epochs or scale.rate_epochs) if self.rate else whole

    def needs(self, results: Results) -> list[Recipe | None]:
        """Trainings whose weights it takes; None for one whose rate is not chosen."""
        arms = [*self.arm.weights_of.values(), *([self.arm] if self.is_test else [])]
        return [results.recipe(arm, self.seed) for arm in arms]

    def is_ready(self, results: Results) -> bool:
        """Whether its rate and all that it needs are there."""
        needs = self.needs(results)
        return self.recipe(results) is not None and all(
            each is not None and results.find(each) is not None for each in needs
        )

    def is_blocked(self, results: Results) -> bool:
        """Whether a training that it needs has diverged."""
        found = [each and results.find(each) for each in self.needs(results)]
        return any(each is not None and "diverged" in each for each in found)


def stored_side(recipe: Recipe) -> int:
    """The side that pictures are stored at: S, so that a fixed one is not rescaled again."""
    low, high = recipe.short_side_range
    return high if low == high else ORIGINAL_SIDE


def all_jobs(claims: Sequence[Claim], results: Results, seeds: int | None = None) -> list[Job]:
    """Every run that the claims ask for, done or not; `seeds` takes fewer than they do."""
    found: list[Job] = []
    for claim in claims:
        rates = results.scale.rates if len(results.scale.rates) > 1 else ()
        found += [Job(arm, rate=rate) for arm in claim.arms if arm.tuned for rate in rates]
        for seed in range(claim.seeds if seeds is None else min(seeds, claim.seeds)):
            for arm in claim.run_arms:
                found.append(Job(arm, seed))
                if arm.protocol:
                    found.append(Job(arm, seed, what=arm.protocol))
        found += [Job(arm, what=RANGE_TEST) for arm in claim.range_tests]
    return found


def distinct(jobs: Iterable[Job], results: Results) -> list[Job]:
    """Of several with one recipe the first, and none that is blocked."""
    found: list[Job] = []
    known = set[Hashable]()
    for job in jobs:
        # One that waits for its rate is told from others by the recipe that the rate will change.
        wanted = job.recipe(results) or (job.arm_recipe(results.scale), job.rate)
        if (wanted, job.what) not in known and not job.is_blocked(results):
            known.add((wanted, job.what))
            found.append(job)
    return found


def to_do(jobs: Iterable[Job], results: Results) -> list[Job]:
    """The distinct ones that have no result yet."""
    recipes = ((job, job.recipe(results)) for job in distinct(jobs, results))
    return [
        job for job, recipe in recipes if recipe is None or results.find(recipe, job.what) is None
    ]
