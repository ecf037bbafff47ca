"""The results so far: a file of JSON lines, one a run, added to as runs end.

In: a path. Out: what was found for a recipe, by its training, by a protocol of testing (`what` is
the protocol's name then) or by the range test. A last line that was cut off is left out.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.claims import Arm
from harness.scales import Scale, recipe
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import vary

CHOOSING, TESTING = ("choosing",), ("choosing", "kept_apart", "validation")
TRAINING, RANGE_TEST = "training", "find-lr"


class Results:
    """What is known of the runs of one scale."""

    def __init__(self, path: Path, scale: Scale) -> None:
        self.path, self.scale = path, scale
        self._found: dict[tuple[Recipe, str], dict[str, Any]] = {}
        for line in path.read_text().splitlines(keepends=True) if path.exists() else []:
            if line.endswith("\n"):
                self._take(json.loads(line))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._found.values())

    @property
    def times(self) -> dict[str, Any]:
        """What times.py wrote: milliseconds a picture by net and engine, and where; {} if none."""
        path = self.path.with_name("times.json")
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found

    def find(self, wanted: Recipe, what: str = TRAINING) -> dict[str, Any] | None:
        return self._found.get((wanted, what))

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result, on the disk too."""
        self._take(result)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write((json.dumps(result) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def rate(self, arm: Arm) -> float | None:
        """The rate chosen for an arm; None while it is not."""
        if not arm.tuned or len(self.scale.rates) == 1:
            return self.scale.rates[0]
        found = self.trials(arm)
        if not all(found.values()):
            return None  # not all were tried, or weights that the trials need have no rate yet
        return max(found, key=lambda rate: (accuracy(found[rate], "choosing"), -rate))

    def trials(self, arm: Arm) -> dict[float, dict[str, Any] | None]:
        """The results of the short runs that try rates; None of those that are not there."""
        recipes = {rate: self.rate_recipe(arm, rate) for rate in self.scale.rates}
        return {rate: each and self.find(each) for rate, each in recipes.items()}

    def rate_recipe(self, arm: Arm, rate: float) -> Recipe | None:
        """The short run that tries a rate; None while one that it needs has no rate yet."""
        whole = self._recipe(arm, rate, 0)
        return whole and vary(whole, {"epochs": arm.rate_epochs or self.scale.rate_epochs})

    def recipe(self, arm: Arm, seed: int) -> Recipe | None:
        """That of an arm's run; None while its rate is not chosen."""
        rate = self.rate(arm)
        return None if rate is None else self._recipe(arm, rate, seed)

    def runs(self, arm: Arm, seeds: int) -> dict[int, dict[str, Any]]:
        """The arm's results by seed, those that there are."""
        what = arm.protocol or TRAINING
        recipes = {seed: self.recipe(arm, seed) for seed in range(seeds)}
        found = {seed: each and self.find(each, what) for seed, each in recipes.items()}
        return {seed: result for seed, result in found.items() if result}

    def _recipe(self, arm: Arm, rate: float, seed: int) -> Recipe | None:
        """Weights that it starts from or learns from are called by the recipe that they come of."""
        changes = dict(arm.changes)
        for name, arm_of in arm.weights_of.items():
            source = self.recipe(arm_of, seed)
            if source is None:
                return None
            changes[name] = weights_name(source)
        return recipe(self.scale, changes, rate, seed)

    def _take(self, result: dict[str, Any]) -> None:
        what = result.get("what", TRAINING)
        self._found[Recipe.from_json(result["recipe"]), what] = result


def key(recipe: Recipe) -> str:
    """A name for what the recipe gives, the same on every machine."""
    return hashlib.sha256(json.dumps(recipe.to_json(), sort_keys=True).encode()).hexdigest()[:12]


def weights_name(recipe: Recipe) -> str:
    """The file of a run's weights, which other runs take."""
    return f"{key(recipe)}.safetensors"


def accuracy(result: dict[str, Any] | None, part: str = "tested") -> float:
    """Top-1 on a part of the pictures, or on all that are for testing; 0 of a run that diverged."""
    return measure(result, "top1", part) or 0.0


def measure(result: dict[str, Any] | None, name: str, part: str = "tested") -> float | None:
    """One of the measures; None of a run that diverged."""
    if result is None or "diverged" in result:
        return None
    parts = ("kept_apart", "validation") if part == "tested" else (part,)
    images = sum(result[each]["images"] for each in parts)
    return float(sum(result[each][name] * result[each]["images"] for each in parts) / images)
