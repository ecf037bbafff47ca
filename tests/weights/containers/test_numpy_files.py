import io
import os
import pickle
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from damage import check_damaged

from vggnet.weights.containers import Contents
from vggnet.weights.containers.numpy_files import read, recognises, write, write_dictionary


def some_arrays() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "conv1_1_W": random.standard_normal((3, 3, 3, 4)).astype(np.float32),
        "conv1_1_b": random.standard_normal(4),
        "turned": random.standard_normal((5, 7)).astype(np.float16).T,
        "big-endian": np.arange(5, dtype=">i4"),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), np.uint8),
        "flags": np.array([True, False]),
    }


def check(contents: Contents, expected: dict[str, np.ndarray]) -> None:
    assert list(contents.arrays) == list(expected)
    for name, array in expected.items():
        stored = contents.arrays[name]
        loaded = stored.load()
        assert stored.shape == loaded.shape == array.shape
        assert stored.dtype == loaded.dtype == array.dtype.newbyteorder("=")
        assert loaded.tobytes() == array.astype(stored.dtype).tobytes()


def load_all(path: Path) -> Contents:
    contents = read(path)
    for array in contents.arrays.values():
        array.load()
    return contents


def is_mapped(array: object) -> bool:
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives_of_numpy(tmp_path: Path, save) -> None:
    path = tmp_path / "net.npz"
    save(path, **some_arrays())
    assert recognises(path.read_bytes()[:4096])
    contents = read(path)
    check(contents, some_arrays())
    assert (contents.container, contents.metadata) == ("NumPy", {})
    array = contents.arrays["conv1_1_W"].load()
    assert is_mapped(array) == (save is np.savez)
    assert not array.flags.writeable


@pytest.mark.parametrize("array", some_arrays().values(), ids=some_arrays().keys())
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_a_single_array_has_the_name_of_the_file(
    tmp_path: Path, array: np.ndarray, version: tuple[int, int]
) -> None:
    path = tmp_path / "conv1_1.npy"
    with path.open("wb") as file:
        np.lib.format.write_array(file, array, version)
    assert recognises(path.read_bytes()[:4096])
    check(read(path), {"conv1_1": array})


def test_headers_of_python_2(tmp_path: Path) -> None:
    text = b"{'descr': '<f4', 'fortran_order': True, 'shape': (2L, 3L), }\n"
    path = tmp_path / "a.npy"
    numbers = np.arange(6, dtype="<f4")
    path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + numbers.tobytes())
    check(read(path), {"a": numbers.reshape(3, 2).T})


W, B = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4), np.ones(4, np.float32)
DICTIONARIES = {
    "lists": ({"conv1_1": [W, B], "fc8": [W, B]}, "0", "1"),
    "numbered": ({"conv1_1": {0: W, 1: B}, "fc8": {0: W, 1: B}}, "0", "1"),
    "named": (
        {"conv1_1": {"weights": W, "biases": B}, "fc8": {"weights": W, "biases": B}},
        "weights",
        "biases",
    ),
}


@pytest.mark.parametrize("shape", DICTIONARIES)
@pytest.mark.parametrize("protocol", [None, 0, 1, 2, 3, 4, 5])
def test_dictionaries(tmp_path: Path, shape: str, protocol: int | None) -> None:
    dictionary, first, second = DICTIONARIES[shape]
    path = tmp_path / "vgg16.npy"
    np.save(path, dictionary)
    if protocol is not None:
        header = path.read_bytes()[:128]
        array = np.array(dictionary, dtype=object)
        path.write_bytes(header + pickle.dumps(array, protocol))
    expected = {f"{layer}/{part}": array for layer in ("conv1_1", "fc8")
                for part, array in ((first, W), (second, B))}  # fmt: skip
    check(read(path), expected)


