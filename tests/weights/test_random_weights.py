"""Random weights: each array as it should be, and a network on them that keeps its activations."""

import numpy as np
import pytest

from vggnet.engines.reference import ReferenceEngine
from vggnet.spec import Spec
from vggnet.weights.random_weights import random_state
from vggnet.weights.weights import check_state

DEEP = Spec("deep", ("conv3-24 conv3-24", "maxpool", *["conv3-24"] * 12, "FC-40 FC-40"), 16)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_activations_keep_their_size(batch_norm: bool) -> None:
    spec = DEEP.scaled(batch_norm=batch_norm)
    state = random_state(spec)
    check_state(spec, state, "random")
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}
    images = np.random.default_rng(1).standard_normal((4, 3, 16, 16), dtype=np.float32)
    logits = ReferenceEngine(spec, state)(images)
    assert 0.3 < logits.std() < 10


def test_every_array_but_the_batch_norms_factors_has_both_signs() -> None:
    for name, array in random_state(DEEP.scaled(batch_norm=True)).items():
        factor = name.endswith("running_var") or (name.startswith("bn") and "weight" in name)
        assert (array.min() > 0) if factor else (array.min() < 0 < array.max()), name


def test_the_seed_decides() -> None:
    first, again, other = (random_state(DEEP, seed) for seed in (3, 3, 4))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
        assert not np.array_equal(first[name], other[name])
