"""The numbers in HDF5 files: types, layouts and compressions, as h5py writes them, and hostile."""

import io
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from damage import NUM_VERSIONS, check_damaged

from vggnet.weights.containers import StoredArray
from vggnet.weights.containers.hdf5 import hdf5, hdf5_data
from vggnet.weights.containers.storage.mapped import map_file


def stored(value: object, **storage: object) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("w", data=value, **storage)
    return stream.getvalue()


def array_in(content: bytes) -> StoredArray:
    return hdf5.read_objects(np.frombuffer(content, np.uint8), "some.h5").arrays["w"]


@pytest.mark.parametrize("code", ["f2", "<f4", ">f4", "f8", "i1", "u1", ">i2", "u4", "i8"])
def test_numbers_of_every_type(code: str) -> None:
    value = np.arange(-6, 6).reshape(3, 4).astype(code)
    array = array_in(stored(value))
    assert array.shape == (3, 4)
    assert array.dtype == value.dtype.newbyteorder("=")
    np.testing.assert_array_equal(array.load(), value.astype(array.dtype), strict=True)


@pytest.mark.parametrize("value", [np.float32(2), np.zeros((0, 3), "f4"), np.ones((1,) * 5, "f4")])
def test_odd_shapes(value: np.ndarray) -> None:
    np.testing.assert_array_equal(array_in(stored(value)).load(), value, strict=True)


def test_nothing_at_all_is_an_array_without_elements() -> None:
    assert array_in(stored(h5py.Empty("f4"))).load().shape == (0,)


def compact() -> bytes:
    stream, value = io.BytesIO(), np.arange(5, dtype=np.float32)
    with h5py.File(stream, "w") as file:
        kept = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        kept.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple(value.shape)
        made = h5py.h5d.create(file.id, b"w", h5py.h5t.IEEE_F32LE, space, kept)
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, value)
    return stream.getvalue()


def test_numbers_within_the_header() -> None:
    np.testing.assert_array_equal(
        array_in(compact()).load(), np.arange(5, dtype=np.float32), strict=True
    )


CHUNKED = [
    {"chunks": (2, 3)},
    {"chunks": (4, 16), "compression": "gzip"},
    {"chunks": (3, 5), "compression": "gzip", "shuffle": True},
    {"chunks": (1, 1), "fletcher32": True},
    {"chunks": (7, 11), "maxshape": (None, 11), "compression": "gzip", "fletcher32": True},
]


@pytest.mark.parametrize("storage", CHUNKED)
def test_chunks(storage: dict[str, object]) -> None:
    value = np.random.default_rng(0).standard_normal((7, 11))
    if storage["chunks"] == (4, 16):
        storage = storage | {"maxshape": (None, None)}  # larger than the array
    np.testing.assert_array_equal(array_in(stored(value, **storage)).load(), value, strict=True)


def test_many_chunks_of_the_other_byte_order() -> None:
    value = np.arange(6000, dtype=">f4").reshape(60, 100)
    array = array_in(stored(value, chunks=(3, 7), compression="gzip"))
    np.testing.assert_array_equal(array.load(), value.astype(np.float32), strict=True)


def test_an_array_in_one_piece_is_a_view_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "one.h5"
    path.write_bytes(stored(np.ones((4, 4), np.float32)))
    mapped = map_file(path)
    array = hdf5.read_objects(mapped, str(path)).arrays["w"].load()
    assert np.shares_memory(array, mapped)
    assert not array.flags.writeable


def with_chunk(data: bytes, shape: tuple[int, ...] = (64,)) -> bytes:
    """A file with an array in chunks of 64, of which only the first is written, as these bytes."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        made = file.create_dataset("w", shape, "f4", chunks=(64,), compression="gzip")
        made.id.write_direct_chunk((0,), data)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (with_chunk(zlib.compress(bytes(2**12), 9)), "a chunk of 261 bytes instead of 256"),
        (with_chunk(zlib.compress(bytes(128), 9)), "a chunk of 128 bytes instead of 256"),
        (with_chunk(b"no gzip"), "a chunk's gzip"),
        (with_chunk(zlib.compress(bytes(256)) + bytes(400)), "bytes for a chunk of 256"),
        (with_chunk(zlib.compress(bytes(256)), (128,)), "1 of its 2 chunks are missing"),
        (with_chunk(zlib.compress(bytes(256)), (2**30,)), "would grow to 4,294,967,296 bytes"),
        (with_chunk(zlib.compress(bytes(256)), (2**60,)), "a shape of"),
        (stored(np.ones(9, "f4"), chunks=(3,), compression="lzf"), "compression 32000$"),
        (stored(np.array([True])), "its elements are not numbers"),
        (stored(b"text"), "its elements are not numbers"),
    ],
)
def test_what_is_not_read_ends_in_one_line(content: bytes, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint) as raised:
        array_in(content).load()
    assert str(raised.value).startswith("some.h5: ")


def test_an_array_that_was_never_written_is_refused() -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("w", (1000, 1000), "f4")
    with pytest.raises(ValueError, match="takes 4,000,000 bytes, and the file holds 0"):
        array_in(stream.getvalue())


def test_arrays_share_what_a_file_may_grow_to() -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name in "abcde":  # 1 MiB each, of which a small file may hold four
            file.create_dataset(name, data=np.zeros(2**18, np.float32), compression="gzip")
    assert len(stream.getvalue()) < 2**18
    with pytest.raises(ValueError, match="'e': it would grow to 1,048,576 bytes"):
        array_in(stream.getvalue())


def test_chunks_of_the_newest_form_are_not_read_here() -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w", libver="latest") as file:
        file.create_dataset("w", data=np.ones(9), chunks=(3,))
    with pytest.raises(hdf5_data.NotRead, match="chunks of libver='latest'"):
        array_in(stream.getvalue())


def test_damaged_chunks_read_or_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "chunks.h5"
    path.write_bytes(stored(np.random.default_rng(0).random((7, 11)), **CHUNKED[2]))

    def load_all(path: Path) -> None:
        for array in hdf5.read_objects(map_file(path), str(path)).arrays.values():
            array.load()

    assert check_damaged(load_all, path) > NUM_VERSIONS / 4
