"""native = torch = NumPy = the float64 oracle, on random small nets; the comparison can fail."""

import dataclasses
import math

import hypothesis.strategies as st
import numpy as np
import pytest
from comparison import relative_error
from hypothesis import HealthCheck, assume, given, settings
from instruction_sets import BOUNDS, FORMS, native
from numpy.typing import NDArray
from small_nets import EVERYTHING, random_images, random_state

from vggnet import engines
from vggnet.engines.reference import ReferenceEngine
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights.rewrite import fold_batch_norm, fully_convolutional
from vggnet.weights.weights import State

BOUND = BOUNDS["fp32"]
NAMES = ("native", "torch", "numpy")
# The same nets each time, and none is too slow.
STEADY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def assert_parity(
    found: NDArray[np.floating], expected: NDArray[np.floating], bound: float = BOUND
) -> None:
    assert relative_error(found, expected) < bound


def oracle(spec: Spec, state: State) -> ReferenceEngine:
    return ReferenceEngine(spec, {name: array.astype(np.float64) for name, array in state.items()})


CONVOLUTIONS = st.builds(
    "conv{}-{}{}{}{}{}".format,
    st.sampled_from([1, 2, 3, 3, 3, 5, 7]),
    st.integers(1, 9),
    st.sampled_from(["", "", "", "/2", "/3"]),
    st.sampled_from(["", "", "p0", "p1", "p2"]),
    st.sampled_from(["", "", "-linear"]),
    st.sampled_from(["", "", " LRN"]),
)
BODY = st.lists(CONVOLUTIONS | st.sampled_from(["maxpool", "maxpool3/2", "maxpool2/1"]), max_size=6)
HEADS = st.sampled_from(
    [
        ("FC-7",),
        ("FC-8 FC-6 soft-max",),
        ("avgpool FC-7 soft-max",),
        ("avgpool FC-8 FC-7",),
    ]
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    rows = (draw(CONVOLUTIONS), *draw(BODY), *draw(HEADS))
    try:
        return Spec("random", rows, draw(st.integers(4, 24)), batch_norm=draw(st.booleans()))
    except ValueError as error:
        assume("too small" not in str(error))  # any other fault is the strategy's
        raise


@settings(STEADY, max_examples=60)
@given(specs(), st.integers(0, 4), st.integers(0, 2**32 - 1), st.integers(0, 5))
def test_engines_agree_on_random_nets(spec: Spec, num: int, seed: int, larger: int) -> None:
    side = spec.input_size + (larger if spec.any_size else 0)
    state = random_state(spec, seed)
    images = random_images(num, side, spec.input_size if not spec.any_size else side + 1, seed)
    expected = oracle(spec, state)(images)
    assert expected.shape == (num, spec.num_classes)
    for name in NAMES:
        assert_parity(engines.create(name, spec, state)(images), expected)
        # Folding rounds the weights once more, where the unfolded net rounds activations.
        folded = engines.create(name, *fold_batch_norm(spec, state))
        assert_parity(folded(images), expected)


@settings(STEADY, max_examples=30)
@given(specs(), st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6))
def test_engines_agree_on_fully_convolutional_nets(
    spec: Spec, seed: int, taller: int, wider: int
) -> None:
    dense, state = fully_convolutional(spec, random_state(spec, seed))
    images = random_images(2, spec.input_size + taller, spec.input_size + wider, seed)
    expected = oracle(dense, state)(images)
    assert expected.ndim == 4
    for name in NAMES:
        assert_parity(engines.create(name, dense, state)(images), expected)


