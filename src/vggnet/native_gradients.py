"""3x3 convolutions of torch tensors by the native engine, forward and backward.

In: channels-last float32 tensors on the CPU, which lie in memory as the engine's maps do and are
not copied. Out: the same, in torch's graph of gradients. Source: Lavin and Gray 2015 (arXiv
1509.09308); the gradients are in native/target/gradient.h.
Shapes: N pictures, C input and K output channels, H and W rows and columns, Y and X of a kernel.

The engine computes with the threads of torch's own OpenMP runtime, as many as
`torch.get_num_threads()` says: neither waits for a core that the other's threads keep busy. For a
given number of threads the same numbers give the same bits.
"""

from __future__ import annotations

from functools import cache, lru_cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input

from vggnet.native_kernels import find_kernels

if TYPE_CHECKING:
    from vggnet import _native

_CHANNEL_BLOCK = 16
# What the engine counts in 32 bits; training_binding.cc refuses more.
_MOST_NUMBERS = 2**31 - 1
_MOST_IMAGES = 2**30 - 1
_LARGE = 1 << 20  # numbers of which a tensor would be given back to the system when it goes
_TILES = (2, 4, 5, 6)
_GRADIENT_TILES = (2, 4)  # of kernels, where larger ones gain nothing
# What Winograd takes beside its products, in products that take as long: for each number that the
# transforms of tiles write, times the side of what a tile is transformed to; and for each
# transformed weight, whatever the number of pictures. Fitted to layers of half-width and full VGGs.
_PER_TRANSFORMED_NUMBER = 2
_PER_TRANSFORMED_WEIGHT = 32
_FOR_ROUNDING = 1.05  # tiles of 5 and 6, which round two to four times as much, must save more


def fits_maps(x_NCHW: Tensor) -> bool:
    """Whether the engine takes these maps: float32 on the CPU, channels in multiples of 16.

    Not where torch is to round to another type, or looks on, to compile, trace, count or transform:
    it would not see what happens here. Nor maps of 2^31 numbers a picture, zeros around included.
    """
    return _fits(x_NCHW) and x_NCHW.shape[1] % _CHANNEL_BLOCK == 0


def _fits(x_NCHW: Tensor) -> bool:
    return (
        not _torch_looks_on()  # first, since a trace records what is asked of a tensor
        and _is_plain(x_NCHW)
        and x_NCHW.dim() == 4
        and x_NCHW.numel() > 0
        and len(x_NCHW) <= _MOST_IMAGES
        and _numbers_with_border(x_NCHW, x_NCHW.shape[1]) <= _MOST_NUMBERS
        and not torch.is_autocast_enabled("cpu")
    )


def _torch_looks_on() -> bool:
    """Whether operations are recorded or replaced: by a compiler, a trace, a mode, a transform."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or torch._C._len_torch_dispatch_stack() > 0  # make_fx, FlopCounterMode
        or torch._ops._len_torch_dispatch_stack_pre_dispatch() > 0  # type: ignore[no-untyped-call]
        or torch._C._are_functorch_transforms_active()
    )


def _numbers_with_border(x_NCHW: Tensor, channels: int) -> int:
    """Of one picture's maps with so many channels, with the zeros around them."""
    height, width = x_NCHW.shape[2:]
    return (height + 2) * (width + 2) * channels


def fits(x_NCHW: Tensor, weight_KCYX: Tensor, bias_K: Tensor | None) -> bool:
    """Whether `convolve` takes these: maps as `fits_maps` has them, to channels that are so too.

    Or from pictures, which have fewer than 16 channels.
    """
    return (
        _fits(x_NCHW)
        and (x_NCHW.shape[1] % _CHANNEL_BLOCK == 0 or _are_pictures(x_NCHW.shape[1]))
        and _is_plain(weight_KCYX)
        and (bias_K is None or _is_plain(bias_K))
        and weight_KCYX.shape[1:] == (x_NCHW.shape[1], 3, 3)
        and weight_KCYX.shape[0] % _CHANNEL_BLOCK == 0
        and _numbers_with_border(x_NCHW, weight_KCYX.shape[0]) <= _MOST_NUMBERS
    )


