"""What `vggnet find-lr` says of an arm, on the pictures that it is trained on.

In: a Recipe, the pictures. Out: plain values with its curve, or None where it was asked to stop.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from harness.jobs import stored_side
from harness.one_run import Place, about
from harness.pictures import part
from harness.results import RANGE_TEST
from harness.scales import SCALES
from vggnet.training.find_rate import find_rate
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import Recipe


def range_test(
    recipe: Recipe, place: Place, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, Any] | None:
    """The suggestion, its interval and the curve, of as many nets as the scale says."""
    begun = time.perf_counter()
    training = part(place.pictures(stored_side(recipe)), "training")
    options = TrainingOptions(
        place.folder,
        workers=place.workers,
        device=place.device,
        threads=place.threads,
        should_stop=should_stop,
    )
    try:
        found = find_rate(
            training, recipe, options, num_seeds=SCALES[place.scale].range_seeds
        ).to_json()
    except KeyboardInterrupt:
        return None
    curve = {name: [float(f"{x:.5g}") for x in found[name]] for name in ("rates", "losses")}
    seconds = round(time.perf_counter() - begun)
    return about(recipe, training, place) | {
        "what": RANGE_TEST,
        "find_lr": found | curve,
        "seconds": seconds,
    }
