"""What computes a run. Its bits depend on it, so a checkpoint holds it.

In: the device, the number of threads, the precision and who computes convolutions, as asked for,
and those of the checkpoint. Out: a Hardware, to which torch is set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from vggnet import native_kernels
from vggnet.machine import usable_cores
from vggnet.torch_network import Convolutions
from vggnet.training.distributed import ALONE, Process

Precision = Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Hardware:
    """A device of torch ("cpu", "cuda", "cuda:1"), the threads that compute on the CPU, the type
    that products are computed in, and whether the native engine or torch computes convolutions.

    Of several `processes` each has as many threads, and its own device of the same kind.
    """

    device: str
    threads: int
    precision: Precision
    convolutions: Literal["native", "torch"] = "torch"
    processes: int = 1

    @property
    def kind(self) -> str:
        """ "cpu" or "cuda"."""
        return torch.device(self.device).type


def choose(
    device: str,
    threads: int | None,
    precision: Literal["auto"] | Precision,
    saved: Hardware | None = None,
    convolutions: Convolutions = "auto",
    process: Process = ALONE,
) -> Hardware:
    """What was asked for, or where nothing was ("auto", None) what the run was begun on.

    A new run takes CUDA where it is there; on the CPU the native engine, which in fp32 is faster
    than torch in bf16; and elsewhere bf16 where that is faster than fp32. Several processes share
    the cores of their machine, and each takes the CUDA device of its local rank. Raises ValueError
    for what is not here or does not go together, and for a device, a number of threads or
    convolutions with which a run that was begun would go on to other bits; of another number of
    processes these are other bits in any case, and threads may change.
    """
    as_begun = saved is not None and saved.processes == process.world_size
    if device == "auto":
        device = saved.device if saved else "cuda" if torch.cuda.is_available() else "cpu"
        device = device.partition(":")[0] if process.several else device
    if threads is None:
        threads = saved.threads if saved and as_begun else _share_of_threads(process)
    _check(device)
    if process.several and device != "cpu":
        device = _own_device(device, process)
    if saved:
        computed = saved.precision
    elif precision == "auto":
        engine = convolutions != "torch" and _why_not_native(Hardware(device, 1, "fp32")) is None
        computed = "bf16" if multiplies_bf16(device) and not engine else "fp32"
    else:
        computed = precision
    chosen = Hardware(device, threads, computed, processes=process.world_size)
    if convolutions == "auto" and saved:
        convolutions = saved.convolutions
    if convolutions == "native" or (convolutions == "auto" and _why_not_native(chosen) is None):
        chosen = replace(chosen, convolutions="native")
    absence = native_kernels.absence()
    if saved and saved.convolutions == "native" and absence:
        raise ValueError(
            f"the run was begun with the native engine, which is not here ({absence}): build it, "
            "or go on where it is"
        )
    begun = saved if not saved or as_begun else replace(saved, threads=threads)
    if begun and _bits(begun) != _bits(chosen):
        raise ValueError(
            f"the run was begun on {_bits(begun)} and would give other bits on {_bits(chosen)} "
            "so leave --device, --threads and --convolutions out"
        )
    why_not = _why_not_native(chosen)
    if chosen.convolutions == "native" and why_not:
        raise ValueError(f"convolutions 'native': {why_not}; take 'torch'")
    return chosen


def _share_of_threads(process: Process) -> int:
    """Those that torch takes; of several processes each has its share of the machine's cores.

    torchrun tells torch to take one, whatever the machine has.
    """
    if not process.several:
        return torch.get_num_threads()
    return max(1, usable_cores() // process.local_world_size)


def _own_device(device: str, process: Process) -> str:
    """The CUDA device of the process. Raises ValueError where there is none left for it."""
    if device != "cuda":
        raise ValueError(f"device {device!r}: each of several processes takes one of its own: cuda")
    if process.local_world_size > torch.cuda.device_count():
        raise ValueError(
            f"{process.local_world_size} processes on a machine with {torch.cuda.device_count()} "
            "CUDA devices: start as many as there are, or give --device cpu"
        )
    return f"cuda:{process.local_rank}"


def _bits(hardware: Hardware) -> str:
    """What changes the bits of a run besides its precision, in words."""
    return f"{hardware.kind} with {hardware.threads} threads, convolutions by {_engine(hardware)},"


def _engine(hardware: Hardware) -> str:
    return "the native engine" if hardware.convolutions == "native" else "torch"


def _why_not_native(hardware: Hardware) -> str | None:
    """Why the native engine cannot compute the convolutions; None where it can."""
    if hardware.kind != "cpu" or hardware.precision != "fp32":
        return f"it computes in fp32 on the cpu, not in {hardware.precision} on {hardware.kind}"
    return native_kernels.absence()


def multiplies_bf16(device: str, root: Path = Path("/")) -> bool:
    """Whether products in bf16 are faster than those in fp32 there.

    On CUDA from compute capability 8.0 on; of CPUs those with AVX-512 BF16 (which every one with
    AMX BF16 has too), as Linux lists it below `root`. Others convert each number to fp32 and back,
    which takes several times as long as fp32 itself.
    """
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    try:
        text = (root / "proc/cpuinfo").read_text()
    except OSError:
        return False
    return "avx512_bf16" in text.split()


def remark(hardware: Hardware) -> str:
    """Precision and convolutions, and what is to be known of them, in one line."""
    text = f"convolutions by {_engine(hardware)}; computes in {hardware.precision}"
    if hardware.processes > 1:
        text = f"{hardware.processes} processes with {hardware.threads} threads each; {text}"
    if multiplies_bf16(hardware.device):
        return text
    what = "processor" if hardware.kind == "cpu" else "device"
    if hardware.precision == "fp32":
        return f"{text}: this {what} does not multiply in bf16"
    return f"{text}, which takes several times as long as fp32: this {what} does not multiply in it"


def set_torch(hardware: Hardware) -> None:
    """Let torch compute with it, and on CUDA in the same way each time, products in true fp32."""
    if torch.get_num_threads() != hardware.threads:
        torch.set_num_threads(hardware.threads)
    if hardware.kind == "cuda":
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False


def _check(device: str) -> None:
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