def _are_pictures(channels: int) -> bool:
    return channels < _CHANNEL_BLOCK


def _is_plain(tensor: Tensor) -> bool:
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and tensor.layout == torch.strided
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
        if input_wanted and _are_pictures(weight.shape[1]):
            shape = (len(gradient), weight.shape[1], *gradient.shape[2:])
            of_input = conv2d_input(shape, weight, gradient, padding=1)  # type: ignore[no-untyped-call]
        elif input_wanted:
            of_input = _run(gradient, weight, None, turned=True)
        of_weight = of_bias = None
        if weight_wanted:
            of_weight = torch.empty_like(weight)
            of_bias = weight.new_empty(len(weight)) if bias_wanted else None
            find_kernels().convolve_gradient(
                maps(x),
                maps(gradient),
                0 if _are_pictures(x.shape[1]) else _tile(x, len(weight), _GRADIENT_TILES),
                of_weight.numpy(),
                None if of_bias is None else of_bias.numpy(),
                workspaces(),
            )
        elif bias_wanted:
            of_bias = gradient.sum(dim=(0, 2, 3))
        return of_input, of_weight, of_bias, None


def before_activation(gradient_NCHW: Tensor, z_NCHW: Tensor, pool: bool) -> Tensor:
    """The gradient of z where that of relu(z) is given, or with `pool` of its 2x2 max-pool."""
    of_z = empty_maps(*z_NCHW.shape)
    scale, shift = identity(z_NCHW)
    find_kernels().activate_gradient(
        maps(gradient_NCHW), maps(z_NCHW), scale.numpy(), shift.numpy(), pool,
        None, None, 0.0, None, None, maps(of_z), workspaces(),
    )  # fmt: skip
    return of_z


def identity(z_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """The scale and the shift that leave each channel as it is."""
    channels = z_NCHW.shape[1]
    return z_NCHW.new_ones(channels), z_NCHW.new_zeros(channels)


def _run(
    x: Tensor, weight: Tensor, bias: Tensor | None, turned: bool, relu: bool = False
) -> Tensor:
    """The convolution, or with `turned` its adjoint: from outputs to inputs, kernels turned."""
    channels = weight.shape[1 if turned else 0]
    pictures = _are_pictures(x.shape[1])
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


def empty_maps(images: int, channels: int, height: int, width: int) -> Tensor:
    """x_NCHW, float32 and channels-last, whatever is in it.

    Large ones lie in memory that is kept from step to step, as much as was in use at most. After
    the last step it stays with the process, until a thousand more large ones were asked for; the
    system may take it where memory is short.
    """
    shape, size = (images, channels, height, width), images * channels * height * width
    # Not torch's defaults, which may be others.
    given: dict[str, Any] = {"dtype": torch.float32, "device": "cpu"}
    if size < _LARGE:
        return torch.empty(shape, memory_format=torch.channels_last, **given)
    from vggnet import _native

    storage = torch.from_numpy(_native.empty(size)).untyped_storage()
    strides = (size // images, 1, width * channels, channels)
    return torch.empty(0, **given).set_(storage, 0, shape, strides)


def maps(x_NCHW: Tensor) -> NDArray[np.float32]:
    """maps_NHWC: over the memory of a channels-last tensor, a copy of another."""
    x_NCHW = x_NCHW.detach().contiguous(memory_format=torch.channels_last)
    found: NDArray[np.float32] = x_NCHW.permute(0, 2, 3, 1).numpy()
    return found


def workspaces() -> _native.Workspaces:
    """Threads and buffers for as many threads as torch computes with at present."""
    return _workspaces(torch.get_num_threads())


@cache
def _workspaces(threads: int) -> _native.Workspaces:
    from vggnet import _native

    library = Path(torch.__file__).parent / "lib" / "libtorch_cpu.so"
    return _native.Workspaces(threads, str(library))


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
