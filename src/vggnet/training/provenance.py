"""Where a trained model comes from: command, code, machine, versions.

In: this process and what it computes on. Out: plain values, one record for each way in which a run
was carried on, for its checkpoint and the metadata of its weight file.
"""

from __future__ import annotations

import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import vggnet
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
    }


def carried_on(
    sessions: Sequence[dict[str, Any]], record: dict[str, Any], step: int
) -> list[dict[str, Any]]:
    """`sessions` and one more from `step` on, where it is not as the last one was."""
    if sessions and sessions[-1] == {"from_step": sessions[-1]["from_step"], **record}:
        return list(sessions)
    return [*sessions, {"from_step": step, **record}]


def commit_of(file: Path) -> str | None:
    """The commit of the checkout that tracks `file`, "+" where its package was changed since.

    None where no checkout does, although one may lie around it.
    """
    package = file.parent.parent
    try:
        _git(package, "ls-files", "--error-unmatch", str(file))
        commit = _git(package, "rev-parse", "HEAD")
        return commit + ("+" if _git(package, "status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _processor(hardware: Hardware) -> str:
    if hardware.kind == "cuda":
        return torch.cuda.get_device_name(hardware.device)
    return f"{processor_name()}, {usable_cores()} cores"
