"""Held-back pictures: which they are, and their crops, kept so that each is decoded once.

In: a Dataset, the index of a picture, a Preprocess. Out: its centre crop as uint8 pixels_HWC, which
a Run turns into what its network takes, as it does with training pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.evaluation import Score
from vggnet.preprocess import Preprocess
from vggnet.training.recipe import Recipe


def split(num_pictures: int, recipe: Recipe) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the pictures to train on and of those held back, which the seed picks.

    Raises ValueError where too few are left to train on.
    """
    if recipe.holdout >= num_pictures:
        raise ValueError(
            f"holdout {recipe.holdout} leaves none of {num_pictures} pictures to train on; "
            "choose a smaller --holdout"
        )
    order = np.random.default_rng(recipe.seed).permutation(num_pictures)
    return np.sort(order[recipe.holdout :]), np.sort(order[: recipe.holdout])


def share(memory_limit: int, num_training: int, num_held_back: int) -> int:
    """How many bytes of the limit are for held-back pictures: by number, as many as for others."""
    return memory_limit * num_held_back // (num_training + num_held_back)


class HeldBack:
    """The centre crops of pictures of a data set, by picture and size.

    `most_bytes` are kept in memory; what is beyond is decoded anew each time.
    """

    def __init__(self, dataset: Dataset, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._dataset = dataset
        self._kept: dict[tuple[int, int | None], NDArray[np.uint8]] = {}
        self._bytes = 0
        self._keeping = Lock()

    def crops(self, preprocessing: Preprocess) -> partial[NDArray[np.uint8]]:
        """A function of a picture's index, which several threads may call for different ones.

        It raises PictureError, each time, for a picture that cannot be used.
        """
        return partial(self._crop, preprocessing)

    def _crop(self, preprocessing: Preprocess, index: int) -> NDArray[np.uint8]:
        key = (index, preprocessing.resize)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        rgb = picture(self._dataset, index)
        pixels_HWC = np.asarray(preprocessing.rescale_and_crop(rgb, self._dataset.where(index)))
        with self._keeping:
            if key not in self._kept and self._bytes + pixels_HWC.nbytes <= self.most_bytes:
                self._bytes += pixels_HWC.nbytes
                self._kept[key] = pixels_HWC
        return pixels_HWC


def together(scores: Sequence[Score | None]) -> Score:
    """The score on all pictures, of which each of several processes tested some, or none.

    One of them tested some.
    """
    found = [score for score in scores if score is not None]
    if len(found) < 2:
        return found[0]
    images = sum(score.images for score in found)
    return Score(
        sum(round(score.top1 * score.images) for score in found) / images,
        sum(round(score.top5 * score.images) for score in found) / images,
        images,
        found[0].protocol,
        sum(score.images_per_second for score in found),
        tuple(fault for score in found for fault in score.broken),
    )