def test_what_python_2_pickled(tmp_path: Path) -> None:
    """As NumPy for Python 2.7 writes {"fc8": [W]}: byte strings, and numpy.core for numpy._core."""
    numbers = np.arange(100, dtype="<f4")
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(117) + b"\n"

    def array(shape: bytes, dtype: bytes, order: bytes, flags: bytes, data: bytes) -> bytes:
        return (
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01"
            + shape + b"cnumpy\ndtype\nU\x02" + dtype + b"K\x00K\x01\x87R(K\x03U\x01" + order
            + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff" + flags + b"tb\x89" + data + b"tb"
        )  # fmt: skip

    inner = array(b"Kd\x85", b"f4", b"<", b"K\x00", b"T\x90\x01\x00\x00" + numbers.tobytes())
    outer = array(b")", b"O8", b"|", b"K?", b"]}U\x03fc8](" + inner + b"esa")
    path = tmp_path / "vgg16.npy"
    path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + b"\x80\x02"
                     + outer + b".")  # fmt: skip
    loaded = np.load(path, encoding="latin1", allow_pickle=True).item()  # so numpy takes it too
    assert np.array_equal(loaded["fc8"][0], numbers)
    contents = read(path)
    check(contents, {"fc8/0": numbers})
    assert is_mapped(contents.arrays["fc8/0"].load())


def test_plain_values_and_dictionaries_in_archives(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", net=np.array({"fc8": [W, B], "epoch": 3}, dtype=object), x=B)
    contents = read(tmp_path / "a.npz")
    check(contents, {"net/fc8/0": W, "net/fc8/1": B, "x": B})
    assert contents.metadata == {"net/epoch": 3}


def test_numpy_loads_the_archive_that_is_written(tmp_path: Path) -> None:
    path, arrays = tmp_path / "net.npz", some_arrays() | {"conv1_1/0": W, "file": B}
    write(path, arrays)
    loaded = np.load(path)
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()
    contents = read(path)
    check(contents, arrays)
    assert all(array.load().flags.aligned for array in contents.arrays.values())
    write(tmp_path / "again.npz", arrays)
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_numpy_loads_the_dictionary_that_is_written(tmp_path: Path) -> None:
    path = tmp_path / "vgg16.npy"
    arrays = {
        "conv1_1/0": W.transpose(3, 2, 1, 0),
        "conv1_1/1": B,
        "fc8/weights": W,
        "fc8/biases": np.arange(1000.0),
        "alone": B,
        "scalar/0": np.array(1.5, np.float32),
        "empty/0": np.zeros((0, 2)),
    }
    write_dictionary(path, arrays)
    loaded = np.load(path, encoding="latin1", allow_pickle=True).item()
    assert [type(loaded[group]) for group in loaded] == [list, dict, np.ndarray, list, list]
    found = {
        "conv1_1/0": loaded["conv1_1"][0],
        "conv1_1/1": loaded["conv1_1"][1],
        "fc8/weights": loaded["fc8"]["weights"],
        "fc8/biases": loaded["fc8"]["biases"],
        "alone": loaded["alone"],
        "scalar/0": loaded["scalar"][0],
        "empty/0": loaded["empty"][0],
    }
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    check(read(path), arrays)


def npy(text: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode() + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", bytes(8)), "12 bytes"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", bytes(16)), "12 bytes"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-3,), }"), "header"),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'9' * 30},), }}"), "shape"),
        (npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9000000000000000000), }"),
         "larger than any memory|damaged: shape"),
        (npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({'1,' * 40}), }}", bytes(4)),
         "40 dimensions"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (), }"), "records"),
        (npy("{'descr': '<U5', 'fortran_order': False, 'shape': (), }"), "numbers of type '<U5'"),
        (npy("{'descr': '<c8', 'fortran_order': False, 'shape': (), }"), "numbers of type '<c8'"),
        (npy("-" * 9000 + "1"), "header"),
        (npy("(" * 9000), "header"),
        (npy("", b"  "), "header"),
        (b"\x93NUMPY\1\0\xff\xff{}", "header"),
        (b"\x93NUMPY\x09\0\0\0{}", "header"),
        (b"\x93NUMPY\1", "cut off"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }", b"cos\nsystem\n."),
         r"asks for os\.system; only arrays and plain containers are read"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (), }"), "damaged pickle"),
    ],
)  # fmt: skip
def test_hostile_and_damaged_arrays(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "net.npy"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"net\.npy: .*({message})") as fault:
        read(path)
    assert "\n" not in str(fault.value)