# Of thousands of nets, some of a channel or two, which average no error out; three times the most
# that was seen.
FARTHEST = {"fp32": 2e-5, "bf16": 0.4}
NUMBERS = st.integers(1, 70)  # of channels: whole panels of each instruction set, and parts
STACKS = st.lists(
    st.one_of(
        st.builds("conv3-{}".format, NUMBERS),
        st.builds("conv3-{} maxpool".format, NUMBERS),
        st.builds("conv1-{} LRN".format, NUMBERS),
        st.builds("conv{}-{}/{}p{}".format, st.integers(1, 5), NUMBERS, st.integers(1, 3),
                  st.integers(0, 2)),
        st.sampled_from(["maxpool", "maxpool3/2"]),
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip
TAILS = st.sampled_from(["", "", "avgpool FC-7 soft-max", "FC-19 FC-7", "FC2-9 FC1-7"])


@st.composite
def nets_and_pictures(draw: st.DrawFn) -> tuple[Spec, NDArray[np.float32]]:
    """Rows of 3x3 convolutions above all; pictures of up to 40 x 40, fewer of the large ones."""
    rows = (draw(st.builds("conv3-{}".format, NUMBERS)), *draw(STACKS), draw(TAILS))
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    spec = Spec("random", rows, 1000, batch_norm=draw(st.integers(0, 3)) == 0)
    smallest = spec.minimum_size
    assume(smallest <= 40)
    height, width = max(height, smallest), max(width, smallest)
    if not spec.any_size:
        width = height
        spec = dataclasses.replace(spec, input_size=height)
    # From 8 on the plan is one for batches, and FC layers take more than 8 at a time.
    num = min(draw(st.sampled_from([1, 2, 3, 5, 8, 11, 17])), max(1, 1500 // (height * width)))
    return spec, random_images(num, height, width, draw(st.integers(0, 2**32 - 1)))


@settings(STEADY, max_examples=2000)
@given(nets_and_pictures(), st.integers(1, 3))
def test_every_form_of_the_native_engine(
    example: tuple[Spec, NDArray[np.float32]], threads: int
) -> None:
    spec, images = example
    state = random_state(spec, len(images))
    layer = spec.logits_layer
    expected = oracle(spec, state).features(images, [layer])[layer]
    for name, precision in FORMS:
        engine = native(spec, state, name, precision, threads)
        found = engine.features(images, [layer])[layer]
        assert found.shape == expected.shape
        # Activations are about 1; what sums up to nearly nothing is as exact as its terms.
        size = max(np.linalg.norm(expected), math.sqrt(expected.size))
        assert np.linalg.norm(found - expected) <= FARTHEST[precision] * size


@pytest.mark.parametrize("name", NAMES)
def test_engines_agree_on_every_layer(name: str) -> None:
    state, images = random_state(EVERYTHING), random_images(3, 24, 24)
    expected = oracle(EVERYTHING, state).features(images, EVERYTHING.layer_names)
    found = engines.create(name, EVERYTHING, state).features(images, EVERYTHING.layer_names)
    for layer in EVERYTHING.layer_names:
        assert_parity(found[layer], expected[layer])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tensor", EVERYTHING.state_shapes)
def test_the_comparison_fails_on_a_perturbed_tensor(name: str, tensor: str) -> None:
    state, images = random_state(EVERYTHING), random_images(3, 24, 24)
    expected = oracle(EVERYTHING, state)(images)
    assert_parity(engines.create(name, EVERYTHING, state)(images), expected)
    perturbed = state | {tensor: state[tensor] * np.float32(1.001)}
    with pytest.raises(AssertionError):
        assert_parity(engines.create(name, EVERYTHING, perturbed)(images), expected)


PREPROCESS = Preprocess.torchvision(resize=26, crop=24)


@pytest.mark.parametrize(
    "change",
    [
        {"mean": (0.485, 0.456, 0.407)},
        {"std": (0.229, 0.224, 0.226)},
        {"scale": 1 / 256},
        {"colour_order": "BGR"},
        {"interpolation": "bicubic"},
        {"resize": 27},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("name", NAMES)
def test_the_comparison_fails_on_a_perturbed_preprocessing(
    name: str, change: dict[str, object]
) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (40, 33, 3), dtype=np.uint8)
    state = random_state(EVERYTHING)
    expected = oracle(EVERYTHING, state)(PREPROCESS(pixels)[None])
    engine = engines.create(name, EVERYTHING, state)
    assert_parity(engine(PREPROCESS(pixels)[None]), expected)
    perturbed = dataclasses.replace(PREPROCESS, **change)
    with pytest.raises(AssertionError):
        assert_parity(engine(perturbed(pixels)[None]), expected)


def test_the_measure_itself() -> None:
    assert relative_error([3, 4], [3, 4]) == 0
    assert relative_error([3, 5], [3, 4]) == pytest.approx(0.2)
    assert relative_error([0, 0], [3, 4]) == 1
    assert relative_error([np.nan, 4], [3, 4]) == np.inf
    assert relative_error([1e-30], [0]) == np.inf
    with pytest.raises(ValueError, match=r"\(2,\) and \(1, 2\)"):
        relative_error([3, 4], [[3, 4]])
