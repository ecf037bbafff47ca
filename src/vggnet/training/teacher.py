"""Trained networks whose answers are learnt beside the labels.

In: the names of weights, the classes of the data, batches of views. Out: soft targets_NK, and the
loss against them. Source: Hinton et al. 2015 (arXiv 1503.02531): soft-max at a temperature, and the
factor T^2 that keeps the gradient's size. The teacher sees the very view that the network learns
from, mixed where that is, as it prepares pictures itself.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from vggnet.class_lists import Label
from vggnet.evaluation import class_indices
from vggnet.spec import Spec
from vggnet.torch_network import Convolutions, network
from vggnet.training.batches.transfer import Transfer
from vggnet.training.hardware import Hardware
from vggnet.training.recipe import Recipe
from vggnet.weights.named import load_weights
from vggnet.weights.weights import Weights

View = Callable[[Transfer], Tensor]  # images_NCHW of the same pictures, prepared so


class Teacher:
    """One network, or several whose soft-max outputs are averaged.

    `digest` tells it from others; `specs` are those of its networks.

    Raises ValueError, which names the weights, where they are not there, do not know all of the
    classes, or cannot take one of the sizes. `convolutions` are computed as `Network` says.
    """

    def __init__(
        self,
        recipe: Recipe,
        classes: Sequence[Label],
        device: str = "cpu",
        convolutions: Convolutions = "torch",
    ) -> None:
        self.temperature = recipe.temperature
        self._members: list[tuple[Transfer, torch.nn.Module, Tensor]] = []
        self.specs: list[Spec] = []
        digest = hashlib.sha256()
        for name in recipe.teachers:
            weights = load_weights(name)
            _digest(weights, digest.update)
            try:
                index = _index(weights, classes)
                for size in sorted(set(recipe.epoch_sizes)):
                    weights.spec.layers_at(size, size)
            except ValueError as error:
                raise ValueError(f"teacher {name}: {error}") from None
            self.specs.append(weights.spec)
            module = network(weights, convolutions=convolutions).eval().requires_grad_(False)
            self._members.append(
                (
                    Transfer(weights.preprocessing, torch.device(device)),
                    module.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
                    index.to(device),
                )
            )
        self.digest = digest.hexdigest()

    @torch.no_grad()
    def soft_targets(self, view: View) -> Tensor:
        """The probabilities targets_NK at the temperature; runs under the caller's autocast."""
        answers_NK = [
            (module(view(transfer)).float()[:, index] / self.temperature).softmax(dim=1)
            for transfer, module, index in self._members
        ]
        return torch.stack(answers_NK).mean(dim=0)

    def loss(self, logits_NK: Tensor, targets_NK: Tensor) -> Tensor:
        """T^2 times the divergence of the network's answers from these, summed over pictures."""
        answers_NK = (logits_NK / self.temperature).log_softmax(dim=1)
        return self.temperature**2 * functional.kl_div(answers_NK, targets_NK, reduction="sum")


def teacher_of(recipe: Recipe, classes: Sequence[Label], hardware: Hardware) -> Teacher | None:
    """The recipe's teacher on the run's hardware, if it has one. Raises what Teacher does."""
    if not recipe.teacher:
        return None
    return Teacher(recipe, classes, hardware.device, hardware.convolutions)


def _index(weights: Weights, classes: Sequence[Label]) -> Tensor:
    """The teacher's index of each class of the data."""
    if weights.labels:
        return torch.from_numpy(class_indices(weights.labels, classes))
    if weights.spec.num_classes != len(classes):
        raise ValueError(
            f"it does not name its {weights.spec.num_classes or 0} classes, and the data have "
            f"{len(classes)}; give weights that were trained on these classes"
        )
    return torch.arange(len(classes))


def _digest(weights: Weights, update: Callable[[bytes], None]) -> None:
    """All that its answers depend on."""
    known = [weights.spec.to_json(), weights.preprocessing.to_json()]
    update(json.dumps(known, sort_keys=True).encode())
    for name in sorted(weights.state):
        update(name.encode() + b"\0" + weights.state[name].tobytes())
