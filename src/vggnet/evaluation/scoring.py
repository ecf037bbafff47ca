"""Class scores of labelled pictures under a protocol, as they come, in bounded memory.

In: nets, each with its Protocol; a Dataset. Out: for each picture, in order, the posteriors of the
classes: the mean of the views' soft-max outputs, and of the nets'. Source: Section 3.2 of the paper
for the means, Section 4.4 for the fusion of nets.

A picture is decoded once, and rescaled once a scale. Views of equal size, of several pictures, go
through a net together. What is computed together depends on the pictures alone from any chunk on,
so that a job which was cut off between two chunks goes on with the same bits.
Shapes: N images, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.data.ahead import prepare_ahead
from vggnet.engines.reference import softmax
from vggnet.evaluation.protocols import Protocol, ScoreAverage, scale_step
from vggnet.evaluation.score import checked_indices, class_indices
from vggnet.evaluation.strips import BoundedMaps
from vggnet.evaluation.views import Pixels, Scale, rescaled, views
from vggnet.image import PictureError, picture_name
from vggnet.machine import usable_cores
from vggnet.model import Model
from vggnet.preprocess import Preprocess

MOST_PIXEL_BYTES = 64 << 20  # of the rescaled pictures of a chunk, unless one takes more
_AHEAD = 16  # pictures that are decoded and rescaled before they are asked for

# images_NCHW -> maps_NKHW of class scores before the soft-max, or logits_NK
ScoreMaps = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Net:
    """A network and how it is tested.

    `crop` is the side of the crops of a grid, `centre` that of the one in the middle;
    `fitting(height, width)` how many images of a size may be given to it at a time; `classes` the
    places of its classes among those of the first net, where several are tested together.
    """

    score_maps: ScoreMaps
    preprocessing: Preprocess
    protocol: Protocol
    crop: int
    centre: int
    fitting: Callable[[int, int], int] = lambda height, width: 64
    classes: NDArray[np.int64] | None = None

    @property
    def scales(self) -> tuple[Scale, ...]:
        return tuple((size, self.preprocessing.interpolation) for size in self.protocol.scales)


Scores = NDArray[np.float32] | PictureError  # posteriors_K of one picture, or why there are none
Scored = tuple[int, Scores]  # the picture's index in the data set


def net_of(model: Model, protocol: Protocol, first: Model | None = None) -> Net:
    """The model under a protocol; `first` is the model whose classes count, by default itself.

    Crops of a grid have the side that the spec is for, which is what a net was trained on; the one
    in the middle is that of the preprocessing. Raises ValueError for scales that are too small, a
    net without a head, a centre crop of a size that its FC layers do not take, and classes that
    are not those of `first`.
    """
    maps = BoundedMaps(model)
    crop, centre = model.spec.input_size, model.preprocessing.crop or model.spec.input_size
    if model.spec.num_classes is None:
        raise ValueError(f"{model.name or model.spec.name} has no class scores, only features")
    least = {
        "the smallest that its dense map begins at": maps.spec.minimum_size * protocol.is_dense,
        "the side of its crops": crop * protocol.is_multicrop,
        "the side of its centre crop": centre * (protocol.crops == "centre"),
    }
    for what, size in least.items():
        if min(protocol.scales) < size:
            larger = (size + number * scale_step(crop) for number in range(len(protocol.scales)))
            raise ValueError(
                f"{model.name or model.spec.name}: scale {min(protocol.scales)} is less than "
                f"{size}, {what}; give larger --scales, such as {','.join(map(str, larger))}"
            )
    if protocol.crops == "centre":
        model.spec.layers_at(centre, centre)  # a map of several positions is no centre crop
    classes = None
    if first is not None and first is not model:
        if first.spec.num_classes != model.spec.num_classes:
            raise ValueError(
                f"nets of {first.spec.num_classes} and {model.spec.num_classes} classes cannot be "
                "averaged"
            )
        if first.labels and model.labels:
            classes = class_indices(model.labels, first.labels)
    return Net(maps, model.preprocessing, protocol, crop, centre, maps.fitting, classes)


def picture_scores(
    nets: Sequence[Net],
    dataset: Dataset,
    indices: Sequence[int] | NDArray[np.int64],
    *,
    batch_size: int = 64,
    num_threads: int | None = None,
) -> Iterator[list[Scored]]:
    """The scores of the pictures `indices`, in chunks; a broken picture's PictureError instead.

    `batch_size` is how many images go through a net at a time, at most; `num_threads` decode, by
    default one a core and four at most. In memory are a chunk of pictures (MOST_PIXEL_BYTES, or
    one), a few decoded ahead, and one batch's activations (strips.py).

    Raises ValueError for indices that are none.
    """
    chosen = checked_indices(indices, len(dataset.labels))
    scales = tuple(dict.fromkeys(scale for net in nets for scale in net.scales))
    most = max(1, 4 * batch_size // max(net.protocol.num_views for net in nets))

    def prepare(index: int) -> dict[Scale, Pixels]:
        name = picture_name(dataset.where(index))
        return rescaled(picture(dataset, index), scales, name)

    threads = num_threads or min(4, usable_cores())
    with prepare_ahead(
        prepare, map(int, chosen), num_ahead=_AHEAD, num_threads=threads
    ) as prepared:
        chunk: list[tuple[int, dict[Scale, Pixels] | PictureError]] = []
        held = 0
        for index, found in prepared:
            chunk.append((index, found))
            if not isinstance(found, PictureError):
                held += sum(pixels.nbytes for pixels in found.values())
            if len(chunk) >= most or held >= MOST_PIXEL_BYTES:
                yield _scored(nets, chunk, batch_size)
                chunk, held = [], 0
        if chunk:
            yield _scored(nets, chunk, batch_size)


def _scored(
    nets: Sequence[Net],
    chunk: Sequence[tuple[int, dict[Scale, Pixels] | PictureError]],
    batch_size: int,
) -> list[Scored]:
    """The mean of the nets' posteriors for each picture of a chunk."""
    good = [found for _, found in chunk if not isinstance(found, PictureError)]
    rows = iter(
        np.mean([posteriors(net, good, batch_size) for net in nets], axis=0) if good else ()
    )
    return [
        (index, found if isinstance(found, PictureError) else next(rows).astype(np.float32))
        for index, found in chunk
    ]


