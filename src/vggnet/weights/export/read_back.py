"""What a reader takes for something else, who has nothing but a file that was written.

In: the net that was written, and what its file is taken for. Out: remarks in words, and the options
of `vggnet.load` and the command line with which the file gives the answers that it is meant to.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from vggnet.class_lists import LISTS, labels
from vggnet.preprocess import Preprocess
from vggnet.weights.overrides import Three, scale_of
from vggnet.weights.recognition.recognise import Recognition
from vggnet.weights.weights import Weights

_LABELS = "--labels FILE (vggnet labels IN --format json > FILE)"


def lost(written: Weights, read: Recognition) -> Iterator[str]:
    """What the file does not say, but for the mean; at last how to read it nevertheless."""
    for what, before, after in (
        ("input size", written.spec.input_size, read.spec.input_size),
        ("the net", " ".join(written.spec.tokens), " ".join(read.spec.tokens)),
        *(
            (name.replace("_", " "), getattr(written.preprocessing, name), value)
            for name, value in read.preprocessing.to_json().items()
            if name not in ("mean", "std")
        ),
    ):
        if before != after:
            yield f"{what} {before} is not kept: it is read as {after}"
    if written.labels != read.labels:
        names = "ImageNet's names" if read.labels else "no names"
        yield f"the labels are not kept: its classes are read with {names}"
    if written.spec.tokens == read.spec.tokens and (found := options(written, read)):
        yield f"read it with {found}"


def options(written: Weights, read: Recognition) -> str:
    """Options of the command line, "" where none is needed."""
    return " ".join([*_of_pictures(written.preprocessing, read.preprocessing),
                     *_of_labels(written, read)])  # fmt: skip


def _of_pictures(wanted: Preprocess, found: Preprocess) -> Iterator[str]:
    if wanted.crop and (wanted.crop, wanted.resize) != (found.crop, found.resize):
        yield f"--input-size {wanted.crop} --resize {wanted.resize or wanted.crop}"
    if wanted.colour_order != found.colour_order:
        yield f"--colour {wanted.colour_order}"
    if not _alike(wanted.mean, found.mean) or wanted.scale != found.scale:
        wanted = _in_the_range_of_its_mean(wanted)
        yield f"--mean {_listed(wanted.mean)}"
        if wanted.scale != found.scale:  # then the mean turns it, and makes the deviation 1
            found = replace(found, std=(1.0, 1.0, 1.0))
    if not _alike(wanted.std, found.std):
        yield f"--std {_listed(wanted.std)}"


def _in_the_range_of_its_mean(wanted: Preprocess) -> Preprocess:
    """The same inputs, with the scale that its mean stands for where it is given as an option."""
    if wanted.scale == scale_of(wanted.mean):
        return wanted
    scale = scale_of(_times(wanted.mean, 1 / wanted.scale))  # of a mean of pixels from 0 to 255
    factor = scale / wanted.scale
    mean, std = _times(wanted.mean, factor), _times(wanted.std, factor)
    return replace(wanted, scale=scale, mean=mean, std=std)


def _times(values: Three, factor: float) -> Three:
    red, green, blue = values
    return red * factor, green * factor, blue * factor


def _of_labels(written: Weights, read: Recognition) -> Iterator[str]:
    if written.labels and written.labels != read.labels:
        named = [name for name in LISTS if labels(name) == written.labels]
        yield f"--labels {named[0]}" if named else _LABELS


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return np.allclose(one, other, rtol=1e-6, atol=1e-9)


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:.9g}" for value in values)
