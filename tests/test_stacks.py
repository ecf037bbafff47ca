"""Section 2.3's argument: the counts, and what a stack of convolutions is and is not.

Suffixes: O channels out, I channels in, Y rows and X columns of a kernel; C channels, H rows and
W columns of a map.
"""

import json
from collections.abc import Sequence
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from vggnet.stacks import KernelStack, compose

Array = np.ndarray


def convolve(map_CHW: Array, kernel_OIYX: Array, padding: int = 0) -> Array:
    """The definition: each output is the sum of a window times the kernel, not flipped."""
    padded_CHW = np.pad(map_CHW, ((0, 0), (padding, padding), (padding, padding)))
    windows_IHWYX = sliding_window_view(padded_CHW, kernel_OIYX.shape[2:], axis=(1, 2))
    return np.einsum("ihwyx,oiyx->ohw", windows_IHWYX, kernel_OIYX)


def convolve_all(map_CHW: Array, kernels: Sequence[Array], padded: bool) -> Array:
    for kernel_OIYX in kernels:
        map_CHW = convolve(map_CHW, kernel_OIYX, kernel_OIYX.shape[-1] // 2 if padded else 0)
    return map_CHW


def random_kernels(num_kernels: int, channels: Sequence[int] = (3, 4, 5, 2)) -> list[Array]:
    random = np.random.default_rng(num_kernels)
    return [
        random.standard_normal((channels[i + 1], channels[i], 3, 3)) for i in range(num_kernels)
    ]


def relative_error(found: Array, wanted: Array) -> float:
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


# Counts


@pytest.mark.parametrize("channels", [1, 64, 512])
def test_three_3x3_against_one_7x7(channels: int) -> None:
    stack = KernelStack((3, 3, 3), channels)
    assert stack.receptive_field == 7
    assert stack.weights == 27 * channels**2
    assert stack.single_weights == 49 * channels**2
    assert stack.nonlinearities == 3
    assert stack.ratio == pytest.approx(27 / 49)
    assert round(100 * (stack.single_weights / stack.weights - 1)) == 81  # the paper's "81% more"
    assert stack.symbolic() == ("27 C^2", "49 C^2")
    assert (stack.macs, stack.single_macs) == (27 * channels**2 * 196, 49 * channels**2 * 196)


def test_two_3x3_against_one_5x5() -> None:
    stack = KernelStack((3, 3), 128, size=(10, 20))
    assert (stack.receptive_field, stack.weights, stack.single_weights) == (
        5, 18 * 128**2, 25 * 128**2
    )  # fmt: skip
    assert stack.macs == 18 * 128**2 * 200
    assert stack.nonlinearities == 2


def test_channels_before_between_and_after() -> None:
    stack = KernelStack((3, 1, 5), in_channels=8, out_channels=32, mid_channels=16)
    assert stack.channels == (8, 16, 16, 32)
    assert stack.receptive_field == 7
    assert stack.weights == 9 * 8 * 16 + 1 * 16 * 16 + 25 * 16 * 32
    assert stack.single_weights == 49 * 8 * 32
    assert KernelStack((3, 3), 8, 32).channels == (8, 32, 32)
    assert KernelStack((5,), 8, 32).weights == 25 * 8 * 32


@pytest.mark.parametrize(
    ("stack", "formulas"),
    [
        (KernelStack((3, 3), 8, 32), ("9 C_in C_out + 9 C_out^2", "25 C_in C_out")),
        (KernelStack((3, 3, 5), 8, mid_channels=4), ("34 C C_mid + 9 C_mid^2", "81 C^2")),
        (
            KernelStack((3, 1, 5), 8, 32, 16),
            ("9 C_in C_mid + 1 C_mid^2 + 25 C_mid C_out", "49 C_in C_out"),
        ),
        (KernelStack((3, 3), 8, 32, 8), ("9 C_in^2 + 9 C_in C_out", "25 C_in C_out")),
    ],
)
def test_formulas(stack: KernelStack, formulas: tuple[str, str]) -> None:
    assert stack.symbolic() == formulas


CHANNELS = [(512, 512), (64, 128), (3, 64), (256, 96)]
KERNELS = [(3, 3), (3, 3, 3), (3, 3, 3, 3), (1, 5), (5, 1, 3)]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("before", "after"), CHANNELS)
def test_crossover_of_the_channels_between(
    kernels: tuple[int, ...], before: int, after: int
) -> None:
    crossover = KernelStack(kernels, before, after).crossover_mid_channels
    assert crossover is not None
    assert crossover > 1
    fewer = KernelStack(kernels, before, after, mid_channels=ceil(crossover) - 1)
    more = KernelStack(kernels, before, after, mid_channels=floor(crossover) + 1)
    assert fewer.weights < fewer.single_weights
    assert fewer.macs < fewer.single_macs
    assert more.weights > more.single_weights
    assert more.macs > more.single_macs


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("before", [3, 64, 512])
def test_crossover_of_the_channels_out(kernels: tuple[int, ...], before: int) -> None:
    crossover = KernelStack(kernels, before).crossover_out_channels
    assert crossover is not None
    assert crossover > 1
    fewer = KernelStack(kernels, before, ceil(crossover) - 1)
    more = KernelStack(kernels, before, floor(crossover) + 1)
    assert fewer.weights < fewer.single_weights
    assert fewer.macs < fewer.single_macs
    assert more.weights > more.single_weights
    assert more.macs > more.single_macs


