"""What runs a network: engines that can stand in for each other.

In: a Spec, its canonical state, images_NCHW. Out: logits_NK, or named activations.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Protocol, get_args

from vggnet import native_kernels

if TYPE_CHECKING:  # `available` is quick, since it loads none of them
    import numpy as np
    from numpy.typing import NDArray

    from vggnet.spec import Spec
    from vggnet.weights.weights import State

MOST_THREADS = 1024
Precision = Literal["fp32", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class Engine(Protocol):
    """A spec and a state, ready to run.

    `name` is the engine's, "native", "torch" or "numpy"; `precision` the type that it really
    computes products in, which may be wider than what was asked for: "bf16", "fp32", and for NumPy
    with a state of float64 "fp64".
    """

    name: str
    spec: Spec

    @property
    def precision(self) -> str: ...

    def __call__(self, images_NCHW: NDArray[np.floating]) -> NDArray[np.float32]:
        """Class scores before the soft-max: logits_NK, or logits_NKHW of a fully convolutional net.

        Raises ValueError for images that the network cannot take, and for a net without a head.
        """
        ...

    def features(
        self, images_NCHW: NDArray[np.floating], names: Iterable[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Activations by layer name; a convolution's are those before its ReLU.

        Stops at the deepest layer asked for and never touches the weights above it.
        """
        ...


def available() -> dict[str, str | None]:
    """Every engine by name, in the order of preference, with why it is absent (None: it is not)."""
    return {"native": native_kernels.absence(), "torch": _why_no_torch(), "numpy": None}


def instruction_sets() -> tuple[str, ...]:
    """Those that the native engine has code for and this processor can run, the best one first."""
    if native_kernels.absence() is not None:
        return ()
    from vggnet._native import instruction_sets

    return tuple(instruction_sets())


def _why_no_torch() -> str | None:
    if importlib.util.find_spec("torch"):
        return None
    return "torch is not installed: pip install 'vggnet[train]'"


def create(
    name: str,
    spec: Spec,
    state: State,
    *,
    precision: str = "fp32",
    threads: int | None = None,
    device: str | None = None,
) -> Engine:
    """The engine `name`, or with "auto" the first that is available and does what is asked.

    `precision` is the type that products are computed in, "fp32" or "bf16"; `threads` the number of
    threads, by default the engine's own choice; `device` is for torch: "cpu" or "cuda". NumPy
    computes in fp32 with as many threads as its library takes, and native and NumPy on the cpu.
    Raises ValueError for what an engine does not have and for a state that does not fit the spec.
    """
    engines = available()
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r} must be one of {', '.join(PRECISIONS)}")
    if threads is not None and not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"threads {threads} must be from 1 to {MOST_THREADS}")
    if name == "auto":
        name = _first_choice(engines, device)
    if name not in engines:
        raise ValueError(f"engine {name!r} must be one of auto, {', '.join(engines)}")
    absence = engines[name]
    if absence is not None:
        raise ValueError(f"engine {name!r}: {absence}")
    from vggnet.weights.weights import check_state

    check_state(spec, state, f"engine {name!r}", finite=False)
    if name == "torch":
        from vggnet.engines.torch_engine import TorchEngine

        return TorchEngine(spec, state, precision, threads, device or "cpu")
    if device not in (None, "cpu"):
        raise ValueError(f"engine {name!r} computes on the cpu, not on {device}; take 'torch'")
    if name == "native":
        from vggnet.engines.native import NativeEngine

        return NativeEngine(spec, state, precision, threads)
    from vggnet.engines.reference import ReferenceEngine

    if precision != "fp32" or threads is not None:
        asked = f"in {precision}" if precision != "fp32" else f"with {threads} threads"
        raise ValueError(
            f"engine 'numpy' computes in fp32 with the threads of its library, not {asked}; take "
            "'native' or 'torch'"
        )
    return ReferenceEngine(spec, state)


def _first_choice(engines: dict[str, str | None], device: str | None) -> str:
    """Torch for a device that only torch has, else the first engine that is there."""
    if device not in (None, "cpu"):
        return "torch"
    return next(each for each, absence in engines.items() if absence is None)
