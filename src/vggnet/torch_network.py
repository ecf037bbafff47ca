"""A Spec as a torch.nn.Module: what is trained.

In: a Spec, or pretrained weights. Out: a module whose children bear the canonical names, so that
its `state_dict()` is the canonical state. Source: Section 2.1 (layers) and 3.1 (initialisation,
dropout) of the paper.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from vggnet import native_kernels
from vggnet.class_lists import Label, labels_from_names
from vggnet.configurations import configuration
from vggnet.layers import BATCH_NORM_EPSILON, Layer
from vggnet.preprocess import Preprocess
from vggnet.spec import Head, Spec
from vggnet.torch_native.fusion import MOST_TOGETHER, Convolution, count_together, run_together
from vggnet.weights.named import load_weights
from vggnet.weights.weights import Weights

Initialization = Literal["he", "glorot", "paper"]
INITIALIZATIONS: tuple[Initialization, ...] = get_args(Initialization)
Convolutions = Literal["auto", "native", "torch"]
CONVOLUTIONS: tuple[Convolutions, ...] = get_args(Convolutions)


def network(
    weights: str | Path | Weights = "tiny-imagenet",
    *,
    num_classes: int | None = None,
    head: Head | None = None,
    freeze: str | Iterable[str] = (),
    dropout: float = 0.5,
    seed: int | None = None,
    convolutions: Convolutions = "auto",
) -> Network:
    """A pretrained network as a torch module, to be trained on or taken features of.

    `weights` are what `vggnet.load_weights` takes, or Weights. With `num_classes` the last layer is
    replaced by one of that width, drawn anew by `seed`; `head` replaces all that follows the
    convolutions, by "average" (global average and one FC layer) or "fc" (the paper's three), which
    a file without a head needs. `freeze` names layers that are not trained, as `Network.freeze`
    does. The module owns its arrays (float32, on the CPU) and is in training mode, as torch's are:
    call `eval()` before it answers. Pictures are prepared by `preprocessing` of the weights. Who
    computes the `convolutions` is said at `Network`.

    Raises ValueError, in one line, for weights that are not there, a head that they cannot have,
    and names that no layer has.
    """
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    spec, drawn = weights.spec, set[str]()
    if head is not None or num_classes is not None:
        spec = spec.scaled(num_classes=num_classes, head=head)
        fc_layers = {layer.name for layer in spec.layers if layer.kind == "fc"}
        drawn = fc_layers if head is not None else {spec.logits_layer}
    module = Network(spec, initialization=None, dropout=dropout, convolutions=convolutions)
    generator = _generator(seed)
    for name in spec.layer_names:
        if name in drawn:
            _draw(module.get_submodule(name).to_empty(device="cpu"), "he", generator)
    kept = (name for name in spec.state_shapes if name.rpartition(".")[0] not in drawn)
    arrays = {name: torch.tensor(weights.state[name], dtype=torch.float32) for name in kept}
    module.load_state_dict(arrays, strict=False, assign=True)
    module.freeze(freeze)
    return module


class Network(nn.Module):
    """The network of a spec, or of a configuration by its name, such as "D" or "vgg16_bn".

    `forward` takes images_NCHW and gives logits_NK (for FC layers applied as convolutions the map
    logits_NKHW; without a head the deepest features). With `initialization=None` the arrays are
    created on the "meta" device, without memory: load a state with
    `load_state_dict(state, assign=True)` before use. The weights are drawn by `seed`, or where it
    is None by torch's own generator, which `torch.manual_seed` sets.

    With `convolutions` "auto" the native engine, where it was built, computes forward and backward
    what it takes: 3x3 convolutions of float32 tensors on the CPU, from pictures or at least 16
    channels to at least 16, and what follows them, except under autocast and where torch looks on:
    `torch.compile`, `torch.export`, `torch.onnx.export`, `torch.jit.trace`, `torch.func`, dispatch
    modes such as FlopCounterMode. The memory of its large maps stays with the process for the next
    step, as much as was in use at most; nothing frees it, though the system may where memory is
    short. "native" raises ValueError where it was not built; "torch" leaves all to torch.
    """

    def __init__(
        self,
        spec: Spec | str,
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
        native = convolutions != "torch" and absence is None
        self.convolutions: Literal["native", "torch"] = "native" if native else "torch"
        self.spec = configuration(spec) if isinstance(spec, str) else spec
        self.frozen: tuple[str, ...] = ()
        with torch.device("meta"):
            for layer in self.spec.layers:
                self.add_module(layer.name, _module(layer, dropout, native))
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
        self.spec.check_shape(images_NCHW.shape)
        found: dict[str, Tensor] = {}
        x, start = images_NCHW, 0
        while len(found) < len(set(names)):
            modules = self._next_modules(x, start, names)
            if self.spec.layers[start].kind == "fc":
                x = x.flatten(1)
            x = run_together(x, modules) if len(modules) > 1 else modules[0](x)
            start += len(modules)
            name = self.spec.layers[start - 1].name
            if name in names:
                found[name] = x
        return {name: found[name] for name in names}

    def _next_modules(self, x_NCHW: Tensor, start: int, names: tuple[str, ...]) -> list[nn.Module]:
        """That of the layer at `start`, and those after it that the native engine computes with it.

        Nothing that is asked for by name lies between them.
        """
        layers = self.spec.layers[start : start + MOST_TOGETHER]
        asked = [index for index, layer in enumerate(layers) if layer.name in names]
        layers = layers[: asked[0] + 1] if asked else layers
        modules = [self.get_submodule(layer.name) for layer in layers]
        if self.convolutions == "torch":
            return modules[:1]
        return modules[: count_together(x_NCHW, modules, [layer.kind for layer in layers])]

    def initialize(self, how: Initialization, seed: int | None = None) -> None:
        """Draw the weights anew; biases 0, batch norms the identity.

        "paper": N(0, variance 1e-2) as printed; at full width not even net A trains from it
        (docs/training.md). "glorot": Glorot and Bengio's uniform, which the authors found to make
        pre-training needless. "he": He et al.'s normal over the fan-out for convolutions,
        N(0, variance 1e-4) for FC layers.
        """
        if how not in INITIALIZATIONS:
            raise ValueError(f"initialization {how!r} must be one of {', '.join(INITIALIZATIONS)}")
        generator = _generator(seed)
        for module in self.children():
            _draw(module, how, generator)

    def freeze(self, names: str | Iterable[str]) -> None:
        """Stop the training of these layers, and train every other one; `freeze(())` trains all.

        A name is that of a layer ("conv1_1", "fc6") or a stage ("conv1"), "features" for all that
        comes before the head, or a shell pattern ("conv[12]_*", "*" for all). A convolution's batch
        norm goes with it. Frozen layers stay in evaluation mode, so that a batch norm keeps its
        statistics. Raises ValueError for a name that no layer with weights has.
        """
        self.frozen = _layers_named(self.spec, (names,) if isinstance(names, str) else names)
        for name, module in self.named_children():
            module.requires_grad_(name not in self.frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> Network:
        """Set training or evaluation mode; frozen layers are in evaluation mode in either."""
        super().train(mode)
        for name in self.frozen:
            self.get_submodule(name).eval()
        return self

    def to_weights(
        self, preprocessing: Preprocess, labels: Iterable[str] | Iterable[Label] = ()
    ) -> Weights:
        """What `vggnet.save` and `vggnet.load` take; the arrays are copies.

        `preprocessing` is how the pictures were prepared that it was trained on, `labels` name the
        classes in their order: words, WordNet ids, or Labels such as those of other weights. Raises
        ValueError where there are not as many as classes, and for labels that are neither.
        """
        state = {
            name: each.float().cpu().numpy().copy() for name, each in self.state_dict().items()
        }
        named = list(labels)
        known = [each for each in named if isinstance(each, Label)]
        names = [each for each in named if isinstance(each, str)]
        if named and len(named) not in (len(known), len(names)):
            raise ValueError(
                f"labels {short_repr(named)} must be texts, or Labels, one a class in their order"
            )
        return Weights(self.spec, state, preprocessing, tuple(known) or labels_from_names(names))


def _layers_named(spec: Spec, names: Iterable[str]) -> tuple[str, ...]:
    """The layers with weights that `freeze` is asked for, in their order."""
    candidates = tuple(layer.name for layer in spec.layers if layer.parameter_shapes)
    chosen: set[str] = set()
    unknown: list[str] = []
    for name in names:
        patterns = ("conv*", "bn*") if name == "features" else (name, f"{name}_*")
        found = {each for each in candidates if any(fnmatchcase(each, p) for p in patterns)}
        if not found:
            unknown.append(name)
        chosen |= found
    if unknown:
        raise ValueError(
            f"spec {spec.name!r}: no layer with weights is called "
            f"{', '.join(map(repr, unknown))}: there are {', '.join(candidates)}; a stage such as "
            "'conv1', 'features' and patterns such as 'conv[12]_*' stand for several"
        )
    return tuple(
        each for each in candidates if each in chosen or each.replace("bn", "conv") in chosen
    )


def _generator(seed: int | None) -> torch.Generator | None:
    return None if seed is None else torch.Generator().manual_seed(seed)


@torch.no_grad()
def _draw(module: nn.Module, how: Initialization, generator: torch.Generator | None) -> None:
    """Draw the weights of one layer, if it has any; see `Network.initialize`."""
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


def _module(layer: Layer, dropout: float, native: bool) -> nn.Module:
    """The torch module of one layer."""
    channels_in, channels_out = layer.input[0], layer.output[0]
    if layer.kind == "conv":
        shape = (layer.kernel, layer.stride, layer.padding)
        if native and shape == (3, 1, 1):
            return Convolution(channels_in, channels_out)
        return nn.Conv2d(channels_in, channels_out, *shape)
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