def test_where_both_cost_exactly_the_same() -> None:
    stack = KernelStack((1, 5), 25)
    assert stack.crossover_out_channels == 24
    assert KernelStack((1, 5), 25, 24).weights == KernelStack((1, 5), 25, 24).single_weights
    assert KernelStack((3, 3), 18).crossover_mid_channels == 25  # 25 C^2 / 18 C
    same = KernelStack((3, 3), 18, mid_channels=25)
    assert same.weights == same.single_weights


def test_no_crossover() -> None:
    alone = KernelStack((5,), 64)
    assert alone.crossover_mid_channels is None
    assert alone.crossover_out_channels is None
    assert alone.ratio == 1
    assert KernelStack((5, 1), 64).crossover_out_channels == 0
    assert all(KernelStack((5, 1), 64, out).ratio > 1 for out in (1, 2, 64, 1000))


def test_json_keys() -> None:
    values = json.loads(json.dumps(KernelStack((3, 3, 3), 512).to_json()))
    assert values["receptive_field"] == 7
    assert values["weights"] == 7_077_888 == 27 * 512**2
    assert values["nonlinearities"] == 3
    assert values["single"]["kernel"] == 7
    assert values["single"]["weights"] == 12_845_056 == 49 * 512**2
    assert values["ratio"] == pytest.approx(27 / 49)
    assert values["single_excess"] == pytest.approx(49 / 27 - 1)
    assert (values["formula"], values["single"]["formula"]) == ("27 C^2", "49 C^2")
    assert values["macs"] == 27 * 512**2 * 14**2
    assert values["crossover"]["out_channels"] == pytest.approx(512 * 40 / 18)
    # 9 M^2 + 18 C M = 49 C^2
    assert values["crossover"]["mid_channels"] == pytest.approx(512 * ((1 + 49 / 9) ** 0.5 - 1))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (((), 8), "a stack needs at least one kernel, such as 3"),
        (((3, 0), 8), "kernel 0: the side must be 1 to 1,000,000"),
        (((3, 3), 0), "0 channels in: there must be 1 to 1,000,000"),
        (((3, 3), 8, -1), "-1 channels out: there must be 1 to 1,000,000"),
        (((3, 3), 8, 8, 0), "0 channels between the kernels: there must be 1 to 1,000,000"),
        (((3, 3), 8, 8, 8, (14, 0)), "map of 14 x 0: both sides must be 1 to 1,000,000"),
    ],
)
def test_stacks_that_cannot_be(arguments: tuple[Any, ...], fault: str) -> None:
    with pytest.raises(ValueError, match=r"must|needs") as caught:
        KernelStack(*arguments)
    assert str(caught.value) == fault


# The single kernel that a linear stack equals


@pytest.mark.parametrize(("num_kernels", "side"), [(2, 5), (3, 7)])
def test_linear_stack_is_one_kernel(num_kernels: int, side: int) -> None:
    kernels = random_kernels(num_kernels)
    composed_OIYX = compose(kernels)
    assert composed_OIYX.shape == (kernels[-1].shape[0], 3, side, side)
    map_CHW = np.random.default_rng(9).standard_normal((3, 16, 19))
    stack_CHW = convolve_all(map_CHW, kernels, padded=False)
    assert relative_error(convolve(map_CHW, composed_OIYX), stack_CHW) < 1e-13
    # The comparison sees a tap that is off by a millionth.
    composed_OIYX[0, 0, 0, 0] *= 1 + 1e-6
    assert relative_error(convolve(map_CHW, composed_OIYX), stack_CHW) > 1e-10


