"""What a person says of weights whose file does not say it, or says it wrongly.

In: Weights, and classes, sizes, mean or deviation as they are known otherwise. Out: the same
Weights with these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vggnet.class_lists import Label, labels_from_names
from vggnet.label_files import read_labels
from vggnet.preprocess import Preprocess
from vggnet.weights.weights import Weights

Three = tuple[float, float, float]  # for R, G and B


def override(
    weights: Weights,
    *,
    labels: str | Path | Sequence[str] | None = None,
    input_size: int | None = None,
    resize: int | None = None,
    mean: Three | None = None,
    std: Three | None = None,
) -> Weights:
    """`weights` with what is given; None leaves what they say.

    `labels` is "imagenet-1k", "tiny-imagenet", a file (`vggnet.label_files`) or the names
    themselves; `input_size` the side in pixels of the square that the net gets, `resize` the short
    side that it is cut from; of a net that takes any size, `input_size` is its spec's too. `mean`
    and `std` are three numbers in the order R, G, B, of pixels
    from 0 to 1, or from 0 to 255 where one of the mean is above 1.

    Raises ValueError for another number of classes than the net has, for a size that it cannot
    take, and for numbers out of range.
    """
    preprocessing, spec = weights.preprocessing, weights.spec
    if input_size is not None:
        spec.layers_at(input_size, input_size)
        spec = replace(spec, input_size=input_size) if spec.any_size else spec
        # The margin around the crop stays in proportion, unless a resize says otherwise.
        before = preprocessing.crop or input_size
        short_side = round((preprocessing.resize or before) * input_size / before)
        preprocessing = replace(
            preprocessing, crop=input_size, resize=max(input_size, resize or short_side)
        )
    if resize is not None:
        preprocessing = replace(preprocessing, resize=resize)
    if mean is not None or std is not None:
        preprocessing = _with_colours(preprocessing, mean, std)
    found = weights.labels if labels is None else _labels(labels)
    num_classes = spec.num_classes
    if labels is not None and len(found) != (num_classes or 0):
        raise ValueError(f"{len(found)} labels for a net of {num_classes or 'no'} classes")
    return replace(weights, spec=spec, preprocessing=preprocessing, labels=found)


def _labels(given: str | Path | Sequence[str]) -> tuple[Label, ...]:
    return read_labels(given) if isinstance(given, str | Path) else labels_from_names(given)


def scale_of(mean: Three) -> float:
    """What a pixel of 0..255 is multiplied by where that mean is given."""
    return 1.0 if max(mean) > 1 else 1 / 255


def _with_colours(preprocessing: Preprocess, mean: Three | None, std: Three | None) -> Preprocess:
    """A mean says in which range pixels are counted; a deviation alone leaves what there is."""
    scale, deviation = preprocessing.scale, preprocessing.std
    if mean is not None:
        scale = scale_of(mean)
        if scale != preprocessing.scale:
            deviation = (1.0, 1.0, 1.0)
    return replace(
        preprocessing,
        scale=scale,
        mean=preprocessing.mean if mean is None else mean,
        std=deviation if std is None else std,
    )
