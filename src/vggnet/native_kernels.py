"""Whether the native engine is there, and which of its instruction sets to use.

In: what was built, what this machine has, VGGNET_ISA. Out: the kernels compiled for one of them.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from vggnet.machine import instruction_set

if TYPE_CHECKING:
    from vggnet import _native


def absence() -> str | None:
    """Why there is no native engine; None where there is one."""
    if importlib.util.find_spec("vggnet._native"):
        return None
    try:  # what the build wrote down
        reason = (resources.files("vggnet.engines") / "native_absence.txt").read_text().strip()
    except OSError:
        reason = ""
    return reason or "it was not built; install vggnet with pip, which builds it"


def find_kernels() -> _native.Kernels:
    """Those that VGGNET_ISA names, or else the best that this machine has.

    Raises ValueError for a name that this machine lacks.
    """
    return _kernels(instruction_set())


@cache
def _kernels(name: str) -> _native.Kernels:
    from vggnet import _native

    try:
        return _native.kernels(name)
    except ValueError as error:
        raise ValueError(f"VGGNET_ISA: {error}") from None