@pytest.mark.parametrize(("num_kernels", "num_rings"), [(2, 1), (3, 2)])
def test_zero_padding_parts_them_in_the_outer_rings_alone(num_kernels: int, num_rings: int) -> None:
    kernels = random_kernels(num_kernels)
    composed_OIYX = compose(kernels)
    map_CHW = np.random.default_rng(9).standard_normal((3, 16, 19))
    stack_CHW = convolve_all(map_CHW, kernels, padded=True)
    single_CHW = convolve(map_CHW, composed_OIYX, padding=num_kernels)
    assert stack_CHW.shape == single_CHW.shape
    parted_HW = np.abs(stack_CHW - single_CHW).max(axis=0) > 1e-9 * np.abs(single_CHW).max()
    outer_HW = np.ones(map_CHW.shape[1:], bool)
    outer_HW[num_rings:-num_rings, num_rings:-num_rings] = False
    assert np.array_equal(parted_HW, outer_HW)  # every pixel of the rings, and none inside
    # The other way: what the stack leaves out is the first maps' response off the picture. Padded
    # once, with no map between cut off, the two agree everywhere.
    padded_CHW = np.pad(map_CHW, ((0, 0), *[(num_kernels, num_kernels)] * 2))
    uncut_CHW = convolve_all(padded_CHW, kernels, padded=False)
    assert relative_error(single_CHW, uncut_CHW) < 1e-13


def test_first_ring_is_what_the_padding_cuts_off() -> None:
    first_OIYX, second_OIYX = random_kernels(2)
    map_CHW = np.random.default_rng(9).standard_normal((3, 8, 8))
    between_CHW = convolve(map_CHW, first_OIYX, padding=2)  # one ring more than the picture
    cut_off_CHW = between_CHW.copy()
    cut_off_CHW[:, 1:-1, 1:-1] = 0
    single_CHW = convolve(map_CHW, compose([first_OIYX, second_OIYX]), padding=2)
    stack_CHW = convolve_all(map_CHW, [first_OIYX, second_OIYX], padded=True)
    difference_CHW = convolve(cut_off_CHW, second_OIYX)
    assert relative_error(single_CHW - stack_CHW, difference_CHW) < 1e-12


def test_one_kernel_alone_is_copied() -> None:
    kernel = np.ones((1, 1, 3, 3))
    composed = compose([kernel])
    composed[:] = 0
    assert (kernel == 1).all()


def test_composition_by_hand() -> None:
    box = np.ones((1, 1, 3, 3))
    assert np.array_equal(compose([box, box])[0, 0], np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]))
    row = np.array([[[[1.0, 2, 3]]]])
    column = np.array([[[[10.0], [1]]]])
    assert np.array_equal(compose([row, column])[0, 0], [[10, 20, 30], [1, 2, 3]])
    point = np.zeros((3, 3, 3, 3))
    point[range(3), range(3), 1, 1] = 1  # passes each channel on unchanged
    (kernel,) = random_kernels(1)
    assert np.array_equal(compose([kernel]), kernel)
    assert np.array_equal(compose([point, kernel])[:, :, 1:-1, 1:-1], kernel)
    mixing = np.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)
    other = np.array([[0.0, 1], [1, 1]]).reshape(2, 2, 1, 1)
    by_matrices = other[..., 0, 0] @ mixing[..., 0, 0]  # the later one stands on the left
    assert np.array_equal(compose([mixing, other])[..., 0, 0], by_matrices)
    assert compose([box.astype(np.float32)] * 2).dtype == np.float64


@pytest.mark.parametrize(
    ("shapes", "fault"),
    [
        ([], "compose needs at least one kernel"),
        (
            [(3, 3)],
            "kernel 1 has shape (3, 3): give (channels out, channels in, rows, columns)",
        ),
        (
            [(4, 3, 3, 3), (2, 5, 3, 3)],
            "kernel 1 gives 4 channels, but kernel 2 takes 5: give them in the order applied",
        ),
    ],
)
def test_kernels_that_do_not_compose(shapes: list[tuple[int, ...]], fault: str) -> None:
    with pytest.raises(ValueError, match="kernel") as caught:
        compose([np.zeros(shape) for shape in shapes])
    assert str(caught.value) == fault


# A 5x5 kernel in general is no such product


def every_product_of_taps(channels: int) -> Array:
    """The bilinear map from two 3x3 kernels to their product: (first, second, 25 C^2)."""
    count = 9 * channels**2
    taps = np.eye(count).reshape(count, channels, channels, 3, 3)
    return np.array([[compose([a, b]).ravel() for b in taps] for a in taps])


