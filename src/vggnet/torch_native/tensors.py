"""Torch tensors as the native engine's maps: which of them it takes, and where they lie.

In: float32 tensors on the CPU. Channels-last ones lie in memory as the engine's maps do and are not
copied. Out: arrays over their memory, and new tensors.
Shapes: N pictures, C channels, H and W rows and columns.

The engine computes with the threads of torch's own OpenMP runtime, as many as
`torch.get_num_threads()` says: neither waits for a core that the other's threads keep busy. For a
given number of threads the same numbers give the same bits.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

if TYPE_CHECKING:
    from vggnet import _native

_FEWEST_CHANNELS = 16  # of what is no picture
# What the engine counts in 32 bits; training_binding.cc refuses more.
_MOST_NUMBERS = 2**31 - 1
_MOST_IMAGES = 2**30 - 1
_LARGE = 1 << 17  # numbers of which a tensor would be given back to the system when it goes


def fits_maps(x_NCHW: Tensor, pictures: bool = False) -> bool:
    """Whether the engine takes these maps: float32 on the CPU, channels as `fits_channels` says.

    Not where torch is to round to another type, or looks on, to compile, trace, count or transform:
    it would not see what happens here.
    """
    return (
        not _torch_looks_on()  # first, since a trace records what is asked of a tensor
        and is_plain(x_NCHW)
        and x_NCHW.dim() == 4
        and x_NCHW.numel() > 0
        and len(x_NCHW) <= _MOST_IMAGES
        and fits_channels(x_NCHW, x_NCHW.shape[1], pictures)
        and not torch.is_autocast_enabled("cpu")
    )


def fits_channels(x_NCHW: Tensor, channels: int, pictures: bool = False) -> bool:
    """Whether maps as high and wide as these may have so many channels: 16 and more.

    With `pictures` fewer, too. One picture's numbers, with the zeros around its maps, must
    be fewer than 2^31.
    """
    height, width = x_NCHW.shape[2:]
    return (pictures or not are_pictures(channels)) and (
        (height + 2) * (width + 2) * channels <= _MOST_NUMBERS
    )


def are_pictures(channels: int) -> bool:
    """Whether these are so few channels that the engine reads them as those of pictures."""
    return channels < _FEWEST_CHANNELS


def is_plain(tensor: Tensor) -> bool:
    """Whether it is torch's own float32 tensor on the CPU, or a parameter."""
    return (
        type(tensor) in (Tensor, nn.Parameter)
        and tensor.device.type == "cpu"
        and tensor.dtype == torch.float32
        and tensor.layout == torch.strided
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


def empty_maps(images: int, channels: int, height: int, width: int) -> Tensor:
    """x_NCHW, float32 and channels-last, whatever is in it.

    Large ones lie in memory that is kept from step to step, about as much as was in use at most.
    After the last step it stays with the process, until a thousand more large ones were asked for
    that had no use for it; the system may take it where memory is short.
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
