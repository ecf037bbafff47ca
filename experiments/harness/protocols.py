"""A trained net tested as Section 3.2 of the paper does.

In: the Recipe of a run whose weights are kept, a protocol's name. Out: plain values, or None where
it was asked to stop. Pictures are rescaled from their own size to each test scale Q.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from harness.measures import measures
from harness.one_run import Place, about
from harness.pictures import part
from harness.results import TESTING
from harness.scales import ORIGINAL_SIDE
from vggnet.evaluation import Net, net_of, picture_scores, protocol_for
from vggnet.model import Model
from vggnet.training.recipe import Recipe
from vggnet.weights.named import load_weights

_LEAST = 1e-30  # posteriors below count as that, so that they have a logarithm


def protocol_test(
    recipe: Recipe, name: str, place: Place, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, Any] | None:
    """The measures under the protocol `name`, with the scales Q that follow from the recipe's S."""
    begun = time.perf_counter()
    weights = load_weights(place.weights(recipe))
    protocol = protocol_for(name, weights)
    net = net_of(Model(weights, "torch", threads=place.threads, device=place.device), protocol)
    pictures = place.pictures(ORIGINAL_SIDE)
    result = about(recipe, part(pictures, "training"), place)
    result |= {"what": name, "protocol": protocol.to_json()}
    for each in TESTING[1:]:
        found = _measured(net, pictures, each, place.threads, should_stop)
        if found is None:
            return None
        result[each] = found
    return result | {"seconds": round(time.perf_counter() - begun)}


def _measured(
    net: Net, pictures: Any, name: str, threads: int, should_stop: Callable[[], bool]
) -> dict[str, float] | None:
    dataset = part(pictures, name)
    posteriors: list[Any] = []
    indices = np.arange(len(dataset.labels))
    for chunk in picture_scores([net], dataset, indices, num_threads=threads):
        if should_stop():
            return None
        posteriors += [scores for _, scores in chunk]
    logits_NK = np.log(np.maximum(np.stack(posteriors), _LEAST))
    found = measures(logits_NK, dataset.labels)
    return {"images": len(dataset.labels), **{each: round(x, 5) for each, x in found.items()}}
