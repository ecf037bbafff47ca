"""Top-1 and top-5 accuracy under the paper's protocols.

In: a function images_NCHW -> logits_NK, so that any engine, a torch module or a user's own model
can be tested; a Dataset; a Preprocess. Out: a Score. Source: Section 4 of the paper (top-1 and
top-5 error); the one protocol so far is the centre crop of one scale.
Shapes: N pictures, K classes, C channels, H and W rows and columns.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.image import PictureError
from vggnet.labels import Label
from vggnet.preprocess import Preprocess

Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]


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
    preprocess: Preprocess,
    *,
    indices: Sequence[int] | NDArray[np.int64] | None = None,
    class_index: NDArray[np.int64] | None = None,
    batch_size: int = 64,
    num_threads: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Score:
    """Accuracy on the centre crops that `preprocess` makes.

    `indices` are the pictures to test, by default all; `class_index[label]` is the model's index of
    a class of the data set where the two differ (see `class_indices`); `progress` is called with
    the number of pictures done. Broken pictures are left out and named in the score.
    """
    chosen = np.arange(len(dataset.labels)) if indices is None else np.asarray(indices)
    targets = dataset.labels if class_index is None else class_index[dataset.labels]
    broken: list[str] = []
    hits1 = hits5 = images = 0
    start = time.perf_counter()
    for batch, rows_NCHW in _batches(dataset, preprocess, chosen, batch_size, num_threads, broken):
        ranks = rank_of_target(function(rows_NCHW), targets[batch])
        hits1 += int((ranks < 1).sum())
        hits5 += int((ranks < 5).sum())
        images += len(batch)
        if progress:
            progress(images)
    if not images:
        raise ValueError(f"{dataset.name}: no picture could be read; the first fault: {broken[:1]}")
    seconds = time.perf_counter() - start
    return Score(
        hits1 / images, hits5 / images, images, "centre crop", images / seconds, tuple(broken)
    )


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


def class_indices(model: Sequence[Label], data: Sequence[Label]) -> NDArray[np.int64]:
    """The model's index of each class of the data.

    Found by wnid, else by all of its words or the first of them where that names one class alone
    ("crane" is a bird and a machine). Raises ValueError, which names them, for classes that the
    model does not have.
    """
    by_wnid = {label.wnid: label.index for label in model if label.wnid}
    counts = Counter(text for label in model for text in {label.words, label.name})
    by_text = {
        text: label.index
        for label in model
        for text in (label.words, label.name)
        if counts[text] == 1
    }
    found: list[int] = []
    missing: list[str] = []
    for label in data:
        index = by_wnid.get(label.wnid, by_text.get(label.words))
        if index is None:
            missing.append(label.wnid or label.words)
        else:
            found.append(index)
    if missing:
        raise ValueError(
            f"the model lacks {len(missing)} of the {len(data)} classes of the data, such as "
            f"{', '.join(missing[:3])}"
        )
    return np.array(found, dtype=np.int64)


def _batches(
    dataset: Dataset,
    preprocess: Preprocess,
    indices: NDArray[np.int64],
    batch_size: int,
    num_threads: int,
    broken: list[str],
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Batches of preprocessed pictures, prepared by threads one batch ahead."""

    def prepare(index: int) -> NDArray[np.float32] | str:
        try:
            return preprocess(picture(dataset, index))
        except PictureError as error:
            return str(error)

    with ThreadPoolExecutor(num_threads) as pool:
        starts = range(0, len(indices), batch_size)
        pending = None
        for start in (*starts, None):
            ahead = None
            if start is not None:
                batch = indices[start : start + batch_size]
                ahead = batch, [pool.submit(prepare, int(index)) for index in batch]
            if pending is not None:
                results = [job.result() for job in pending[1]]
                good = np.array([not isinstance(result, str) for result in results])
                broken += [result for result in results if isinstance(result, str)]
                if good.any():
                    rows = [result for result in results if not isinstance(result, str)]
                    yield pending[0][good], np.stack(rows)
            pending = ahead
