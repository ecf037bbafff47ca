"""The structure of HDF5 files: as h5py writes it, hostile, and damaged; and what we write."""

import io
import struct
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
from damage import NUM_VERSIONS, check_damaged

from vggnet.weights.containers.hdf5 import hdf5, hdf5_data
from vggnet.weights.containers.storage.mapped import map_file


def objects_in(content: bytes) -> hdf5.Objects:
    return hdf5.read_objects(np.frombuffer(content, np.uint8), "some.h5")


def written(**options: object) -> tuple[io.BytesIO, h5py.File]:
    stream = io.BytesIO()
    return stream, h5py.File(stream, "w", **options)


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}])
def test_groups_of_both_styles(options: dict[str, object]) -> None:
    stream, file = written(**options)
    names = ["b/c/d", "b/a", "zero"]
    for number, name in enumerate(names):
        file[name] = np.float32([number])
    file["b"].attrs["of"] = "group"
    file.close()
    objects = objects_in(stream.getvalue())
    assert {name: array.load().item() for name, array in objects.arrays.items()} == {
        name: number for number, name in enumerate(names)
    }
    assert objects.attributes == {"": {}, "b": {"of": "group"}, "b/c": {}}


def test_a_group_of_many_members_is_a_tree_with_levels() -> None:
    stream, file = written()
    for number in range(1200):
        file[f"{number:04}"] = np.float32(number)
    file.close()
    arrays = objects_in(stream.getvalue()).arrays
    assert [array.load().item() for array in arrays.values()] == list(range(1200))


def test_attributes_of_every_kind() -> None:
    stream, file = written()
    values = {
        "bytes": np.bytes_(b"fixed"), "text": "of any length, \u00e9", "empty": "",
        "bytes_list": np.array([b"a", b"bcd"]), "text_list": np.array(["a", "bcd"], object),
        "none": [], "int": 3, "float": 2.5, "numbers": np.array([1, 2], ">i2"),
    }  # fmt: skip
    file.attrs.update({key: value for key, value in values.items() if key != "text_list"})
    file.attrs.create("text_list", ["a", "bcd"], dtype=h5py.string_dtype())
    file.attrs["flag"] = True  # an enumeration
    file.attrs["matrix"] = np.eye(2)
    file.close()
    assert objects_in(stream.getvalue()).attributes[""] == {
        "bytes": "fixed", "text": "of any length, \u00e9", "empty": "",
        "bytes_list": ["a", "bcd"], "text_list": ["a", "bcd"],
        "none": [], "int": 3, "float": 2.5, "numbers": [1, 2],
    }  # fmt: skip


def test_links_to_elsewhere_are_left_out() -> None:
    stream, file = written()
    file["here"] = np.float32([1])
    file["same"] = file["here"]
    file["soft"] = h5py.SoftLink("/here")
    file["external"] = h5py.ExternalLink("/etc/passwd", "/x")
    file.close()
    assert list(objects_in(stream.getvalue()).arrays) == ["here", "same"]


def test_groups_in_a_circle_are_refused() -> None:
    stream, file = written()
    file.create_group("a")["again"] = file["/"]
    file.close()
    with pytest.raises(ValueError, match="groups that hold themselves"):
        objects_in(stream.getvalue())


@pytest.mark.parametrize("crowd", ["members", "attributes"])
def test_lists_of_the_newest_form_are_not_read_here(crowd: str) -> None:
    stream, file = written(libver="latest")
    for number in range(40):
        if crowd == "members":
            file.create_group(f"g{number}")
        else:
            file.attrs[f"a{number}"] = number
    file.close()
    message = rf"^some\.h5: HDF5 of a form .*: its list of {crowd} is stored as by libver='latest'$"
    with pytest.raises(hdf5_data.NotRead, match=message):
        objects_in(stream.getvalue())


def small_file() -> bytes:
    stream, file = written()
    for layer in ("conv", "fc"):
        file[f"{layer}/kernel"] = np.ones((2, 3), np.float32)
        file[layer].attrs["weight_names"] = [b"kernel"]
    file.attrs["layer_names"] = ["conv", "fc"]
    file.close()
    return stream.getvalue()


def test_a_file_that_was_cut_says_so() -> None:
    content = small_file()
    with pytest.raises(ValueError, match=rf"cut short: 900 bytes of {len(content):,}"):
        objects_in(content[:900])


def test_a_tree_of_very_many_ways_ends_soon() -> None:
    stream, file = written()
    file.create_group("a")
    file.close()
    content = bytearray(stream.getvalue())
    levels = 60  # each node has the next one twice: 2**60 ways to the last
    first = len(content)
    for level in range(levels, 0, -1):
        below = first + 64 * (levels - level + 1)
        node = struct.pack("<4sBBHQQ5Q", b"TREE", 0, level, 2, 0, 0, 0, below, 0, below, 0)
        content += node
    content += struct.pack("<4sBBHQQQ", b"TREE", 0, 0, 0, 0, 0, 0)
    (root,) = struct.unpack_from("<Q", content, 64)
    (kind,) = struct.unpack_from("<H", content, root + 16)
    assert kind == 17, "not the message with the group's tree"
    content[root + 24 : root + 32] = struct.pack("<Q", first)
    start = time.process_time()
    with pytest.raises(ValueError, match="leads in circles"):
        objects_in(bytes(content))
    assert time.process_time() - start < 5


def test_a_header_that_goes_on_in_itself_ends_soon() -> None:
    stream = io.BytesIO(small_file())
    content = bytearray(stream.getvalue())
    (root,) = struct.unpack_from("<Q", content, 64)
    # The first message becomes a continuation: the block of messages that it lies in, again.
    (size,) = struct.unpack_from("<I", content, root + 8)
    content[root + 16 : root + 24] = struct.pack("<HHB3x", 16, 16, 0)
    content[root + 24 : root + 40] = struct.pack("<QQ", root + 16, size)
    with pytest.raises(ValueError, match="leads in circles"):
        objects_in(bytes(content))


def test_what_we_write_h5py_reads(tmp_path: Path) -> None:
    path = tmp_path / "ours.h5"
    arrays = {"a/b/w": np.arange(6, dtype=np.float32).reshape(2, 3), "half": np.float16([1, 2])}
    hdf5.write(path, arrays, {"": {"version": "1"}, "a/b": {"names": np.array([b"w"])}, "c": {}})
    with h5py.File(path) as file:
        for name, array in arrays.items():
            np.testing.assert_array_equal(file[name][()], array, strict=True)
        assert dict(file.attrs) == {"version": "1"}
        assert file["a/b"].attrs["names"].tolist() == [b"w"]
        assert "c" in file
    objects = hdf5.read_objects(map_file(path), str(path))
    assert objects.attributes["a/b"] == {"names": ["w"]}
    assert {name: array.dtype for name, array in objects.arrays.items()} == {
        name: array.dtype for name, array in arrays.items()
    }


def test_writing_that_fails_leaves_what_stood_there(tmp_path: Path) -> None:
    path = tmp_path / "ours.h5"
    path.write_bytes(b"before")
    with pytest.raises(TypeError):
        hdf5.write(path, {"w": np.array([object()])})
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_without_h5py_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r"pip install 'vggnet\[keras\]'"):
        hdf5.write(tmp_path / "ours.h5", {})


def test_damaged_files_read_or_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "small.h5"
    path.write_bytes(small_file())

    def load_all(path: Path) -> None:
        for array in hdf5.read_objects(map_file(path), str(path)).arrays.values():
            array.load()

    assert check_damaged(load_all, path) > NUM_VERSIONS / 4
