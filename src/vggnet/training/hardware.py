"""What computes a run. Its bits depend on it, so a checkpoint holds it.

In: the device and the number of threads that were asked for, and those of the checkpoint. Out: a
Hardware, to which torch is set.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Hardware:
    """A device of torch ("cpu", "cuda", "cuda:1") and the threads that compute on the CPU."""

    device: str
    threads: int

    @property
    def kind(self) -> str:
        """ "cpu" or "cuda"."""
        return torch.device(self.device).type


def choose(device: str, threads: int | None, saved: Hardware | None = None) -> Hardware:
    """What was asked for, or where nothing was ("auto", None) what the run was begun on.

    A new run takes CUDA where it is there. Raises ValueError for a device that is not here, and for
    one or a number of threads with which a run that was begun would go on to other bits.
    """
    if device == "auto":
        device = saved.device if saved else "cuda" if torch.cuda.is_available() else "cpu"
    if threads is None:
        threads = saved.threads if saved else torch.get_num_threads()
    chosen = Hardware(_checked(device), threads)
    if saved and (saved.kind, saved.threads) != (chosen.kind, chosen.threads):
        raise ValueError(
            f"the run was begun on {saved.kind} with {saved.threads} threads and would give other "
            f"bits on {chosen.kind} with {chosen.threads}: leave --device and --threads out"
        )
    return chosen


def set_torch(hardware: Hardware) -> None:
    """Let torch compute with it, and on CUDA in the same way each time, products in true fp32."""
    if torch.get_num_threads() != hardware.threads:
        torch.set_num_threads(hardware.threads)
    if hardware.kind == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


def _checked(device: str) -> str:
    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda"):
        raise ValueError(f"device {device!r} must be auto, cpu or cuda")
    if kind == "cuda" and (torch.device(device).index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {device!r}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
            "devices here"
        )
    return device
