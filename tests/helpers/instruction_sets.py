"""The native engine in each form that this machine can run: instruction set and precision."""

import os
from unittest import mock

from vggnet import _native
from vggnet.engines.native import NativeEngine
from vggnet.spec import Spec
from vggnet.weights.weights import State

SETS = tuple(_native.instruction_sets())
FORMS = (
    *((name, "fp32") for name in SETS),
    *((name, "bf16") for name in SETS if _native.kernels(name).has_bf16),
)
# What a layer of a small net may be off by, as `relative_error` says it. Operands in bf16 have 8
# bits, and F(6x6) makes five times their error of it; small nets average little of that out.
BOUNDS = {"fp32": 1e-5, "bf16": 0.1}


def native(
    spec: Spec, state: State, name: str = SETS[0], precision: str = "fp32", threads: int = 1
) -> NativeEngine:
    """The engine as VGGNET_ISA=`name` makes it."""
    with mock.patch.dict(os.environ, VGGNET_ISA=name):
        return NativeEngine(spec, state, precision, threads)
