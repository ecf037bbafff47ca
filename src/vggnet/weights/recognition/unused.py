"""The arrays of a file that its net does not take, and whether they may be passed over.

In: what a file holds, and the names of the arrays that a net was read from. Out: the names of the
others. A file may well hold more than a net: what an optimizer keeps, a copy with averaged weights,
a further head. What may lie between the net's layers may not be passed over: a net with batch norm
under names that are not known computes something else without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from os.path import commonprefix

from vggnet.weights.containers import Contents
from vggnet.weights.recognition.naming import Unfit

_NORM = re.compile(r"norm|(?<![a-z])bn|gamma|beta|moving|running", re.IGNORECASE)
_TRAINING = re.compile(
    r"(?<![a-z])(?:optim|adam|momentum|rmsprop|exp_avg|exponential|(?:ema|swa)(?![a-z]))",
    re.IGNORECASE,
)
_HEAD = re.compile(r"aux|classifier|dense|fc|head|logits|output|predictions|softmax", re.IGNORECASE)


def unused_arrays(contents: Contents, used: Collection[str]) -> list[str]:
    """The names of arrays of numbers that are not among `used`; counters are no such."""
    return [
        name
        for name, array in contents.arrays.items()
        if name not in used and array.dtype.kind == "f" and len(array.shape) > 0
    ]


def is_of_training(name: str) -> bool:
    """Whether an array is an optimizer's, or a copy with averaged weights."""
    return bool(_TRAINING.search(name))


def left_out(contents: Contents, used: Collection[str]) -> list[str]:
    """The unused arrays that are weights of other layers; copies and training's are none."""
    copies = _copies(used)
    return [
        name
        for name in unused_arrays(contents, used)
        if len(contents.arrays[name].shape) > 1
        and not is_of_training(name)
        and not name.endswith(copies)
    ]


def check_unused(contents: Contents, used: Collection[str], known: Collection[str] = ()) -> None:
    """Raises Unfit that names the first unused array which may belong to the net.

    `known` are those that were left out with a word about them.
    """
    unused = unused_arrays(contents, used)
    prefix = _common_folder(used)
    copies = _copies(used)
    matrices = {_layer(name) for name in unused if len(contents.arrays[name].shape) > 1}
    for name in unused:
        if name in known or name.endswith(copies) or is_of_training(name):
            continue
        rest = name.removeprefix(_common_folder([name, prefix]))
        is_norm, is_head = bool(_NORM.search(rest)), bool(_HEAD.match(rest))
        if name.startswith(prefix):
            may_belong = is_norm or not (is_head and _layer(name) in matrices)
        else:
            may_belong = is_norm and not is_head
        if may_belong:
            raise Unfit(f"no layer takes {name}, without which the net may be another")


def _copies(used: Collection[str]) -> tuple[str, ...]:
    """How names of the same net elsewhere in the file end."""
    prefix = _common_folder(used)
    folder = re.search(r"[^./]*[./]$", prefix)
    # A number alone, as in "features.0.weight" of nets without a head, is anybody's.
    tails = (name.removeprefix(prefix) for name in used)
    named = (f"{folder[0]}{tail}" if folder and tail[:1].isdecimal() else tail for tail in tails)
    return tuple(f"{mark}{tail}" for tail in named for mark in "./")


def _common_folder(names: Collection[str]) -> str:
    """What all names begin with, up to a "." or "/"."""
    common = commonprefix(list(names))  # noqa: RUF071
    return common[: 1 + max(common.rfind("."), common.rfind("/"))]


def _layer(name: str) -> str:
    """What an array's name has in common with those of the same layer."""
    return re.split(r"[./_][^./_]*$", name)[0]
