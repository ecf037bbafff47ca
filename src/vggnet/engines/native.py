"""The engine made for stacks of 3x3 convolutions: plans of plan.py, run by the code in native/.

In: a Spec, its canonical state, images_NCHW. Out: logits_NK or named activations.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

import vggnet._native as _native
from vggnet.engines.checks import check_head, check_images
from vggnet.engines.plan import MANY, Plan, Step, bytes_per_weight, make_plan
from vggnet.engines.reference import softmax
from vggnet.layers import BATCH_NORM_EPSILON, Layer
from vggnet.machine import usable_cores
from vggnet.native_kernels import find_kernels
from vggnet.spec import Spec
from vggnet.weights.containers.storage.mapped import release
from vggnet.weights.weights import State

_CHANNEL_BLOCK = 16  # the native code fills the channels of a pixel up to a multiple of this
_MOST_PLANS = 64  # picture sizes and choices of layers whose plans are kept


# A lock that a thread of the parent holds while a process forks would stay held in the child.
_engines: WeakSet[NativeEngine] = WeakSet()


def _renew_locks() -> None:
    for engine in list(_engines):
        engine._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


class NativeEngine:
    """Plans made once a picture size, over weights that are transformed once.

    May be called from several threads at once; each then computes with `threads` threads of its
    own. Where the system refuses some of them it warns, once, and goes on with those that it has.
    The FC weights are used where they lie, in the arrays of `state`. What was made stays for the
    next call: the buffers of each concurrent caller, as large as the largest pictures and batch
    took, and a layer's weights for each tile that was chosen for it (up to three in VGG).

    What one pixel can spoil: an input t times as large as the root mean square of a map leaves
    rounding errors in the other outputs of its Winograd tiles, never in other tiles. In units of
    the outputs' root mean square they are at most, with F(4x4), F(5x5) and F(6x6),
    t x 8e-6, 4e-5 and 1e-4 in fp32 (512 channels; less as the root of fewer) and
    t x 0.03, 0.2 and 0.4 in bf16; with F(2x2) and by the definition there are none. In the
    embedded model t is 7 to 24 on photographs. Where it may be 100, bf16 gives noise in such tiles:
    take fp32, or the torch engine if 1% of an ordinary output is too much.
    """

    name = "native"

    def __init__(self, spec: Spec, state: State, precision: str, threads: int | None) -> None:
        """Raises ValueError for an instruction set in VGGNET_ISA that this machine lacks."""
        self.kernels = find_kernels()
        if precision == "bf16" and not self.kernels.has_bf16:
            warnings.warn(
                f"this machine has no products in bf16 ({self.kernels.name}); fp32 is used instead",
                stacklevel=2,
            )
            precision = "fp32"
        self.spec, self.precision = spec, precision
        self.threads = threads or usable_cores()
        self._state = state
        self._workspaces = _native.Workspaces(self.threads)
        self._weights: dict[tuple[str, str], _native.Weights] = {}
        self._plans: dict[tuple[int, int, frozenset[str], bool], tuple[Plan, _native.Plan]] = {}
        self._lock = threading.Lock()
        _engines.add(self)

    def __reduce__(self) -> tuple[object, ...]:
        """A copy, in another process too, is made anew: kernels, plans and locks are this one's."""
        return NativeEngine, (self.spec, self._state, self.precision, self.threads)

    def __call__(self, images_NCHW: NDArray[np.floating]) -> NDArray[np.float32]:
        """logits_NK; see `Engine`."""
        check_head(self.spec)
        layer = self.spec.logits_layer
        return self.features(images_NCHW, (layer,))[layer]

    def features(
        self, images_NCHW: NDArray[np.floating], names: Iterable[str]
    ) -> dict[str, NDArray[np.float32]]:
        """Named activations; see `Engine`."""
        wanted = self.spec.check_names(names)
        images = check_images(self.spec, images_NCHW)
        probabilities = next((name for name in wanted if self._is_softmax(name)), None)
        planned = {name for name in wanted if name != probabilities}
        if probabilities:
            planned.add(self.spec.logits_layer)
        height, width = images.shape[2:]
        plan, runnable = self._plan(height, width, frozenset(planned), len(images))
        steps = [step for step in plan.steps if step.wanted]
        flat = self._fully_connected()
        shapes = [step.output[:1] if step.layers[0] in flat else step.output for step in steps]
        arrays = [np.empty((len(images), *shape), np.float32) for shape in shapes]
        runnable.run(images, arrays, self._workspaces)
        found: dict[str, NDArray[np.float32]] = {}
        for step, array in zip(steps, arrays, strict=True):
            for num, name in enumerate(planned.intersection(step.layers)):
                found[name] = array.copy() if num else array  # one step may be relu6 and drop6
        if probabilities:
            found[probabilities] = softmax(found[self.spec.logits_layer])
        return {name: found[name] for name in wanted}

    def plan(self, height: int, width: int, names: Iterable[str] = (), pictures: int = 1) -> Plan:
        """The plan for pictures of one size; by default the one that gives the logits."""
        return self._plan(height, width, frozenset(names) or {self.spec.logits_layer}, pictures)[0]

    def time_steps(
        self, images_NCHW: NDArray[np.floating], repeats: int
    ) -> list[tuple[Step, float]]:
        """The least seconds of each step over `repeats` runs, on the way to the logits."""
        images = check_images(self.spec, images_NCHW)
        height, width = images.shape[2:]
        plan, runnable = self._plan(height, width, {self.spec.logits_layer}, len(images))
        seconds = runnable.time_steps(images, repeats, self._workspaces)
        # The first is the import of the pictures, the last the output of the logits.
        return list(zip(plan.steps, seconds[1:-1], strict=True))

    def peak(self) -> float:
        """Products a second at this precision with all numbers in the nearest cache."""
        return self.kernels.peak(self.precision == "bf16", self._workspaces)

    def _is_softmax(self, name: str) -> bool:
        return self._layer(name).kind == "softmax"

    def _layer(self, name: str) -> Layer:
        return next(layer for layer in self.spec.layers if layer.name == name)

    def _fully_connected(self) -> frozenset[str]:
        """The layers from the first FC layer on, whose activations have no rows and columns."""
        kinds = [layer.kind for layer in self.spec.layers]
        first = kinds.index("fc") if "fc" in kinds else len(kinds)
        return frozenset(layer.name for layer in self.spec.layers[first:])

    def _plan(
        self, height: int, width: int, names: frozenset[str] | set[str], pictures: int
    ) -> tuple[Plan, _native.Plan]:
        key = (height, width, frozenset(names), pictures >= MANY)
        with self._lock:
            if key not in self._plans:
                if len(self._plans) >= _MOST_PLANS:
                    self._plans.clear()
                plan = make_plan(self.spec, height, width, names, self.precision, pictures)
                self._plans[key] = (plan, self._build(plan))
            return self._plans[key]

    def _build(self, plan: Plan) -> _native.Plan:
        """The plan as the native code holds it, with the weights in the order that it reads."""
        first = plan.steps[0]
        # Only convolutions by the definition read pictures of three channels as they are.
        picture = 3 if first.operation == "direct" else _CHANNEL_BLOCK
        built = _native.Plan(self.kernels, plan.height, plan.width, picture)
        for step in plan.steps:
            if step.operation == "direct":
                channels = -(-step.input[0] // _CHANNEL_BLOCK) * _CHANNEL_BLOCK
                weights = self._packed(step, picture if step is first else channels)
                built.direct(weights, step.stride, step.padding, step.relu, step.half)
            elif step.operation == "winograd":
                built.winograd(self._packed(step), step.relu, step.pool, step.half)
            elif step.operation == "linear":
                built.linear(self._packed(step), step.kernel, step.relu)
            elif step.operation == "max-pool":
                built.max_pool(step.kernel, step.stride)
            elif step.operation == "average":
                built.average()
            elif step.operation == "normalise":
                built.normalise()
            elif step.operation == "batch-norm":
                built.affine(self._packed(step), step.relu)
            else:
                built.rectify()
            if step.wanted:
                built.output()
        return built

    def _packed(self, step: Step, pixel: int = 0) -> _native.Weights:
        """A step's weights, transformed once for all plans."""
        name = step.layers[0]
        key = (name, step.algorithm)
        if key not in self._weights:
            bf16 = bytes_per_weight(step, self.precision) == 2
            self._weights[key] = self._pack(name, step, pixel, bf16)
            if self._weights[key].bytes:  # there is a copy in another order or precision now
                release(self._state[f"{name}.weight"])
        return self._weights[key]

    def _pack(self, name: str, step: Step, pixel: int, bf16: bool) -> _native.Weights:
        weight, bias = (self._array(name, part) for part in ("weight", "bias"))
        if step.operation == "batch-norm":
            mean, variance = (self._array(name, part) for part in ("running_mean", "running_var"))
            scale = weight / np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
            return _native.affine(scale, bias - mean * scale)
        if step.operation == "winograd":
            return self.kernels.winograd(weight, bias, step.tile, bf16, self._workspaces)
        if step.operation == "direct":
            return self.kernels.direct(weight, bias, pixel, bf16, self._workspaces)
        return self.kernels.linear(weight.reshape(len(weight), -1), bias, bf16, self._workspaces)

    def _array(self, name: str, part: str) -> NDArray[np.float32]:
        array = np.asarray(self._state[f"{name}.{part}"], np.float32)
        return np.require(array, requirements=["C", "A"])
