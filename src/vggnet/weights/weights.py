"""A trained network as one value: what it is, its arrays, and everything needed to use them.

The canonical names of arrays are those of the original release: {"conv1_1.weight": (64, 3, 3, 3),
"conv1_1.bias": (64,), ...}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import repr as short_repr

import numpy as np
from numpy.typing import NDArray

from vggnet.class_lists import Label
from vggnet.preprocess import Preprocess
from vggnet.printable import printable
from vggnet.spec import Spec

_MOST_LISTED = 200  # names in an error: more than any VGG has

State = Mapping[str, NDArray[np.floating]]  # by canonical name


@dataclass(frozen=True, eq=False)
class Weights:
    """A network ready to use: its arrays and everything needed to use them.

    `state` holds float32 arrays by canonical name. `labels` names the classes in order; it is empty
    for a net without a head. `training` is plain JSON: command, commit, data, metrics. `notes` are
    lines for whoever uses the net: what was left out of the file that it was read from.
    Raises ValueError where state or labels do not fit the spec.
    """

    spec: Spec
    state: State = field(repr=False)
    preprocessing: Preprocess
    labels: tuple[Label, ...] = field(default=(), repr=False)
    training: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        source = f"weights of {short_repr(self.spec.name)}"
        check_state(self.spec, self.state, source, finite=False)
        object.__setattr__(self, "labels", tuple(self.labels))
        num_classes = self.spec.num_classes or 0
        if self.labels and len(self.labels) != num_classes:
            raise ValueError(f"{source}: {len(self.labels)} labels for {num_classes} classes")
        misplaced = [i for i, label in enumerate(self.labels) if label.index != i]
        if misplaced:
            i = misplaced[0]
            raise ValueError(f"{source}: label {i} says that its index is {self.labels[i].index}")


def check_state(spec: Spec, state: State, source: str, finite: bool = True) -> None:
    """Raises one ValueError, beginning with `source`, that lists all that does not fit the spec.

    Missing names, extra names, arrays of another shape (both shapes are given), arrays that are not
    floating point and, unless `finite` is False, arrays that hold NaN or infinity.
    """
    expected = spec.state_shapes
    missing = [name for name in expected if name not in state]
    extra = [name for name in state if name not in expected]
    common = [name for name in expected if name in state]
    misshapen = [
        f"{name} {tuple(state[name].shape)} instead of {expected[name]}"
        for name in common
        if tuple(state[name].shape) != expected[name]
    ]
    not_floats = [f"{n} ({state[n].dtype})" for n in common if state[n].dtype.kind != "f"]
    faults = {"missing": missing, "extra": extra, "misshapen": misshapen, "not floats": not_floats}
    if finite and not not_floats:
        faults["not finite"] = [name for name in common if not is_finite(state[name])]
    listed = [f"{fault}: {_listed(names)}" for fault, names in faults.items() if names]
    if listed:
        name = short_repr(spec.name)
        raise ValueError(f"{source}: does not fit spec {name}; {'; '.join(listed)}")


def _listed(names: list[str]) -> str:
    more = len(names) - _MOST_LISTED
    shown = map(printable, names[:_MOST_LISTED])
    return ", ".join([*shown, f"and {more:,} more"] if more > 0 else shown)


def is_finite(array: np.ndarray) -> bool:
    """By the extremes, so that no array of the same size is made; NaN is its own extreme."""
    with np.errstate(invalid="ignore"):
        # The initial 0 stands for an array without elements, whose shape is another's fault.
        return bool(np.isfinite(array.min(initial=0)) and np.isfinite(array.max(initial=0)))
