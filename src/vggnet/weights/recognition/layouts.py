"""How files lay out the weights of a layer, as views, and the copy that puts them in order.

In: an array as a file holds it. Out: a view of it in the order output, input, row, column, and a
contiguous float32 copy where the view is none. And back, to write a file. An FC layer counts as the
convolution whose kernel is its whole input map: 7x7 for fc6 of the paper's nets, 1x1 for the rest.

Layouts: OIHW (Caffe, torch), HWIO (TensorFlow, MATLAB: fc6's input is flattened row, column,
channel), IHWO (OIHW whose FC matrices are transposed). Shapes: O out, I in, Y rows, X columns.
"""

from __future__ import annotations

from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vggnet.weights.containers.storage.mapped import release

Layout = Literal["OIHW", "HWIO", "IHWO"]
Shape = tuple[int, ...]

# A block of fc6, 49 x 64 x 16 numbers, fits the nearest cache but one, and each of its rows in a
# file and in the copy is longer than a cache line, whichever of the two is contiguous.
_BLOCK_OUT, _BLOCK_IN = 64, 784
_RELEASE_EVERY = 1 << 24  # bytes of a mapped file that stay in memory during a copy


def kernel_shape(stored: Shape, layout: Layout) -> Shape | None:
    """(O, I, Y, X) of a convolution that is stored with this shape; None where it is none."""
    if len(stored) != 4 or min(stored) < 1:
        return None
    axes = (3, 2, 0, 1) if layout == "HWIO" else (0, 1, 2, 3)
    return tuple(stored[axis] for axis in axes)


def matrix_shape(stored: Shape, layout: Layout) -> Shape | None:
    """(out, in) of an FC layer that is stored with this shape; None where it is none.

    With four axes it is a convolution over its whole input, or Caffe's of old: (1, 1, out, in).
    """
    if layout == "OIHW" and len(stored) == 4 and stored[:2] == (1, 1):
        stored = stored[2:]
    if len(stored) not in (2, 4) or min(stored) < 1:
        return None
    if layout == "OIHW":
        return stored[0], prod(stored[1:])
    return stored[-1], prod(stored[:-1])


def canonical_view(array: np.ndarray, shape: Shape, layout: Layout) -> np.ndarray:
    """A layer's weight in the order (O, I, Y, X), `shape`, of an array that fits it."""
    out, channels, rows, columns = shape
    if layout == "HWIO":
        turned: np.ndarray = array.reshape(rows, columns, channels, out).transpose(3, 2, 0, 1)
        return turned
    if layout == "IHWO" and array.ndim == 2:
        return array.T.reshape(shape) if rows * columns == 1 else _untangled(array, shape)
    return array.reshape(shape)


def _untangled(array_CO: np.ndarray, shape: Shape) -> np.ndarray:
    """(in, out) -> (O, I, Y, X) without a copy: reshape alone would make one of a transpose."""
    out, channels, rows, columns = shape
    turned: np.ndarray = array_CO.reshape(channels, rows, columns, out).transpose(3, 0, 1, 2)
    return turned


def in_layout(weight_OIYX: np.ndarray, layout: Layout, matrix: bool) -> np.ndarray:
    """The inverse of `canonical_view`: as a file has it, with `matrix` in two axes."""
    out = len(weight_OIYX)
    if layout == "HWIO":
        stored = np.empty(tuple(weight_OIYX.shape[axis] for axis in (2, 3, 1, 0)), np.float32)
        _copy_in_blocks(weight_OIYX, stored.transpose(3, 2, 0, 1))
        return stored.reshape(-1, out) if matrix else stored
    if not matrix:
        return weight_OIYX
    rows = weight_OIYX.reshape(out, -1)
    return rows if layout == "OIHW" else rows.T


@np.errstate(all="ignore")  # what is too large for float32 becomes infinite, and is found later
def in_order(view: np.ndarray) -> NDArray[np.float32]:
    """The values of `view` as a contiguous, aligned float32 array; itself where it is one already.

    Of a mapped file, what was copied is given back on the way.
    """
    if view.dtype == np.float32 and view.flags.c_contiguous and view.flags.aligned:
        return view
    copy = np.empty(view.shape, np.float32)
    if view.ndim == 4:
        _copy_in_blocks(view, copy)
    else:
        copy[...] = view
    release(view)
    return copy


def _copy_in_blocks(source_OIYX: np.ndarray, target_OIYX: np.ndarray) -> None:
    """Copies so that neither reading nor writing leaves the cache, whatever the two's strides."""
    if _outermost(source_OIYX) == _outermost(target_OIYX) == 0:
        step = max(1, _RELEASE_EVERY // max(1, source_OIYX[:1].nbytes))
        for start in range(0, len(source_OIYX), step):
            target_OIYX[start : start + step] = source_OIYX[start : start + step]
            release(source_OIYX[start : start + step])
        return
    num_out, num_in, *kernel = source_OIYX.shape
    block_in = max(1, _BLOCK_IN // prod(kernel))
    unreleased = 0
    for i in range(0, num_in, block_in):
        for o in range(0, num_out, _BLOCK_OUT):
            place = np.s_[o : o + _BLOCK_OUT, i : i + block_in]
            # The first copy reads along the source's memory, the second writes along the target's.
            target_OIYX[place] = source_OIYX[place].copy(order="K")
        unreleased += source_OIYX[:, i : i + block_in].nbytes
        if unreleased >= _RELEASE_EVERY:
            release(source_OIYX)
            unreleased = 0


def _outermost(array: np.ndarray) -> int:
    return int(np.argmax(np.abs(array.strides)))
