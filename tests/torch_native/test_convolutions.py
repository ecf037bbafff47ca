"""3x3 convolutions of torch tensors by the native engine, against torch in float64."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import numpy as np
import pytest
import torch
from comparison import relative_error
from instruction_sets import SETS
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from vggnet.torch_native import convolutions
from vggnet.torch_native.convolutions import convolve, fits

BOUND = 1e-5  # of the relative error, in the Euclidean norm
MOST = 2e-5  # of the largest error over the largest number
TILES = (2, 4, 5, 6)


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def draw(
    images: int, inputs: int, outputs: int, height: int, width: int, seed: int = 0
) -> tuple[list[Tensor], Tensor]:
    """x_NCHW, channels-last, weight_KCYX, bias_K, all wanting gradients; and the gradient of y."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(images, inputs, height, width, generator=generator)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / (9 * inputs) ** 0.5
    bias = torch.randn(outputs, generator=generator)
    gradient = torch.randn(images, outputs, height, width, generator=generator)
    x = x.contiguous(memory_format=torch.channels_last)
    return [each.requires_grad_() for each in (x, weight, bias)], gradient


def found(tensors: list[Tensor], gradient: Tensor) -> list[Tensor]:
    """y and the gradients of x, weight and bias."""
    y = convolve(*tensors)
    return [y, *torch.autograd.grad(y, tensors, gradient)]


def expected(tensors: list[Tensor], gradient: Tensor) -> list[Tensor]:
    doubles = [each.detach().double().requires_grad_() for each in tensors]
    y = functional.conv2d(*doubles, padding=1)
    return [y, *torch.autograd.grad(y, doubles, gradient.double())]


def assert_right(tensors: list[Tensor], gradient: Tensor) -> None:
    pairs = zip(found(tensors, gradient), expected(tensors, gradient), strict=True)
    for name, (ours, right) in zip(("y", "input", "weight", "bias"), pairs, strict=True):
        ours, right = ours.detach(), right.detach()
        assert ours.shape == right.shape
        assert relative_error(ours.numpy(), right.numpy()) < BOUND, name
        assert (ours - right).abs().max() < MOST * right.abs().max(), name


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("group", range(5))
def test_gradients_of_random_convolutions(name: str, tile: int, group: int) -> None:
    random = np.random.default_rng((TILES.index(tile), group))
    with (
        mock.patch.dict(os.environ, VGGNET_ISA=name),
        mock.patch.object(convolutions, "_best_tile", return_value=tile),
    ):
        for seed in range(10):
            torch.set_num_threads(int(random.integers(1, 4)))
            images = int(random.integers(1, 7))
            whole = 16 * random.integers(1, 9, 2)  # of the last block half of them lack some
            lacking = random.integers(0, 16, 2) * (whole > 16) * random.integers(0, 2, 2)
            inputs, outputs = (int(each) for each in whole - lacking)
            height, width = (int(each) for each in random.integers(1, 28, 2))
            tensors, gradient = draw(images, inputs, outputs, height, width, seed)
            assert_right(tensors, gradient)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize(
    "shape",
    [
        (1, 3, 16, 1, 1),  # pictures
        (1, 1, 32, 1, 9),
        (3, 15, 48, 9, 1),
        (9, 3, 64, 33, 31),
        (9, 3, 44, 33, 31),
        (1, 3, 17, 5, 5),
        (2, 3, 80, 150, 170),  # more blocks of pixels than chunks
        (1, 16, 16, 1, 1),
        (1, 16, 48, 1, 7),
        (8, 160, 176, 40, 37),  # several blocks of tiles, transformed by all members
        (8, 153, 167, 40, 37),
        (1, 17, 31, 1, 7),
        (40, 44, 23, 33, 31),
        (1, 523, 530, 12, 9),  # kernels packed where they are used
        (2, 512, 16, 9, 9),
        (1, 16, 528, 9, 9),
        (40, 16, 32, 33, 31),  # many tiles of few channels
        (3, 256, 256, 2, 2),
    ],
)
def test_gradients_of_the_smallest_and_of_large_ones(name: str, shape: tuple[int, ...]) -> None:
    with mock.patch.dict(os.environ, VGGNET_ISA=name):
        assert_right(*draw(*shape))


