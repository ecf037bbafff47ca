"""Each 3x3 convolution of a task by itself: forward, gradient of inputs, gradient of kernels.

In: a task of training_tasks.py. Out: milliseconds a layer and operation, vggnet's and torch's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from training_tasks import Task

from vggnet.torch_native.convolutions import convolve, fits

OPERATIONS = ("forward", "input", "kernel")


def layer_times(task: Task, batch: int, threads: int, repeats: int) -> list[dict[str, Any]]:
    """The least of `repeats`, taken in turns; kernels' gradients with that of the bias.

    Layers that stay with torch have its times alone.
    """
    torch.set_num_threads(threads)
    side = 256 if task.layer else task.spec.input_size
    found = []
    for layer in task.spec.layers_at(side, side):
        if layer.kind == "conv":
            found.append({"layer": layer.name} | _times(layer, batch, repeats))
        if layer.name == task.layer:
            break
    return found


def _times(layer: Any, batch: int, repeats: int) -> dict[str, float]:
    def random(*shape: int) -> Tensor:
        return torch.randn(shape).contiguous(memory_format=torch.channels_last)

    x, gradient = random(batch, *layer.input), random(batch, *layer.output)
    weight, bias = random(*layer.parameter_shapes["weight"]), torch.randn(layer.output[0])

    def torch_backward(*wanted: bool) -> Callable[[], object]:
        return lambda: torch.ops.aten.convolution_backward(
            gradient, x, weight, [len(bias)], [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted
        )

    def native_backward(*wanted: bool) -> Callable[[], object]:
        tensors = [
            each.detach().requires_grad_(w)
            for each, w in zip((x, weight, bias), wanted, strict=True)
        ]
        y = convolve(*tensors)
        asked = [each for each in tensors if each.requires_grad]
        return lambda: torch.autograd.grad(y, asked, gradient, retain_graph=True)

    runs: dict[str, Callable[[], object]] = {
        "torch forward": lambda: torch.conv2d(x, weight, bias, padding=1),
        "torch input": torch_backward(True, False, False),
        "torch kernel": torch_backward(False, True, True),
    }
    if fits(x, weight, bias):
        runs |= {
            "vggnet forward": lambda: convolve(x, weight, bias),
            "vggnet input": native_backward(True, False, False),
            "vggnet kernel": native_backward(False, True, True),
        }
    least = dict.fromkeys(runs, float("inf"))
    for _ in range(1 + repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            least[name] = min(least[name], 1e3 * (time.perf_counter() - start))
    return {name: least[name] for name in sorted(least, reverse=True)}
