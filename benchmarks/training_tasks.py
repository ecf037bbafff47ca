"""What benchmarks/training.py times: a network, a batch, and what is computed of it.

In: a task's name and who computes. Out: a step to run again and again, which gives what it found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from vggnet.configurations import configuration
from vggnet.spec import Spec
from vggnet.torch_network import Convolutions, Network

PEERS: dict[str, tuple[Convolutions, bool]] = {  # who computes convolutions, whether in bf16
    "vggnet fp32": ("native", False),
    "torch fp32": ("torch", False),
    "torch bf16": ("torch", True),
}


@dataclass(frozen=True)
class Task:
    """`layer` is the last that is computed where the gradient of one picture is asked for."""

    spec: Spec
    batch: int
    title: str
    layer: str | None = None


def _half(width: float, side: int) -> Spec:
    return configuration("D-BN").scaled(width, side, 200, head="average")


_VGG19 = configuration("E").scaled(1, 256, head="average")  # which takes pictures of any size

TASKS = {
    "half": Task(_half(1 / 2, 64), 128, "half-width D with batch norm, 64 pixels"),
    "quarter": Task(_half(1 / 4, 32), 128, "quarter-width D with batch norm, 32 pixels"),
    "embedded": Task(
        _half(11 / 16, 80), 60, "the embedded model's widths with batch norm, 80 pixels"
    ),
    "paper": Task(configuration("D"), 8, "the paper's D, 224 pixels"),
    "perceptual": Task(
        _VGG19, 1, "perceptual loss: VGG19 to relu4_4, one picture of 256", "relu4_4"
    ),
}

Found = dict[str, Tensor]  # the logits or activations, and gradients by name


def make_step(task: Task, peer: str, batch: int) -> Callable[[], Found]:
    """A training step on tensors in memory, or a perceptual loss and its gradient.

    Each call computes the next step and gives what it found before the optimizer moved.
    """
    convolutions, rounded = PEERS[peer]
    torch.manual_seed(0)
    network = Network(task.spec, seed=0, dropout=0, convolutions=convolutions)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    side = 256 if task.layer else task.spec.input_size
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    if task.layer:
        return _perceptual(network.requires_grad_(False), images, task.layer, rounded)
    labels = torch.randint(0, task.spec.num_classes or 1, (batch,))
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
    )

    def step() -> Found:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            logits = network(images)
            loss = functional.cross_entropy(logits.float(), labels)
        loss.backward()
        found = {"logits": logits.detach()}
        found |= {
            name: parameter.grad
            for name, parameter in network.named_parameters()
            if parameter.grad is not None
        }
        optimizer.step()
        return found

    return step


def _perceptual(network: Network, images: Tensor, layer: str, rounded: bool) -> Callable[[], Found]:
    images.requires_grad_()
    wanted = torch.zeros(())

    def step() -> Found:
        images.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=rounded):
            activations = network.features(images, [layer])[layer]
            loss = (activations.float() - wanted).square().mean()
        loss.backward()
        assert images.grad is not None
        return {"logits": activations.detach(), "picture": images.grad}

    return step
