"""What the figures of a benchmark hold for: processor, cores, instruction set, versions, day.

In: this machine. Out: plain values, for a file of results.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from importlib import metadata

import vggnet
from vggnet.engines.threads import default_threads

PACKAGES = ("torch", "onnx", "onnxruntime", "openvino", "MNN", "ncnn", "pnnx", "numpy")

# Who knows the processor's name: Linux on x86, Linux on Arm, macOS.
_COMMANDS = (["cat", "/proc/cpuinfo"], ["lscpu"], ["sysctl", "machdep.cpu.brand_string"])
_NAME = re.compile(
    r"^[ \t]*(?:model name|machdep\.cpu\.brand_string)[ \t]*:[ \t]*(\w.*?)[ \t]*$", re.I | re.M
)


def machine() -> dict[str, object]:
    """`cores` are those that this process may use; VGGNET_ISA is respected, as the engine does."""
    from vggnet._native import instruction_sets

    return {
        "machine": processor_name(),
        "cores": default_threads(),
        "instruction_set": os.environ.get("VGGNET_ISA") or instruction_sets()[0],
        # What runs, which need not be what is installed.
        "versions": {"vggnet": vggnet.__version__, **versions(PACKAGES)},
        "date": time.strftime("%Y-%m-%d"),
    }


def versions(packages: tuple[str, ...]) -> dict[str, str | None]:
    """Those of the installed packages; None for the others."""
    found: dict[str, str | None] = dict.fromkeys(packages)
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor_name() -> str:
    """As the system tells it; where it does not, the architecture."""
    for command in _COMMANDS:
        try:
            said = subprocess.run(
                command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
            ).stdout
        except OSError:  # no such command
            continue
        if found := _NAME.search(said):
            return found[1]
    return platform.processor() or platform.machine() or "unknown"
