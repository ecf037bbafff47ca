"""3x3 convolutions of torch tensors by the native engine, forward and backward.

In: channels-last float32 tensors on the CPU. Out: the same, in torch's graph of gradients. Source:
Lavin and Gray 2015 (arXiv 1509.09308); the gradients are in native/target/gradient.h.
Shapes: N pictures, C input and K output channels, H and W rows and columns, Y and X of a kernel.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from vggnet.native_kernels import find_kernels
from vggnet.torch_native.activations import before_activation
from vggnet.torch_native.tensors import (
    are_pictures,
    empty_maps,
    fits_channels,
    fits_maps,
    is_plain,
    maps,
    workspaces,
)

_TILES = (2, 4, 5, 6)
_GRADIENT_TILES = (2, 4)  # of kernels, where larger ones gain nothing
# What Winograd takes beside its products, in products that take as long: for each number that the
# transforms of tiles write, times the side of what a tile is transformed to; and for each
# transformed weight, whatever the number of pictures. Fitted to layers of half-width and full VGGs.
_PER_TRANSFORMED_NUMBER = 2
_PER_TRANSFORMED_WEIGHT = 16
_FOR_ROUNDING = 1.05  # tiles of 5 and 6, which round two to four times as much, must save more


def fits(x_NCHW: Tensor, weight_KCYX: Tensor, bias_K: Tensor | None) -> bool:
    """Whether `convolve` takes these: pictures or maps, to maps, as `fits_maps` has them."""
    return (
        fits_maps(x_NCHW, pictures=True)
        and is_plain(weight_KCYX)
        and (bias_K is None or is_plain(bias_K))
        and weight_KCYX.shape[1:] == (x_NCHW.shape[1], 3, 3)
        and fits_channels(x_NCHW, weight_KCYX.shape[0])
    )


def convolve(
    x_NCHW: Tensor, weight_KCYX: Tensor, bias_K: Tensor | None, relu: bool = False
) -> Tensor:
    """y_NKHW, channels-last: a 3x3 convolution, stride and padding 1, of what `fits` takes.

    With `relu` what is negative becomes 0.

    A tensor that is not channels-last is copied once. Differentiable once: a gradient that shall be
    differentiated again raises RuntimeError.
    """
    y: Tensor = _Convolution.apply(x_NCHW, weight_KCYX, bias_K, relu)  # type: ignore[no-untyped-call]
    return y


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, relu: bool) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        input_wanted, weight_wanted = ctx.needs_input_grad[:2]
        y = _run(x, weight, bias, turned=False, relu=relu)
        ctx.save_for_backward(
            x if weight_wanted else None,
            weight if input_wanted or weight_wanted else None,
            y if relu else None,
        )
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, y = ctx.saved_tensors
        if y is not None:
            gradient = before_activation(gradient, y, pool=False)
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        input_wanted, weight_wanted, bias_wanted = ctx.needs_input_grad[:3]
        of_input = None
        if input_wanted:
            of_input = _run(gradient, weight, None, turned=True)
        of_weight = of_bias = None
        if weight_wanted:
            of_weight = torch.empty_like(weight)
            of_bias = weight.new_empty(len(weight)) if bias_wanted else None
            find_kernels().convolve_gradient(
                maps(x),
                maps(gradient),
                0 if are_pictures(x.shape[1]) else _tile(x, len(weight), _GRADIENT_TILES),
                of_weight.numpy(),
                None if of_bias is None else of_bias.numpy(),
                workspaces(),
            )
        elif bias_wanted:
            of_bias = gradient.sum(dim=(0, 2, 3))
        return of_input, of_weight, of_bias, None


def _run(
    x: Tensor, weight: Tensor, bias: Tensor | None, turned: bool, relu: bool = False
) -> Tensor:
    """The convolution, or with `turned` its adjoint: from outputs to inputs, kernels turned."""
    channels = weight.shape[1 if turned else 0]
    pictures = are_pictures(x.shape[1])
    y = empty_maps(len(x), channels, *x.shape[2:])
    find_kernels().convolve(
        maps(x),
        (weight.detach().contiguous() if pictures else weight.detach()).numpy(),
        turned,
        None if bias is None else bias.detach().contiguous().numpy(),
        0 if pictures else _tile(x, channels, _TILES),
        relu,
        maps(y),
        workspaces(),
    )
    return y


def _tile(x_NCHW: Tensor, outputs: int, tiles: tuple[int, ...]) -> int:
    """The side of the tiles, among `tiles`, that take least, in outputs."""
    images, inputs, height, width = x_NCHW.shape
    return _best_tile(images, inputs, outputs, height, width, tiles)


@lru_cache(maxsize=4096)
def _best_tile(
    images: int, inputs: int, outputs: int, height: int, width: int, tiles: tuple[int, ...]
) -> int:
    def cost(tile: int) -> float:
        side = tile + 2
        numbers = images * ceil(height / tile) * ceil(width / tile) * side**2
        transforms = _PER_TRANSFORMED_NUMBER * side * (inputs + outputs)
        weights = _PER_TRANSFORMED_WEIGHT * side**2 * inputs * outputs
        total = numbers * (inputs * outputs + transforms) + weights
        return total * (_FOR_ROUNDING if tile > 4 else 1)

    return min(tiles, key=cost)
