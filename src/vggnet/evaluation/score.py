"""Top-1 and top-5 accuracy on one centre crop of each picture.

In: a function images_NCHW -> logits_NK, so that any engine, a torch module or a user's own model
can be tested; a Dataset; a Preprocess. Out: a Score. Source: Section 4 of the paper (top-1 and
top-5 error). All other ways of testing are in scoring.py, under a Protocol.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.class_lists import Label
from vggnet.data import Dataset, picture
from vggnet.data.ahead import prepare_ahead
from vggnet.image import PictureError
from vggnet.machine import usable_cores
from vggnet.preprocess import Preprocess

CENTRE_CROP = "centre crop"  # the name of this way of testing, which others rely on
Function = Callable[[NDArray[Any]], NDArray[np.float32]]


@dataclass(frozen=True)
class Score:
    """Accuracies as fractions of 1 over `images` pictures; `broken` names those left out."""

    top1: float
    top5: float
    images: int
    protocol: str
    images_per_second: float
    broken: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f" * Acc@1 {100 * self.top1:.3f} Acc@5 {100 * self.top5:.3f}"


def evaluate(
    function: Function,
    dataset: Dataset,
    preprocessing: Preprocess,
    *,
    indices: Sequence[int] | NDArray[np.int64] | None = None,
    class_index: NDArray[np.int64] | None = None,
    batch_size: int = 64,
    num_threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    prepare: Callable[[int], NDArray[Any]] | None = None,
) -> Score:
    """Accuracy on the centre crops that `preprocessing` makes.

    `indices` are the pictures to test, by default all; `class_index[label]` is the model's index of
    a class of the data set where the two differ (see `class_indices`); `num_threads` decode, by
    default one a core and four at most; `progress` is called with the number of pictures done;
    `prepare(index)` gives what `function` takes of a picture where that is not what
    `preprocessing` makes of it. Broken pictures are left out and named in the score. Raises
    ValueError for no pictures, for indices that are none, for sizes that differ within a batch, and
    for logits of another shape.
    """
    number = len(dataset.labels)
    chosen = np.arange(number) if indices is None else checked_indices(indices, number)
    if not len(chosen):
        raise ValueError(f"{dataset.name}: there are no pictures to test among these indices")
    if batch_size < 1:
        raise ValueError(f"batch size {batch_size} must be at least 1")
    targets = dataset.labels if class_index is None else class_index[dataset.labels]
    num_classes = int(targets.max()) + 1
    broken: list[str] = []
    hits1 = hits5 = images = 0
    start = time.perf_counter()

    def preprocessed(index: int) -> NDArray[np.float32]:
        return preprocessing(picture(dataset, index), dataset.where(index))

    threads = num_threads or min(4, usable_cores())
    with prepare_ahead(
        prepare or preprocessed, map(int, chosen), num_ahead=batch_size, num_threads=threads
    ) as prepared:
        while batch := list(islice(prepared, batch_size)):
            broken += [str(each) for _, each in batch if isinstance(each, PictureError)]
            good = [(i, each) for i, each in batch if not isinstance(each, PictureError)]
            if good:
                indices_N, rows_CHW = zip(*good, strict=True)
                logits_NK = function(_stack(rows_CHW))
                _check_logits(logits_NK, len(good), num_classes)
                ranks = rank_of_target(logits_NK, targets[list(indices_N)])
                hits1 += int((ranks < 1).sum())
                hits5 += int((ranks < 5).sum())
                images += len(good)
            if progress:
                progress(images + len(broken))
    if not images:
        raise ValueError(f"{dataset.name}: no picture could be read; the first fault: {broken[0]}")
    seconds = time.perf_counter() - start
    return Score(
        hits1 / images, hits5 / images, images, CENTRE_CROP, images / seconds, tuple(broken)
    )


def checked_indices(indices: Sequence[int] | NDArray[np.int64], number: int) -> NDArray[np.int64]:
    """`indices` as an array. Raises ValueError where they are not those of `number` pictures.

    A mask would pass for the indices 0 and 1.
    """
    found = np.asarray(indices)
    if len(found) and found.dtype.kind not in "iu":
        raise ValueError(f"indices are {found.dtype}: give whole numbers, of a mask np.flatnonzero")
    if len(found) and not 0 <= found.min() <= found.max() < number:
        raise ValueError(
            f"indices go from {found.min()} to {found.max()}; of {number} pictures there are those "
            f"from 0 to {number - 1}"
        )
    return found.astype(np.int64)


def drawn_indices(number: int, limit: int | None) -> NDArray[np.int64]:
    """The first `limit` pictures of a shuffle of `number`, in the order of the data; None for all.

    The shuffle is always the same one, so that a smaller limit takes some of a larger one's.
    """
    if limit is None or limit >= number:
        return np.arange(number)
    return np.sort(np.random.default_rng(0).permutation(number)[:limit])


def rank_of_target(
    logits_NK: NDArray[np.float32], targets_N: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many classes score above the right one; of equal scores the lower index comes first."""
    rows = np.arange(len(targets_N))
    target_N1 = logits_NK[rows, targets_N][:, None]
    before_NK = np.arange(logits_NK.shape[1])[None, :] < targets_N[:, None]
    above_NK = (logits_NK > target_N1) | ((logits_NK == target_N1) & before_NK)
    # A NaN compares false with everything, which must not pass for a hit.
    broken_N = ~np.isfinite(logits_NK).all(axis=1)
    ranks_N: NDArray[np.int64] = np.where(broken_N, logits_NK.shape[1], above_NK.sum(axis=1))
    return ranks_N


