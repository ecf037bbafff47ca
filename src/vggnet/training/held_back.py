"""Held-back pictures as they are tested after every epoch, kept so that each is decoded once.

In: a Dataset, the index of a picture, a Preprocess. Out: its centre crop as uint8 pixels_HWC, which
a Run turns into what its network takes, as it does with training pictures.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from vggnet.data import Dataset, picture
from vggnet.preprocess import Preprocess

_MOST = 2**30  # bytes kept in memory; what is beyond is decoded anew each time


class HeldBack:
    """The centre crops of pictures of a data set, by picture and size."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._kept: dict[tuple[int, int | None], NDArray[np.uint8]] = {}
        self._bytes = 0

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
        if self._bytes + pixels_HWC.nbytes <= _MOST:
            self._bytes += pixels_HWC.nbytes
            self._kept[key] = pixels_HWC
        return pixels_HWC
