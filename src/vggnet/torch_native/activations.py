"""Batch normalisation, ReLU and the 2x2 max-pool of torch tensors in one, by the native engine.

In: what a convolution gives, channels-last float32 on the CPU. Out: y = pool(relu(normalised)), in
torch's graph of gradients; on the way back nothing but the convolution's output is needed.
Shapes: N pictures, C channels, H and W rows and columns. Source: Ioffe and Szegedy 2015 (arXiv
1502.03167) for batch normalisation.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vggnet.native_kernels import find_kernels
from vggnet.torch_native.tensors import empty_maps, fits_maps, maps, workspaces


def fits(z_NCHW: Tensor, norm: nn.BatchNorm2d | None, pool: bool) -> bool:
    """Whether `activate` takes these: float32 on the CPU, at least 16 channels.

    A norm must be in training, with weight, bias, momentum and running statistics, over more than
    one number a channel.
    """
    if not fits_maps(z_NCHW) or (pool and min(z_NCHW.shape[2:]) < 2):
        return False
    if norm is None:
        return True
    return (
        norm.training
        and norm.track_running_stats
        and norm.momentum is not None
        and all(
            each is not None and each.dtype == torch.float32 and each.device.type == "cpu"
            for each in (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        )
        and z_NCHW.numel() > z_NCHW.shape[1]
    )


def activate(z_NCHW: Tensor, norm: nn.BatchNorm2d | None, pool: bool) -> Tensor:
    """relu(norm(z)), with `pool` its 2x2 max-pool of stride 2, channels-last, of what `fits` takes.

    The norm's running statistics move as they do in torch.
    """
    if norm is None:
        y: Tensor = _Activation.apply(z_NCHW, pool)  # type: ignore[no-untyped-call]
        return y
    assert norm.momentum is not None
    assert norm.running_mean is not None
    assert norm.running_var is not None
    y, mean, variance = _NormalisedActivation.apply(  # type: ignore[no-untyped-call]
        z_NCHW, norm.weight, norm.bias, norm.eps, pool
    )
    with torch.no_grad():
        count = z_NCHW.numel() // z_NCHW.shape[1]
        norm.running_mean.lerp_(mean, norm.momentum)
        norm.running_var.lerp_(variance * (count / (count - 1)), norm.momentum)
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
    return y


def before_activation(gradient_NCHW: Tensor, z_NCHW: Tensor, pool: bool) -> Tensor:
    """The gradient of z where that of relu(z) is given, or with `pool` of its 2x2 max-pool."""
    of_z = empty_maps(*z_NCHW.shape)
    scale, shift = _identity(z_NCHW)
    find_kernels().activate_gradient(
        maps(gradient_NCHW), maps(z_NCHW), scale.numpy(), shift.numpy(), pool,
        None, None, 0.0, None, None, maps(of_z), workspaces(),
    )  # fmt: skip
    return of_z


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, pool: bool) -> Tensor:
        z = z.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(z)
        ctx.pool = pool
        return _forward(z, *_identity(z), pool)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (z,) = ctx.saved_tensors
        return before_activation(gradient, z, ctx.pool), None


class _NormalisedActivation(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, weight: Tensor, bias: Tensor, epsilon: float, pool: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        z = z.contiguous(memory_format=torch.channels_last)
        mean, variance, scale, shift = z.new_empty(4, z.shape[1])
        find_kernels().normalisation(
            maps(z), weight.detach().contiguous().numpy(), bias.detach().contiguous().numpy(),
            epsilon, mean.numpy(), variance.numpy(), scale.numpy(), shift.numpy(), workspaces(),
        )  # fmt: skip
        ctx.save_for_backward(z, mean, variance, scale, shift)
        ctx.epsilon, ctx.pool = epsilon, pool
        ctx.mark_non_differentiable(mean, variance)
        return _forward(z, scale, shift, pool), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
        z, mean, variance, scale, shift = ctx.saved_tensors
        of_z, of_weight, of_bias = (
            empty_maps(*z.shape),
            torch.empty_like(mean),
            torch.empty_like(mean),
        )
        find_kernels().activate_gradient(
            maps(gradient), maps(z), scale.numpy(), shift.numpy(), ctx.pool,
            mean.numpy(), variance.numpy(), ctx.epsilon, of_weight.numpy(), of_bias.numpy(),
            maps(of_z), workspaces(),
        )  # fmt: skip
        return of_z, of_weight, of_bias, None, None


def _identity(z_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and the shift that leave each channel as it is."""
    channels = z_NCHW.shape[1]
    return z_NCHW.new_ones(channels), z_NCHW.new_zeros(channels)


def _forward(z: Tensor, scale: Tensor, shift: Tensor, pool: bool) -> Tensor:
    images, channels, height, width = z.shape
    size = (height // 2, width // 2) if pool else (height, width)
    y = empty_maps(images, channels, *size)
    find_kernels().activate(maps(z), scale.numpy(), shift.numpy(), pool, maps(y), workspaces())
    return y