def class_indices(
    model: Sequence[Label], data: Sequence[Label], labels: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """The model's index of each class of the data; -1 for one that none of `labels` names.

    Found by wnid, else by all of its words or the first of them where that names one class alone
    ("crane" is a bird and a machine). Raises ValueError, which names them, for classes that the
    model does not have; those without a picture may be missing where `labels`, the classes of the
    pictures, are given.
    """
    present = range(len(data)) if labels is None else set(labels.tolist())
    by_wnid = {label.wnid: label.index for label in model if label.wnid}
    counts = Counter(text for label in model for text in {label.words, label.first_words})
    by_text = {
        text: label.index
        for label in model
        for text in (label.words, label.first_words)
        if counts[text] == 1
    }
    found: list[int] = []
    missing: list[str] = []
    for label in data:
        index = by_wnid.get(label.wnid, by_text.get(label.words))
        if index is None and label.index in present:
            missing.append(label.wnid or label.words)
        found.append(-1 if index is None else index)
    if missing and not model:
        raise ValueError("the weight file does not name its classes, so that none can be looked up")
    if missing:
        raise ValueError(
            f"the model lacks {len(missing)} of the {len(data)} classes of the data, such as "
            f"{', '.join(missing[:3])}; a class is found by its WordNet id or its name, such as "
            f"{model[0].wnid or model[-1].name} or {model[0].name!r}"
        )
    return np.array(found, dtype=np.int64)


def _stack(images_CHW: Sequence[NDArray[Any]]) -> NDArray[Any]:
    sizes = sorted({image.shape[1:] for image in images_CHW})
    if len(sizes) > 1:
        listed = " and ".join(f"{width} x {height}" for height, width in sizes[:2])
        raise ValueError(f"pictures of {listed} do not go into one batch; set a crop")
    return np.stack(images_CHW)


def _check_logits(logits_NK: NDArray[np.float32], num_pictures: int, num_classes: int) -> None:
    if logits_NK.ndim != 2 or len(logits_NK) != num_pictures or logits_NK.shape[1] < num_classes:
        raise ValueError(
            f"logits have the shape {logits_NK.shape}; {num_pictures} pictures of {num_classes} "
            f"classes need ({num_pictures}, {num_classes}) or more columns"
        )
