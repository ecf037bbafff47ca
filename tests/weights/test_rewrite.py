import numpy as np
import pytest
from comparison import relative_error
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

from vggnet.configurations import configuration
from vggnet.engines.reference import ReferenceEngine
from vggnet.spec import Spec
from vggnet.weights.rewrite import fold_batch_norm, fully_convolutional


def test_folding_keeps_the_function() -> None:
    state = random_state(EVERYTHING)
    images = random_images(2, 24, 24)
    oracle = ReferenceEngine(EVERYTHING, random_state(EVERYTHING, dtype=np.float64))
    spec, folded = fold_batch_norm(EVERYTHING, state)
    assert not spec.batch_norm
    assert {name: array.shape for name, array in folded.items()} == spec.state_shapes
    engine = ReferenceEngine(spec, {name: a.astype(np.float64) for name, a in folded.items()})
    assert relative_error(engine(images), oracle(images)) < 1e-6
    before = oracle.features(images, ["bn1_2"])["bn1_2"]
    assert relative_error(engine.features(images, ["conv1_2"])["conv1_2"], before) < 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_folding_is_rounded_once_from_float64(dtype: type) -> None:
    state = random_state(EVERYTHING, dtype=dtype)
    _, folded = fold_batch_norm(EVERYTHING, state)
    gamma, beta, mean, variance = (
        state[f"bn1_1.{part}"].astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + 1e-5)
    weight = state["conv1_1.weight"].astype(np.float64) * factor[:, None, None, None]
    bias = (state["conv1_1.bias"].astype(np.float64) - mean) * factor + beta
    assert np.array_equal(folded["conv1_1.weight"], weight.astype(dtype))
    assert np.array_equal(folded["conv1_1.bias"], bias.astype(dtype))
    assert folded["conv1_1.weight"].dtype == folded["conv1_1.bias"].dtype == dtype


def test_folding_leaves_what_it_was_given_alone() -> None:
    state = random_state(EVERYTHING)
    copies = {name: array.copy() for name, array in state.items()}
    _, folded = fold_batch_norm(EVERYTHING, state)
    assert all(np.array_equal(state[name], copies[name]) for name in copies)
    assert folded["fc3.weight"] is state["fc3.weight"]


def test_a_net_without_batch_norm_is_folded_already() -> None:
    state = random_state(AVERAGE)
    spec, folded = fold_batch_norm(AVERAGE, state)
    assert spec == AVERAGE
    assert all(folded[name] is state[name] for name in state)


def test_fully_connected_layers_become_convolutions_over_views() -> None:
    state = random_state(FULLY_CONNECTED)
    spec, arrays = fully_convolutional(FULLY_CONNECTED, state)
    assert spec.tokens[-3:] == ("FC4-10", "FC1-7", "soft-max")
    assert arrays["fc3.weight"].shape == (10, 8, 4, 4)
    assert all(np.shares_memory(arrays[name], state[name]) for name in state)


def test_the_paper_s_net_gets_a_7x7_convolution() -> None:
    tiny = configuration("D").scaled(width=1 / 64)
    spec, _ = fully_convolutional(tiny, random_state(tiny))
    assert spec.tokens[-4:] == ("FC7-64", "FC1-64", "FC1-1000", "soft-max")


def test_each_position_is_what_the_net_answers_for_its_window() -> None:
    rows = ("conv3-6/1p0", "maxpool", "conv3-8/1p0", "maxpool", "FC-10 FC-7 soft-max")
    unpadded = Spec("unpadded", rows, 18)  # so that a window does not see where the picture ends
    state = random_state(unpadded, dtype=np.float64)
    images = random_images(2, 22, 30)
    dense = ReferenceEngine(*fully_convolutional(unpadded, state))(images)
    assert dense.shape == (2, 7, 2, 4)
    engine = ReferenceEngine(unpadded, state)
    for row, column in np.ndindex(2, 4):  # the pools make the stride 4
        window = images[:, :, 4 * row : 4 * row + 18, 4 * column : 4 * column + 18]
        assert relative_error(dense[:, :, row, column], engine(window)) < 1e-12


def test_the_mean_over_a_global_average_net_s_map_is_its_answer() -> None:
    state = random_state(AVERAGE, dtype=np.float64)
    images = random_images(2, 20, 32)
    spec, arrays = fully_convolutional(AVERAGE, state)
    assert all(np.shares_memory(arrays[name], state[name]) for name in state)
    dense = ReferenceEngine(spec, arrays)(images)
    assert dense.shape == (2, 7, 5, 8)
    answer = ReferenceEngine(AVERAGE, state)(images)
    assert relative_error(dense.mean(axis=(2, 3)), answer) < 1e-12


def test_a_net_without_a_head_stays_as_it_is() -> None:
    spec, arrays = fully_convolutional(HEADLESS, random_state(HEADLESS))
    assert spec == HEADLESS
    assert set(arrays) == set(HEADLESS.state_shapes)
