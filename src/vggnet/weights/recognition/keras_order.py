"""Where the pools and FC layers of a Keras model are whose layers Keras has named itself.

In: a Sketch of all convolutions in a row, their shapes, and the list of layers without arrays that
the `.h5` of Keras 1 and 2 has. Out: the Sketch in stages. Keras 3's `.weights.h5` has no such list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from vggnet.weights.recognition.layouts import Shape
from vggnet.weights.recognition.naming import Sketch, Unfit

_POOL = re.compile(r"max_?pooling2d(?:_\d+)?")
_AVERAGE = re.compile(r"global_?average_?pooling2d(?:_\d+)?")
_NO_VGG = re.compile(
    r"(?:average_?pooling2d|global_?max_?pooling2d|batch_?normalization|leaky_?re_?lu|p_?re_?lu|elu"
    r"|thresholded_?re_?lu|lambda|add|concatenate|rescaling|normalization)(?:_\d+)?"
)


def check_list(sketch: Sketch, metadata: Mapping[str, object]) -> str:
    """Why the FC layers cannot be read, where the list has a layer among them that no VGG has.

    Raises Unfit where that one lies between the convolutions or changes the range of the pixels.
    """
    names = _listed(metadata)
    last = max((names.index(each) for each in sketch.convolutions if each in names), default=-1)
    for place, name in enumerate(names):
        if _NO_VGG.fullmatch(name):
            fault = f"it lists {name}, a layer that no VGG has"
            if place < last or name.startswith("rescaling"):
                raise Unfit(fault)
            return fault
    return ""


def _listed(metadata: Mapping[str, object]) -> list[str]:
    listed = metadata.get("layer_names")
    return [str(name) for name in listed] if isinstance(listed, list) else []


def in_listed_order(
    sketch: Sketch, shapes: Mapping[str, Shape], metadata: Mapping[str, object]
) -> Sketch:
    """The layers in stages.

    Convolutions from the first one on that is neither 3 x 3 nor 1 x 1 are FC layers, which take the
    whole map. Raises Unfit where no pool follows the last of the others.
    """
    convolutions = sketch.convolutions
    odd = (i for i, name in enumerate(convolutions) if shapes[name][:2] not in ((3, 3), (1, 1)))
    end = next(odd, len(convolutions))
    matrices = convolutions[end:] + sketch.matrices
    names = _listed(metadata)
    if not any(map(_POOL.fullmatch, names)) or not set(convolutions) <= set(names):
        return replace(sketch, stages=(convolutions[:end],), matrices=matrices)
    stages: list[list[str]] = [[]]
    for name in names:
        if _POOL.fullmatch(name):
            stages.append([])
        elif name in convolutions[:end]:
            stages[-1].append(name)
    if stages[-1]:
        raise Unfit(f"no pool follows {stages[-1][-1]}")
    average = any(map(_AVERAGE.fullmatch, names))
    return Sketch(
        tuple(map(tuple, stages[:-1])), matrices=matrices, average=average, lrn=sketch.lrn
    )
