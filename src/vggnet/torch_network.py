"""A Spec as a torch.nn.Module: what is trained.

In: a Spec. Out: a module whose children bear the canonical names, so that its `state_dict()` is the
canonical state. Source: Section 2.1 (layers) and 3.1 (initialisation, dropout) of the paper.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from vggnet import native_activations, native_gradients, native_kernels
from vggnet.layers import BATCH_NORM_EPSILON, Layer
from vggnet.spec import Spec

Initialization = Literal["he", "glorot", "paper"]
INITIALIZATIONS: tuple[Initialization, ...] = get_args(Initialization)
Convolutions = Literal["auto", "native", "torch"]
CONVOLUTIONS: tuple[Convolutions, ...] = get_args(Convolutions)


class Network(nn.Module):
    """The network of a spec.

    `forward` takes images_NCHW and gives logits_NK (for FC layers applied as convolutions the map
    logits_NKHW; without a head the deepest features). With `initialization=None` the arrays are
    created on the "meta" device, without memory: load a state with
    `load_state_dict(state, assign=True)` before use. The weights are drawn by `seed`, or where it
    is None by torch's own generator, which `torch.manual_seed` sets.

    With `convolutions` "auto" the native engine, where it was built, computes forward and backward
    what it takes: 3x3 convolutions of float32 tensors on the CPU whose channels are multiples of
    16, and what follows them, except under autocast, `torch.compile` and `torch.func`. "native"
    raises ValueError where it was not built; "torch" leaves all to torch.
    """

    def __init__(
        self,
        spec: Spec,
        initialization: Initialization | None = "he",
        dropout: float = 0.5,
        seed: int | None = None,
        convolutions: Convolutions = "auto",
    ) -> None:
        super().__init__()
        if convolutions not in CONVOLUTIONS:
            raise ValueError(
                f"convolutions {convolutions!r} must be one of {', '.join(CONVOLUTIONS)}"
            )
        absence = native_kernels.absence()
        if convolutions == "native" and absence is not None:
            raise ValueError(f"convolutions 'native': {absence}")
        self.native = convolutions != "torch" and absence is None
        self.spec = spec
        with torch.device("meta"):
            for layer in spec.layers:
                self.add_module(layer.name, _module(layer, dropout, self.native))
        if initialization is not None:
            self.to_empty(device="cpu")
            self.initialize(initialization, seed)

    def forward(self, images_NCHW: Tensor) -> Tensor:
        return self._run(images_NCHW, (self.spec.logits_layer,))[self.spec.logits_layer]

    def features(self, images_NCHW: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Named activations, differentiable: {"relu3_3": (N, 256, 56, 56), ...}.

        A convolution's name gives its output before ReLU. Nothing above the deepest name is
        computed. Raises ValueError for a name that the spec does not have.
        """
        return self._run(images_NCHW, self.spec.check_names(names))

    def _run(self, images_NCHW: Tensor, names: tuple[str, ...]) -> dict[str, Tensor]:
        self.spec.layers_at(*images_NCHW.shape[2:])  # raises for a size that the head cannot take
        found: dict[str, Tensor] = {}
        x, start = images_NCHW, 0
        while len(found) < len(set(names)):
            layers = self._next_layers(x, start, names)
            start += len(layers)
            modules = [self.get_submodule(layer.name) for layer in layers]
            if layers[0].kind == "fc":
                x = x.flatten(1)
            x = _run_together(x, modules) if len(layers) > 1 else modules[0](x)
            if layers[-1].name in names:
                found[layers[-1].name] = x
        return {name: found[name] for name in names}

    def _next_layers(self, x_NCHW: Tensor, start: int, names: tuple[str, ...]) -> tuple[Layer, ...]:
        """The layer at `start`, or those from it on that the native engine computes in one.

        Those are a batch norm, a ReLU and a 2x2 max-pool, or what there is of them, and a
        convolution with its ReLU, unless somebody looks at what lies between them.
        """
        layers = self.spec.layers[start : start + 3]
        for length in (3, 2) if self.native else ():
            together = layers[:length]
            modules = [self.get_submodule(layer.name) for layer in together]
            if (
                tuple(layer.kind for layer in together) in _TOGETHER
                and all(map(_is_unchanged, together, modules))
                and not any(layer.name in names for layer in together[:-1])
                and not (together[0].kind == "conv" and _is_pool(layers[-1]))
                and _fit_together(x_NCHW, modules)
            ):
                return together
        return layers[:1]

    @torch.no_grad()
    def initialize(self, how: Initialization, seed: int | None = None) -> None:
        """Draw the weights anew; biases 0, batch norms the identity.

        "paper": N(0, variance 1e-2), from which only net A is known to train. "glorot": Glorot and
        Bengio's uniform, which the authors found to make pre-training needless. "he": He et al.'s
        normal over the fan-out for convolutions, N(0, variance 1e-4) for FC layers.
        """
        if how not in INITIALIZATIONS:
            raise ValueError(f"initialization {how!r} must be one of {', '.join(INITIALIZATIONS)}")
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        for module in self.children():
            if isinstance(module, BatchNorm):
                module.weight.fill_(1)
                module.running_var.fill_(1)  # type: ignore[union-attr]
                module.running_mean.zero_()  # type: ignore[union-attr]
                module.bias.zero_()
            elif isinstance(module, nn.Conv2d | nn.Linear):
                fan_out, fan_in = module.weight.shape[:2]
                area = math.prod(module.weight.shape[2:])
                if how == "glorot":
                    bound = math.sqrt(6 / ((fan_in + fan_out) * area))
                    module.weight.uniform_(-bound, bound, generator=generator)
                else:
                    he = math.sqrt(2 / (fan_out * area)) if isinstance(module, nn.Conv2d) else 0.01
                    deviation = 0.1 if how == "paper" else he
                    module.weight.normal_(0, deviation, generator=generator)
                assert module.bias is not None
                module.bias.zero_()