@pytest.mark.parametrize(
    ("shape", "tile"),
    [
        ((64, 64, 64, 2, 2), 2),
        ((64, 64, 64, 4, 4), 4),
        ((64, 512, 512, 14, 14), 5),
        ((64, 64, 64, 224, 224), 6),
        ((64, 32, 32, 64, 64), 4),  # six would save too little
        ((1, 512, 512, 14, 14), 2),  # the kernels take longer to transform than the picture
    ],
)
def test_the_tile_suits_the_layer(shape: tuple[int, ...], tile: int) -> None:
    assert convolutions._best_tile(*shape, TILES) == tile


@pytest.mark.parametrize("shape", [(5, 48, 80, 12, 17), (2, 192, 160, 9, 9), (5, 3, 32, 33, 31)])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_bits_each_time(shape: tuple[int, ...], threads: int) -> None:
    torch.set_num_threads(threads)
    tensors, gradient = draw(*shape)
    first = found(tensors, gradient)
    for _ in range(5):
        again = found(tensors, gradient)
        assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))


class TestTensors:
    def test_in_any_order_of_memory(self) -> None:
        tensors, gradient = draw(2, 32, 48, 9, 11)
        right = found(tensors, gradient)
        x, weight, bias = (each.detach() for each in tensors)
        orders = [
            (x.contiguous(), weight.contiguous(), bias, gradient),
            (x, weight.contiguous(memory_format=torch.channels_last), bias, gradient),
            (x.transpose(2, 3).contiguous().transpose(2, 3), weight, bias, gradient),
            (x, torch.stack([weight, weight], -1)[..., 0], bias.repeat(2, 1).T[:, 1], gradient),
            (torch.cat([x, x], 1)[:, :32], weight, bias, torch.cat([gradient] * 2, 3)[..., :11]),
            (
                x,
                weight.flip(0).flip(0),
                bias,
                gradient.contiguous(memory_format=torch.channels_last),
            ),
        ]
        for *given, of_y in orders:
            ours = found([each.requires_grad_() for each in given], of_y)
            assert all(torch.equal(*pair) for pair in zip(ours, right, strict=True))
            assert ours[0].is_contiguous(memory_format=torch.channels_last)
            assert ours[1].is_contiguous(memory_format=torch.channels_last)

    def test_the_gradient_of_a_weight_lies_as_the_weight_does(self) -> None:
        """Or else torch copies it when it is kept."""
        tensors, gradient = draw(2, 32, 48, 9, 11)
        for order in (torch.contiguous_format, torch.channels_last):
            tensors[1] = tensors[1].detach().contiguous(memory_format=order).requires_grad_()
            assert found(tensors, gradient)[2].stride() == tensors[1].stride()

    def test_nothing_is_copied_that_is_channels_last(self) -> None:
        tensors, _ = draw(2, 32, 48, 9, 11)
        y = convolve(*tensors)
        assert y.grad_fn is not None
        saved = y.grad_fn.saved_tensors  # type: ignore[attr-defined]
        assert saved[0].data_ptr() == tensors[0].data_ptr()
        assert saved[1].data_ptr() == tensors[1].data_ptr()

    def test_without_a_bias(self) -> None:
        (x, weight, _), gradient = draw(2, 32, 48, 9, 11)
        y = convolve(x, weight, None)
        right = functional.conv2d(x.double(), weight.double(), padding=1)
        ours = torch.autograd.grad(y, (x, weight), gradient)
        for pair in zip(
            ours, torch.autograd.grad(right, (x, weight), gradient.double()), strict=True
        ):
            assert relative_error(pair[0].numpy(), pair[1].numpy()) < BOUND

    def test_with_a_relu(self) -> None:
        tensors, gradient = draw(2, 32, 48, 9, 11)
        y = convolve(*tensors, relu=True)
        ours = torch.autograd.grad(y, tensors, gradient)
        doubles = [each.detach().double().requires_grad_() for each in tensors]
        right = functional.conv2d(*doubles, padding=1).relu()
        assert relative_error(y.detach().numpy(), right.detach().numpy()) < BOUND
        theirs = torch.autograd.grad(right, doubles, gradient.double())
        for pair in zip(ours, theirs, strict=True):
            assert relative_error(pair[0].numpy(), pair[1].numpy()) < BOUND

    def test_a_gradient_that_is_one_number_for_all(self) -> None:
        tensors, _ = draw(2, 32, 48, 9, 11)
        convolve(*tensors).sum().backward()
        right = expected(tensors, torch.ones(2, 48, 9, 11))
        for tensor, gradient in zip(tensors, right[1:], strict=True):
            assert relative_error(tensor.grad.numpy(), gradient.numpy()) < BOUND

    @pytest.mark.parametrize("channels", [(16, 15), (3, 15)])
    def test_so_few_outputs_are_for_torch(self, channels: tuple[int, int]) -> None:
        (x, weight, bias), _ = draw(1, *channels, 5, 5)
        assert not fits(x, weight, bias)

    def test_what_is_for_torch(self) -> None:
        (x, weight, bias), _ = draw(1, 32, 32, 5, 5)
        assert fits(x, weight, bias)
        assert fits(x, weight, None)
        assert not fits(x.double(), weight.double(), bias.double())
        assert not fits(x, weight.double(), bias)
        assert not fits(x, weight, bias.double())
        assert not fits(x.bfloat16(), weight.bfloat16(), bias.bfloat16())
        assert not fits(x.to("meta"), weight.to("meta"), bias.to("meta"))
        assert not fits(x[:0], weight, bias)
        assert not fits(x[0], weight, bias)
        assert not fits(x, weight[..., :1], bias)
        assert not fits(x, weight[:, :16], bias)
        with torch.autocast("cpu", torch.bfloat16):
            assert not fits(x, weight, bias)
        seen = []
        torch.func.grad(lambda x: (seen.append(fits(x, weight, bias)), x.sum())[1])(x)
        assert seen == [False]

    def test_maps_that_the_engine_cannot_count_are_for_torch(self) -> None:
        """Of one number that lies in memory; 2^31 is that of numbers, zeros around included."""
        number, weight = torch.zeros(1), torch.zeros(64, 16, 3, 3)
        assert fits(number.expand(1, 16, 2046, 16382), weight[:16], None)
        assert fits(number.expand(1, 16, 2045, 16382), weight, None)
        assert not fits(number.expand(1, 16, 2046, 16382), weight, None)
        assert not fits(number.expand(1, 16, 8190, 16382), weight[:16], None)
        assert fits(number.expand(2**30 - 1, 16, 1, 1), weight, None)
        assert not fits(number.expand(2**30, 16, 1, 1), weight, None)

    @pytest.mark.parametrize("side", [9, 300])
    def test_torch_s_defaults_may_be_others(self, side: int) -> None:
        tensors, gradient = draw(1, 16, 16, side, side)
        right = found(tensors, gradient)
        before = torch.get_default_dtype()
        try:
            torch.set_default_dtype(torch.float64)
            with torch.device("meta"):
                ours = found(tensors, gradient)
        finally:
            torch.set_default_dtype(before)
        assert all(torch.equal(*pair) for pair in zip(ours, right, strict=True))


