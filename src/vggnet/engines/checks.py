"""What every engine checks before it computes.

In: a Spec and images. Out: the images in an engine's type, or a ValueError in one line.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vggnet.spec import Spec


def check_images(
    spec: Spec, images_NCHW: NDArray[np.floating], dtype: DTypeLike = np.float32
) -> NDArray[np.floating]:
    """The images in `dtype`, contiguous; not copied where they are so already.

    Raises ValueError, in one line, for images that `spec` cannot take.
    """
    images_NCHW = np.asarray(images_NCHW)
    spec.check_shape(images_NCHW.shape)
    if not np.issubdtype(images_NCHW.dtype, np.floating):
        raise ValueError(f"images must be floating point, not {images_NCHW.dtype}; see preprocess")
    with np.errstate(over="ignore"):  # what is too large for `dtype` is named below
        images_NCHW = np.ascontiguousarray(images_NCHW, dtype)
    if not np.isfinite(images_NCHW).all():
        raise ValueError(f"images hold NaN, infinity or values too large for {images_NCHW.dtype}")
    return images_NCHW


def check_head(spec: Spec) -> None:
    """Raises ValueError for a net that has no class scores to give."""
    if spec.num_classes is None:
        raise ValueError(f"spec {spec.name!r} has no classifier; use features")
