import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vggnet.weights.recognition.layouts import (
    canonical_view,
    in_layout,
    in_order,
    kernel_shape,
    matrix_shape,
)

SHAPE = (70, 24, 7, 7)  # O, I, Y, X: more than one block, and no multiple of one


def weight(shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape, dtype=np.float32)


@pytest.mark.parametrize("matrix", [False, True])
def test_rows_of_an_hwio_matrix_are_in_the_order_row_column_channel(matrix: bool) -> None:
    w = weight()
    stored = np.empty((7, 7, 24, 70), np.float32)
    for o, i, y, x in np.ndindex(70, 24, 7, 7):
        stored[y, x, i, o] = w[o, i, y, x]
    if matrix:
        stored = stored.reshape(7 * 7 * 24, 70)
    assert np.array_equal(canonical_view(stored, SHAPE, "HWIO"), w)
    assert np.array_equal(in_layout(w, "HWIO", matrix), stored)


def test_rows_of_an_ihwo_matrix_are_in_the_order_channel_row_column() -> None:
    w = weight()
    stored = w.reshape(70, -1).T.copy()
    assert np.array_equal(canonical_view(stored, SHAPE, "IHWO"), w)
    assert np.array_equal(in_layout(w, "IHWO", True), stored)


@pytest.mark.parametrize("stored", ["HWIO", "IHWO", "columns first"])
def test_a_view_is_put_in_order_by_one_copy(stored: str) -> None:
    if stored == "columns first":
        view = canonical_view(np.asfortranarray(weight((7, 7, 24, 70))), SHAPE, "HWIO")
    elif stored == "IHWO":
        view = canonical_view(weight((24 * 49, 70)), SHAPE, "IHWO")
    else:
        view = canonical_view(weight((7, 7, 24, 70)), SHAPE, "HWIO")
    assert not view.flags.owndata
    ordered = in_order(view)
    assert ordered.flags.c_contiguous
    assert np.array_equal(ordered, view)


def test_what_is_in_order_is_not_copied_and_what_is_not_aligned_is() -> None:
    w = weight()
    assert in_order(w) is w
    unaligned = np.frombuffer(b"x" + w.tobytes(), np.uint8)[1:].view(np.float32).reshape(SHAPE)
    assert not unaligned.flags.aligned
    ordered = in_order(unaligned)
    assert ordered.flags.aligned
    assert np.array_equal(ordered, w)


@pytest.mark.parametrize("dtype", ["<f2", "<f8", ">f4"])
def test_other_numbers_become_float32(dtype: str) -> None:
    for array in (weight().astype(dtype), weight((5,)).astype(dtype)):
        ordered = in_order(array)
        assert ordered.dtype == np.float32
        assert np.array_equal(ordered, array.astype(np.float32))


def test_what_is_too_large_becomes_infinite_without_a_warning() -> None:
    for shape in ((5,), (7, 7, 3, 4)):
        assert np.isinf(in_order(np.full(shape, 1e300))).all()


def test_shapes_of_convolutions() -> None:
    assert kernel_shape((3, 3, 12, 64), "HWIO") == (64, 12, 3, 3)
    assert kernel_shape((64, 12, 3, 3), "OIHW") == (64, 12, 3, 3)
    assert kernel_shape((64, 12), "OIHW") is None
    assert kernel_shape((64, 0, 3, 3), "OIHW") is None
    assert kernel_shape((2, 3, 12, 64), "HWIO") == (64, 12, 2, 3)


def test_shapes_of_fc_layers() -> None:
    assert matrix_shape((10, 20), "OIHW") == (10, 20)
    assert matrix_shape((1, 1, 10, 20), "OIHW") == (10, 20)  # Caffe before 2014
    assert matrix_shape((10, 5, 2, 2), "OIHW") == (10, 20)  # timm
    assert matrix_shape((20, 10), "HWIO") == (10, 20)
    assert matrix_shape((1, 1, 20, 10), "HWIO") == (10, 20)  # MatConvNet's fc7
    assert matrix_shape((20, 10), "IHWO") == (10, 20)
    assert matrix_shape((20,), "HWIO") is None
    assert matrix_shape((0, 20), "OIHW") is None


_MEMORY = """
import re, sys
from pathlib import Path
from vggnet.weights.recognition.layouts import in_order
from vggnet.weights.containers.storage.mapped import map_file
def peak():
    return int(re.search("VmHWM:\\\\s+(\\\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
before = peak()
view = map_file(Path(sys.argv[1]))[1:].view("<f4").reshape(-1, 512, 7, 7)
in_order(view)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_file_is_given_back_while_it_is_copied(tmp_path: Path) -> None:
    size = 640 * 512 * 7 * 7 * 4  # 64 MB, of which 16 MB are in memory at a time
    (tmp_path / "unaligned").write_bytes(bytes(1 + size))
    command = [sys.executable, "-c", _MEMORY, str(tmp_path / "unaligned")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 1.5 * size