class TestGraph:
    def test_nothing_is_computed_that_nobody_wants(self) -> None:
        (x, weight, bias), gradient = draw(2, 32, 48, 9, 11)
        right = found([x, weight, bias], gradient)
        for wanted in range(1, 8):
            tensors = [
                each.detach().requires_grad_(bool(wanted >> place & 1))
                for place, each in enumerate((x, weight, bias))
            ]
            y = convolve(*tensors)
            kept = y.grad_fn.saved_tensors  # type: ignore[union-attr]
            assert (kept[0] is not None) == bool(wanted & 2)
            calls = mock.Mock(wraps=convolutions.find_kernels())
            with mock.patch.object(convolutions, "find_kernels", lambda calls=calls: calls):
                y.backward(gradient)
            assert calls.convolve.called == bool(wanted & 1)
            assert calls.convolve_gradient.called == bool(wanted & 2)
            for place, each in enumerate(tensors):
                assert (each.grad is not None) == each.requires_grad
                if each.grad is not None:
                    assert relative_error(each.grad.numpy(), right[1 + place].numpy()) < 1e-6

    def test_without_gradients(self) -> None:
        tensors, _ = draw(2, 32, 48, 9, 11)
        right = convolve(*tensors)
        with torch.no_grad():
            y = convolve(*tensors)
        assert not y.requires_grad
        assert torch.equal(y, right)
        with torch.inference_mode():
            assert torch.equal(convolve(*tensors), right)

    @pytest.mark.parametrize("reentrant", [True, False])
    def test_under_a_checkpoint(self, reentrant: bool) -> None:
        tensors, gradient = draw(2, 32, 48, 9, 11)
        right = found(tensors, gradient)
        y = checkpoint(convolve, *tensors, use_reentrant=reentrant)
        y.backward(gradient)
        for each, kept in zip(tensors, right[1:], strict=True):
            assert torch.equal(each.grad, kept)

    def test_a_second_derivative_is_refused_in_a_line(self) -> None:
        tensors, gradient = draw(1, 16, 16, 5, 5)
        (of_x,) = torch.autograd.grad(
            convolve(*tensors), tensors[:1], gradient.requires_grad_(), create_graph=True
        )
        with pytest.raises(RuntimeError, match=r"differentiate twice") as caught:
            of_x.sum().backward()
        assert "\n" not in str(caught.value)

    def test_a_weight_changed_before_the_way_back_is_refused(self) -> None:
        tensors, gradient = draw(1, 16, 16, 5, 5)
        y = convolve(*tensors)
        with torch.no_grad():
            tensors[1].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward(gradient)

    def test_tensors_freed_before_the_way_back(self) -> None:
        (x, weight, bias), gradient = draw(2, 32, 48, 9, 11)
        right = found([x, weight, bias], gradient)
        inner = x * 1
        y = convolve(inner, weight, bias)
        del inner
        gc.collect()
        torch.randn(2, 32, 9, 11)  # would lie where it lay
        y.backward(gradient)
        assert torch.equal(x.grad, right[1])
        assert torch.equal(weight.grad, right[2])

    def test_an_exception_in_a_hook_leaves_nothing_behind(self) -> None:
        tensors, gradient = draw(2, 32, 48, 9, 11)
        right = found(tensors, gradient)

        def fail(_: Tensor) -> None:
            raise KeyboardInterrupt

        for _ in range(3):
            y = convolve(*tensors)
            y.register_hook(fail)
            with pytest.raises(KeyboardInterrupt):
                y.backward(gradient)
        again = found(tensors, gradient)
        assert all(torch.equal(*pair) for pair in zip(again, right, strict=True))

    def test_what_a_hook_lets_go_during_the_way_back_is_still_there_for_it(self) -> None:
        (x, weight, bias), gradient = draw(2, 32, 48, 9, 11)
        right = found([x, weight, bias], gradient)
        held = [x * 1]
        held.append(convolve(held[0], weight, bias))

        def let_go(_: Tensor) -> None:
            held.clear()
            gc.collect()
            held.append(torch.randn(2, 32, 9, 11))  # would lie where they lay

        held[1].register_hook(let_go)
        held[1].backward(gradient)
        assert len(held) == 1
        assert torch.equal(x.grad, right[1])
        assert torch.equal(weight.grad, right[2])

    @pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs setitimer")
    def test_ctrl_c_within_a_step_stops_it_and_the_next_is_right(self) -> None:
        """At any moment: in the engine, where it waits for the end of a call, and between calls."""
        torch.set_num_threads(2)
        tensors, gradient = draw(4, 64, 64, 17, 19)
        right = found(tensors, gradient)
        before = signal.signal(signal.SIGALRM, signal.default_int_handler)
        stopped = 0
        try:
            for number in range(40):
                try:
                    signal.setitimer(signal.ITIMER_REAL, 1e-4 * (1 + number))
                    while True:
                        found(tensors, gradient)
                except KeyboardInterrupt:
                    stopped += 1
                again = found(tensors, gradient)
                assert all(torch.equal(*pair) for pair in zip(again, right, strict=True))
        finally:
            signal.signal(signal.SIGALRM, before)
        assert stopped == 40


class TestCallers:
    def test_eight_threads_at_once(self) -> None:
        torch.set_num_threads(2)
        cases = [draw(2, 16 * (1 + seed % 3), 48, 9 + seed, 11, seed) for seed in range(8)]
        right = [found(*case) for case in cases]
        barrier = threading.Barrier(8)

        def work(place: int) -> bool:
            torch.set_num_threads(2)
            barrier.wait(60)
            return all(
                torch.equal(*pair)
                for _ in range(5)
                for pair in zip(found(*cases[place]), right[place], strict=True)
            )

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
    def test_a_forked_process(self) -> None:
        """Its parent's OpenMP threads are not there; it must not wait for them."""
        torch.set_num_threads(2)
        tensors, gradient = draw(2, 32, 48, 9, 11)
        right = found(tensors, gradient)
        child = os.fork()
        if child == 0:
            try:
                again = found(tensors, gradient)
                os._exit(0 if all(map(torch.equal, again, right)) else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert all(map(torch.equal, found(tensors, gradient), right))