_TOGETHER = (
    ("batchnorm", "relu", "maxpool"),
    ("batchnorm", "relu"),
    ("relu", "maxpool"),
    ("conv", "relu"),
)


def _is_pool(layer: Layer) -> bool:
    """Whether a layer is the pool that goes with the ReLU before it."""
    return layer.kind == "maxpool" and (layer.kernel, layer.stride) == (2, 2)


def _is_unchanged(layer: Layer, module: nn.Module) -> bool:
    """Whether a module is the one that this network made, and nobody has hooks on it."""
    if type(module) not in (Convolution, BatchNorm, nn.ReLU, nn.MaxPool2d):
        return False
    if layer.kind == "maxpool" and not _is_pool(layer):
        return False
    return not (
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
    )


def _fit_together(x_NCHW: Tensor, modules: list[nn.Module]) -> bool:
    first, pool = modules[0], isinstance(modules[-1], nn.MaxPool2d)
    if isinstance(first, Convolution):
        return native_gradients.fits(x_NCHW, first.weight, first.bias)
    norm = first if isinstance(first, BatchNorm) else None
    return native_activations.fits(x_NCHW, norm, pool)


def _run_together(x_NCHW: Tensor, modules: list[nn.Module]) -> Tensor:
    first, pool = modules[0], isinstance(modules[-1], nn.MaxPool2d)
    if isinstance(first, Convolution):
        return native_gradients.convolve(x_NCHW, first.weight, first.bias, relu=True)
    norm = first if isinstance(first, BatchNorm) else None
    return native_activations.activate(x_NCHW, norm, pool)


def _module(layer: Layer, dropout: float, native: bool) -> nn.Module:
    """The torch module of one layer."""
    channels_in, channels_out = layer.input[0], layer.output[0]
    if layer.kind == "conv":
        shape = (layer.kernel, layer.stride, layer.padding)
        kind = Convolution if native and shape == (3, 1, 1) else nn.Conv2d
        return kind(channels_in, channels_out, *shape)
    if layer.kind == "batchnorm":
        return BatchNorm(channels_out, eps=BATCH_NORM_EPSILON)
    if layer.kind == "relu":
        return nn.ReLU()  # not in place: features before it stay what they were
    if layer.kind == "maxpool":
        return nn.MaxPool2d(layer.kernel, layer.stride)
    if layer.kind == "lrn":
        return LocalResponseNorm()
    if layer.kind == "avgpool":
        return GlobalAverage()
    if layer.kind == "fc":
        return nn.Linear(math.prod(layer.input), channels_out)
    if layer.kind == "dropout":
        return nn.Dropout(dropout)
    return nn.Softmax(dim=1)


class Convolution(nn.Conv2d):
    """3x3, stride 1, padding 1, by the native engine where it takes the tensors, else by torch."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        if native_gradients.fits(x_NCHW, self.weight, self.bias):
            return native_gradients.convolve(x_NCHW, self.weight, self.bias)
        return super().forward(x_NCHW)


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation without torch's batch counter, which nothing here needs.

    So the state holds the canonical arrays alone, as any other framework's file has them.
    """

    def __init__(self, num_features: int, eps: float) -> None:
        super().__init__(num_features, eps)
        self.num_batches_tracked = None

    def _load_from_state_dict(self, *arguments: Any, **options: Any) -> None:
        nn.Module._load_from_state_dict(self, *arguments, **options)  # the parent adds the counter


class LocalResponseNorm(nn.Module):
    """x / (k + alpha * sum of squares over n channels)^beta, k 2, n 5, alpha 1e-4, beta 0.75.

    Krizhevsky's formula does not divide alpha by n; torch's does, hence the factor.
    """

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return functional.local_response_norm(x_NCHW, size=5, alpha=5 * 1e-4, beta=0.75, k=2.0)


class GlobalAverage(nn.Module):
    """The mean of each channel over the whole map: (N, C, H, W) to (N, C, 1, 1)."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        return x_NCHW.mean(dim=(2, 3), keepdim=True)
