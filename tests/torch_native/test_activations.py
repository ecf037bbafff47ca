"""Batch normalisation, ReLU and max-pool in one by the native engine, against torch in float64."""

import copy
import os
from collections.abc import Iterator
from unittest import mock

import pytest
import torch
from comparison import relative_error
from instruction_sets import SETS
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from vggnet.torch_native.activations import activate, fits
from vggnet.torch_network import BatchNorm

BOUND = 2e-6
SHAPES = [
    (40, 16, 1, 2),
    (9, 32, 2, 2),
    (2, 48, 7, 9),
    (5, 16, 13, 6),
    (2, 160, 16, 16),
    (70, 16, 9, 4),
    (3, 17, 7, 9),
    (9, 44, 8, 6),
    (2, 159, 12, 16),
]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def draw(shape: tuple[int, ...], norm: bool = True) -> tuple[Tensor, nn.BatchNorm2d | None]:
    """z_NCHW whose channels have their own means and deviations, a norm that is no identity."""
    generator = torch.Generator().manual_seed(0)
    channels = shape[1]
    spread = 0.1 + torch.rand(channels, 1, 1, generator=generator)
    z = torch.randn(shape, generator=generator) * spread
    z = z + torch.randn(channels, 1, 1, generator=generator)
    layer = BatchNorm(channels, eps=1e-5) if norm else None
    if layer:
        with torch.no_grad():
            layer.weight.normal_(1, 0.5, generator=generator)
            layer.bias.normal_(0, 0.5, generator=generator)
    return z.contiguous(memory_format=torch.channels_last).requires_grad_(), layer


def right(z: Tensor, norm: nn.BatchNorm2d | None, pool: bool) -> tuple[Tensor, Tensor]:
    """y and the z that it came from, in float64."""
    z = z.detach().double().requires_grad_()
    y = functional.relu(norm.double()(z) if norm else z)
    return functional.max_pool2d(y, 2) if pool else y, z


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pool", [False, True])
@pytest.mark.parametrize("with_norm", [False, True])
def test_forward_and_backward(
    name: str, shape: tuple[int, ...], pool: bool, with_norm: bool
) -> None:
    z, norm = draw(shape, with_norm)
    if not fits(z, norm, pool):
        assert pool
        assert min(shape[2:]) < 2
        return
    oracle = copy.deepcopy(norm)
    expected, oracle_z = right(z, oracle, pool)
    with mock.patch.dict(os.environ, VGGNET_ISA=name):
        y = activate(z, norm, pool)
        assert y.is_contiguous(memory_format=torch.channels_last)
        gradient = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
        y.backward(gradient)
    expected.backward(gradient.double())
    pairs = {"y": (y, expected), "z": (z.grad, oracle_z.grad)}
    if norm:
        pairs |= {"weight": (norm.weight.grad, oracle.weight.grad)}
        pairs |= {"bias": (norm.bias.grad, oracle.bias.grad)}
        pairs |= {"mean": (norm.running_mean, oracle.running_mean)}
        pairs |= {"variance": (norm.running_var, oracle.running_var)}
    for what, (ours, theirs) in pairs.items():
        assert relative_error(ours.detach().numpy(), theirs.detach().numpy()) < BOUND, what


def test_a_mean_far_from_nought_leaves_the_deviation_right() -> None:
    z, norm = draw((4, 16, 8, 8))
    far = (z.detach() + 1e4).requires_grad_()
    variance = far.detach().double().var(dim=(0, 2, 3), correction=1)
    norm.momentum = 1.0
    activate(far, norm, False)
    assert relative_error(norm.running_var.numpy(), variance.numpy()) < 1e-4


def test_of_equal_numbers_under_the_pool_the_first_gets_the_gradient() -> None:
    z = torch.ones(1, 16, 4, 4, requires_grad=True)
    activate(z, None, True).sum().backward()
    theirs = torch.ones(1, 16, 4, 4, requires_grad=True)
    functional.max_pool2d(theirs.relu(), 2).sum().backward()
    assert torch.equal(z.grad, theirs.grad)


@pytest.mark.parametrize("pool", [False, True])
def test_the_same_bits_for_any_number_of_threads(pool: bool) -> None:
    runs = []
    for threads in (1, 2, 2, 3):
        torch.set_num_threads(threads)
        z, norm = draw((3, 48, 17, 23))
        y = activate(z, norm, pool)
        (y * torch.linspace(-1, 1, y.numel()).view_as(y)).sum().backward()
        runs.append([y, z.grad, norm.weight.grad, norm.bias.grad, norm.running_var])
    for run in runs[1:]:
        assert all(torch.equal(*pair) for pair in zip(run, runs[0], strict=True))


def test_tensors_that_are_not_channels_last() -> None:
    z, norm = draw((2, 32, 6, 8))
    other = copy.deepcopy(norm)
    plain = z.detach().contiguous().requires_grad_()
    for each, layer in ((z, norm), (plain, other)):
        y = activate(each, layer, True)
        y.backward(torch.arange(y.numel(), dtype=torch.float32).view_as(y))
    assert torch.equal(z.grad, plain.grad)
    assert torch.equal(norm.weight.grad, other.weight.grad)


def test_what_is_for_torch() -> None:
    z, norm = draw((2, 32, 6, 8))
    assert fits(z, norm, True)
    assert not fits(z, copy.deepcopy(norm).eval(), True)
    assert not fits(z, nn.BatchNorm2d(32, affine=False), True)
    assert not fits(z, nn.BatchNorm2d(32, track_running_stats=False), True)
    assert not fits(z, nn.BatchNorm2d(32, momentum=None), True)
    assert not fits(z, nn.BatchNorm2d(32).double(), True)
    assert not fits(z[..., :1], None, True)
    assert not fits(z[:, :15], None, False)
    assert not fits(z.double(), None, False)
    assert not fits(torch.zeros(1, 16, 1, 1), BatchNorm(16, 1e-5), False)  # one number a channel
    assert not fits(torch.zeros(1).expand(1, 16, 8190, 16382), None, True)  # 2^31 with the border
    with FlopCounterMode(display=False):
        assert not fits(z, None, True)


def test_a_norm_that_counts_its_batches_goes_on_counting() -> None:
    z, _ = draw((2, 32, 6, 8))
    norm, theirs = nn.BatchNorm2d(32), nn.BatchNorm2d(32)
    activate(z, norm, False)
    theirs(z)
    assert norm.num_batches_tracked == theirs.num_batches_tracked == 1


def test_a_second_derivative_is_refused_in_a_line() -> None:
    z, norm = draw((2, 16, 4, 4))
    y = activate(z, norm, False)
    (of_z,) = torch.autograd.grad(y, [z], torch.ones_like(y, requires_grad=True), create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        of_z.sum().backward()