def test_nothing_is_executed(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> object:
            return os.mkdir, (str(tmp_path / "executed"),)

    np.save(tmp_path / "net.npy", {"conv1_1": [W, Attack()]})
    np.savez(tmp_path / "net.npz", a=W, b=np.array(Attack(), dtype=object))
    for name in ("net.npy", "net.npz"):
        with pytest.raises(ValueError, match=r"asks for (posix|nt)\.mkdir; only arrays and plain"):
            read(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def archive_of(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_zip_bombs(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    zeros = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000,), }", bytes(9_000_000))
    archive_of(path, {"a.npy": zeros}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"a\.npy: it would grow from [\d,]+ to 9,000,073 bytes"):
        read(path)
    # A member that says it is small, of which more comes out.
    small = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000,), }", bytes(1000))
    archive_of(path, {"a.npy": small + bytes(1_000_000)}, zipfile.ZIP_DEFLATED)
    lengths = struct.pack("<I", len(small) + 1_000_000), struct.pack("<I", len(small))
    path.write_bytes(path.read_bytes().replace(*lengths))
    with pytest.raises(ValueError, match=r"a\.npy: damaged: more than [\d,]+ bytes"):
        load_all(path)


def test_many_pickles_in_an_archive(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", *(np.array({"a": B}, dtype=object) for _ in range(17)))
    with pytest.raises(ValueError, match=r"a\.npz: more than 16 pickled members"):
        read(tmp_path / "a.npz")


def test_archives_whose_parts_disagree(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    good = {"a.npy": npy("{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }", b"abc")}
    archive_of(path, good | {"b.npy": good["a.npy"]})
    whole = path.read_bytes()
    assert read(path).arrays["b"].load().tobytes() == b"abc"
    second = whole.index(b"b.npy")
    damages = {
        "its header and the file's directory disagree": whole.replace(b"b.npy", b"c.npy", 1),
        "it has no header": whole.replace(b"PK\3\4", b"PK\3\5", 1),
        "cut off": whole[:-30],
        "its zip directory cannot be read": whole.replace(b"PK\1\2", b"PK\1\3", 1),
        "it overlaps another member": whole.replace(
            struct.pack("<I", second - 30) + b"b.npy", struct.pack("<I", 0) + b"b.npy"
        ),
        "it is encrypted": whole.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0", 1),
    }  # fmt: skip
    for message, content in damages.items():
        assert content != whole
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"net\.npz: .*{message}") as fault:
            read(path)
        assert "\n" not in str(fault.value)
    archive_of(path, good, zipfile.ZIP_BZIP2)
    with pytest.raises(ValueError, match=r"a\.npy: compressed by method 12; stored and deflated"):
        read(path)


def test_damage_in_compressed_numbers_is_found(tmp_path: Path) -> None:
    path = tmp_path / "net.npz"
    np.savez_compressed(path, a=some_arrays()["conv1_1_W"])
    whole = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        checksum = struct.pack("<I", archive.infolist()[0].CRC)
    assert whole.count(checksum) == 2
    wrong = struct.pack("<I", zlib.crc32(b"other"))
    path.write_bytes(whole.replace(checksum, wrong))
    with pytest.raises(ValueError, match=r"a\.npy: damaged: its checksum is another"):
        read(path).arrays["a"].load()


def test_other_zip_files_are_not_taken_for_arrays(tmp_path: Path) -> None:
    archive_of(tmp_path / "x.npz", {"metadata.json": b"{}"})
    assert not recognises((tmp_path / "x.npz").read_bytes())


def contents_of(kind: str) -> bytes:
    small = {"a_W": W[0, :, :2], "a_b": B[:2]}
    file = io.BytesIO()
    if kind == "dictionary":
        np.save(file, {"a": [small["a_W"], small["a_b"]], "epoch": 3})
    else:
        (np.savez_compressed if kind == "compressed" else np.savez)(file, **small)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["stored", "compressed", "dictionary"])
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "net"
    path.write_bytes(contents_of(kind))
    assert len(load_all(path).arrays) == 2
    assert 60 < check_damaged(load_all, path, header=128 if kind == "dictionary" else 35) < 200
