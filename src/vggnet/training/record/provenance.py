"""Where a trained model comes from: command, code, machine, versions.

In: this process and what it computes on. Out: plain values, one record for each way in which a run
was carried on, for its checkpoint and the metadata of its weight file.
"""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import vggnet
from vggnet.commit import commit_of
from vggnet.machine import processor_name, usable_cores
from vggnet.training.hardware import Hardware


def provenance(hardware: Hardware) -> dict[str, Any]:
    """The command line, the commit of the code where it is a checkout, and what it runs on."""
    return {
        "command": shlex.join(["vggnet", *sys.argv[1:]]),
        "commit": commit_of(Path(__file__)),
        "vggnet": vggnet.__version__,
        "torch": str(torch.__version__),  # of a class of its own, which reading would refuse
        "python": platform.python_version(),
        "machine": _processor(hardware),
        "device": hardware.device,
        "threads": hardware.threads,
        "precision": hardware.precision,
        "convolutions": hardware.convolutions,
        "processes": hardware.processes,
    }


def carried_on(
    sessions: Sequence[dict[str, Any]], record: dict[str, Any], step: int
) -> list[dict[str, Any]]:
    """`sessions` and one more from `step` on, where it is not as the last one was."""
    if sessions and sessions[-1] == {"from_step": sessions[-1]["from_step"], **record}:
        return list(sessions)
    return [*sessions, {"from_step": step, **record}]


def _processor(hardware: Hardware) -> str:
    if hardware.kind == "cuda":
        return torch.cuda.get_device_name(hardware.device)
    return f"{processor_name()}, {usable_cores()} cores"
