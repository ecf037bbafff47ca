"""Layers of a torch network that the native engine computes, one or several at a time.

In: torch modules and what goes into them. Out: what they would give, in torch's graph of gradients.
Shapes: N pictures, C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from vggnet.torch_native import activations, convolutions

_TOGETHER = (  # what follows each other and is computed in one
    ("batchnorm", "relu", "maxpool"),
    ("batchnorm", "relu"),
    ("relu", "maxpool"),
    ("conv", "relu"),
)
MOST_TOGETHER = max(map(len, _TOGETHER))
_AS_MADE = ((1, 1), (1, 1), (1, 1), 1, "zeros")  # of a Convolution: see `Convolution.fits`


class Convolution(nn.Conv2d):
    """3x3, stride 1, padding 1, by the native engine where it takes the tensors, else by torch.

    By torch, too, once somebody has changed it: its padding to "reflect", or its dilation.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, 1, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if self.fits(x_NCHW):
            return convolutions.convolve(x_NCHW, self.weight, self.bias)
        return super().forward(x_NCHW)

    def fits(self, x_NCHW: Tensor) -> bool:
        """Whether the native engine computes what it is for these maps."""
        set_to = (self.stride, self.padding, self.dilation, self.groups, self.padding_mode)
        return set_to == _AS_MADE and convolutions.fits(x_NCHW, self.weight, self.bias)


_FORWARD = {
    "conv": Convolution.forward,
    "batchnorm": nn.BatchNorm2d.forward,
    "relu": nn.ReLU.forward,
    "maxpool": nn.MaxPool2d.forward,
}


def count_together(x_NCHW: Tensor, modules: Sequence[nn.Module], kinds: Sequence[str]) -> int:
    """How many of the modules, from the first on, `run_together` takes for one; at least 1.

    These are a batch norm, a ReLU and a 2x2 max-pool, or what there is of them, and a convolution
    with its ReLU where no pool follows. `kinds` are those of the modules' layers; a module that
    somebody has changed, or has hooks on, is run by itself.
    """
    for length in range(min(MOST_TOGETHER, len(modules)), 1, -1):
        if (
            tuple(kinds[:length]) in _TOGETHER
            and all(map(_is_unchanged, modules[:length], kinds))
            and not (kinds[0] == "conv" and len(modules) > 2 and _is_pool(modules[2]))
            and _fit(x_NCHW, modules[:length])
        ):
            return length
    return 1


def run_together(x_NCHW: Tensor, modules: Sequence[nn.Module]) -> Tensor:
    """What the modules, as many as `count_together` said, give one after the other."""
    first = modules[0]
    if isinstance(first, Convolution):
        return convolutions.convolve(x_NCHW, first.weight, first.bias, relu=True)
    return activations.activate(x_NCHW, _norm(modules), _is_pool(modules[-1]))


def _fit(x_NCHW: Tensor, modules: Sequence[nn.Module]) -> bool:
    first = modules[0]
    if isinstance(first, Convolution):
        return first.fits(x_NCHW)
    return activations.fits(x_NCHW, _norm(modules), _is_pool(modules[-1]))


def _norm(modules: Sequence[nn.Module]) -> nn.BatchNorm2d | None:
    return modules[0] if isinstance(modules[0], nn.BatchNorm2d) else None


def _is_pool(module: nn.Module) -> bool:
    """Whether it is the 2x2 max-pool of stride 2."""
    if not isinstance(module, nn.MaxPool2d):
        return False
    as_it_is = (module.kernel_size, module.stride, module.padding, module.dilation)
    return as_it_is == (2, 2, 0, 1) and not (module.ceil_mode or module.return_indices)


def _is_unchanged(module: nn.Module, kind: str) -> bool:
    """Whether it computes what a layer of that kind does, and nobody looks on."""
    if type(module).forward is not _FORWARD[kind] or "forward" in vars(module):
        return False
    if kind == "maxpool" and not _is_pool(module):
        return False
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or _has_any_global_hook()  # type: ignore[no-untyped-call]
    )
