"""`vggnet benchmark --train`: pictures a second of a training step, by the native engine and torch.

In: a Spec, a batch size. Out: a line for each that computes convolutions and each precision.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from vggnet.cli.output import Format, note, print_json
from vggnet.cli.tables import standard_output

if TYPE_CHECKING:
    from torch import Tensor

    from vggnet.spec import Spec
    from vggnet.torch_network import Convolutions, Network

_SLOW = 1.0  # seconds from which a step is taken three times only


def show_training(
    spec: Spec, weights: str, batch: int, threads: int | None, repeats: int, format: Format
) -> None:
    """Time steps on random pictures in turns: forward, loss, gradients, optimizer. Show medians.

    All take turns at the same weights. Raises ValueError where torch or the classes are missing.
    """
    from vggnet import engines, native_kernels

    if absence := engines.available()["torch"]:
        raise ValueError(f"--train: {absence}")
    if spec.num_classes is None:
        raise ValueError(f"--train: {weights} has no classes to learn")
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    absence = native_kernels.absence()
    if absence:
        note(f"the native engine is left out: {absence}")
    seconds = _in_turns(_steps(spec, batch, native=not absence), repeats)
    medians = {peer: statistics.median(each) for peer, each in seconds.items()}
    rows = [
        {
            "convolutions": convolutions,
            "precision": precision,
            "images_per_second": batch / median,
            "ratio_to_torch_fp32": medians["torch", "fp32"] / median,
        }
        for (convolutions, precision), median in medians.items()
    ]
    if format == "json":
        made_for = {"batch": batch, "threads": torch.get_num_threads(), "repeats": repeats}
        name = None if absence else native_kernels.find_kernels().name
        print_json({"weights": weights, **made_for, "instruction_set": name, "training": rows})
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("convolutions")
    table.add_column("precision")
    table.add_column("images/s", justify="right")
    table.add_column("of torch, fp32", justify="right")
    for row in rows:
        table.add_row(
            str(row["convolutions"]),
            str(row["precision"]),
            f"{row['images_per_second']:.1f}",
            f"{row['ratio_to_torch_fp32']:.2f}",
        )
    standard_output().print(table)


Peer = tuple[str, str]  # who computes convolutions, and in what


def _steps(spec: Spec, batch: int, native: bool) -> dict[Peer, Callable[[], None]]:
    import torch
    from torch.nn import functional

    from vggnet.torch_network import Network
    from vggnet.training.hardware import multiplies_bf16

    torch_s = Network(spec, seed=0, convolutions="torch")
    torch_s.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, spec.input_size, spec.input_size, generator=generator)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch) % (spec.num_classes or 1)
    optimizer = torch.optim.SGD(
        torch_s.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-4, nesterov=True, fused=True
    )

    def step(network: Network, precision: str) -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits: Tensor = network(images)
        functional.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    peers: dict[Peer, Network] = {}
    if native:
        peers["native", "fp32"] = _twin(torch_s, "native")
    peers["torch", "fp32"] = torch_s
    if multiplies_bf16("cpu"):
        peers["torch", "bf16"] = torch_s
    return {peer: lambda p=peer: step(peers[p], p[1]) for peer in peers}  # type: ignore[misc]


def _twin(network: Network, convolutions: Convolutions) -> Network:
    """A network of the same parameters and buffers."""
    from vggnet.torch_network import Network

    twin = Network(network.spec, initialization=None, convolutions=convolutions)
    shared: dict[str, Any] = dict(network.named_parameters()) | dict(network.named_buffers())
    twin.load_state_dict(shared, assign=True)
    return twin


def _in_turns(steps: dict[Peer, Callable[[], None]], repeats: int) -> dict[Peer, list[float]]:
    """Seconds of every step. Each is taken once before; a slow one three times only."""
    first = {peer: _seconds(step) for peer, step in steps.items()}
    seconds: dict[Peer, list[float]] = {peer: [] for peer in steps}
    for repeat in range(repeats):
        for peer, step in steps.items():
            if repeat < 3 or first[peer] < _SLOW:
                seconds[peer].append(_seconds(step))
    return seconds


def _seconds(step: Callable[[], None]) -> float:
    start = time.perf_counter()
    step()
    return time.perf_counter() - start