def posteriors(
    net: Net, pictures: Sequence[dict[Scale, Pixels]], batch_size: int
) -> NDArray[np.float64]:
    """posteriors_NK of pictures that are there at each of the net's scales."""
    groups: dict[tuple[bool, tuple[int, ...]], list[tuple[int, float, Pixels]]] = defaultdict(list)
    for row, by_scale in enumerate(pictures):
        for scale in net.scales:
            for dense, weight, view_HWC in views(
                net.protocol, by_scale[scale], net.crop, net.centre
            ):
                groups[dense, view_HWC.shape].append((row, weight, view_HWC))
    total_NK: NDArray[np.float64] | None = None
    for (dense, shape), members in groups.items():
        size = min(batch_size, net.fitting(*shape[:2]))
        for start in range(0, len(members), size):
            rows, weights, images = zip(*members[start : start + size], strict=True)
            maps = net.score_maps(net.preprocessing.pixels_to_input(np.stack(images)))
            found_NK = averaged(maps, net.protocol.score_average if dense else "logits")
            if total_NK is None:
                total_NK = np.zeros((len(pictures), found_NK.shape[1]))
            np.add.at(total_NK, list(rows), np.array(weights)[:, None] * found_NK)
    assert total_NK is not None
    return total_NK if net.classes is None else total_NK[:, net.classes]


def averaged(maps: NDArray[np.float32], score_average: ScoreAverage) -> NDArray[np.float64]:
    """maps_NKHW, or logits_NK -> posteriors_NK: the mean over space, of logits or of posteriors.

    Raises ValueError for scores that are not finite.
    """
    scores = maps.astype(np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("the class scores hold NaN or infinity: the weights or the precision fail")
    if scores.ndim == 4 and score_average == "softmax":
        means_NK: NDArray[np.float64] = softmax(scores).mean(axis=(2, 3))
        return means_NK
    logits_NK = scores.mean(axis=(2, 3)) if scores.ndim == 4 else scores
    return softmax(logits_NK).astype(np.float64, copy=False)