@pytest.mark.parametrize("channels", [1, 2])
def test_products_are_a_thin_set_of_all_5x5_kernels(channels: int) -> None:
    """18 C^2 weights, less the C^2 that move between the factors, reach 17 of 25 dimensions."""
    products = every_product_of_taps(channels)
    first, second = np.random.default_rng(1).standard_normal((2, 9 * channels**2))
    by_first = np.einsum("fsk,s->kf", products, second)
    by_second = np.einsum("fsk,f->ks", products, first)
    jacobian = np.hstack([by_first, by_second])
    assert jacobian.shape == (25 * channels**2, 18 * channels**2)
    assert np.linalg.matrix_rank(jacobian) == 17 * channels**2


def residual_of_best_product(kernel: Array, num_starts: int = 10, num_rounds: int = 300) -> float:
    """Relative distance to the nearest 3x3 * 3x3 found by alternating least squares."""
    products = every_product_of_taps(channels=1)
    random = np.random.default_rng(0)
    best = np.inf
    for _ in range(num_starts):
        first = random.standard_normal(9)
        for _ in range(num_rounds):
            second = np.linalg.lstsq(np.tensordot(first, products, axes=1).T, kernel)[0]
            first = np.linalg.lstsq(np.tensordot(second, products, axes=(0, 1)).T, kernel)[0]
        best = min(best, relative_error(first @ (second @ products), kernel))
    return best


def test_a_5x5_kernel_in_general_is_no_product() -> None:
    for kernel in np.random.default_rng(2).standard_normal((3, 25)):
        assert residual_of_best_product(kernel) > 0.1


def test_a_true_product_is_found_again() -> None:
    product_OIYX = compose(np.random.default_rng(3).standard_normal((2, 1, 1, 3, 3)))
    assert residual_of_best_product(product_OIYX.ravel()) < 1e-6


# What a ReLU between changes


def with_relu(map_CHW: Array, kernels: Sequence[Array]) -> Array:
    return convolve(np.maximum(convolve(map_CHW, kernels[0]), 0), kernels[1])


def test_relu_between_makes_it_no_longer_linear() -> None:
    kernels = random_kernels(2)
    random = np.random.default_rng(4)
    map_CHW, other_CHW = random.standard_normal((2, 3, 12, 12))

    def linear(map_CHW: Array) -> Array:
        return convolve_all(map_CHW, kernels, padded=False)

    def with_relu_between(map_CHW: Array) -> Array:
        return with_relu(map_CHW, kernels)

    def oddness(function: Any) -> float:
        return relative_error(function(-map_CHW), -function(map_CHW))

    def additivity(function: Any) -> float:
        together = function(map_CHW + other_CHW)
        return relative_error(function(map_CHW) + function(other_CHW), together)

    assert oddness(linear) < 1e-13
    assert additivity(linear) < 1e-13
    assert oddness(with_relu_between) > 0.5
    assert additivity(with_relu_between) > 0.1


def test_no_single_kernel_reproduces_a_relu_between() -> None:
    kernels = random_kernels(2, channels=(1, 4, 1))
    maps = np.random.default_rng(5).standard_normal((40, 1, 12, 12))
    windows = np.concatenate(
        [sliding_window_view(map_CHW[0], (5, 5)).reshape(-1, 25) for map_CHW in maps]
    )

    def residual_of_best_kernel(answers: Array) -> float:
        kernel = np.linalg.lstsq(windows, answers)[0]
        return relative_error(windows @ kernel, answers)

    linear = np.concatenate([convolve_all(m, kernels, padded=False).ravel() for m in maps])
    bent = np.concatenate([with_relu(m, kernels).ravel() for m in maps])
    assert residual_of_best_kernel(linear) < 1e-13
    assert residual_of_best_kernel(bent) > 0.3


def test_relu_that_cuts_nothing_changes_nothing() -> None:
    kernels = [np.abs(kernel_OIYX) for kernel_OIYX in random_kernels(2)]
    map_CHW = np.random.default_rng(6).random((3, 9, 9))
    single_CHW = convolve(map_CHW, compose(kernels))
    assert relative_error(with_relu(map_CHW, kernels), single_CHW) < 1e-13
    darker_CHW = map_CHW - 0.5
    single_CHW = convolve(darker_CHW, compose(kernels))
    assert relative_error(with_relu(darker_CHW, kernels), single_CHW) > 0.01
