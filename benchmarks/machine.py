"""What the figures of a benchmark hold for: processor, cores, instruction set, versions, day.

In: this machine. Out: plain values, for a file of results.
"""

from __future__ import annotations

import time
from importlib import metadata

import vggnet
from vggnet.machine import instruction_set, processor_name, usable_cores

PACKAGES = ("torch", "onnx", "onnxruntime", "openvino", "MNN", "ncnn", "pnnx", "numpy")


def machine() -> dict[str, object]:
    """`cores` are those that this process may use; VGGNET_ISA is respected, as the engine does."""
    return {
        "machine": processor_name(),
        "cores": usable_cores(),
        "instruction_set": instruction_set(),
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
