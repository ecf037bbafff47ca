"""MATLAB files, as SciPy writes them, in MatConvNet's layouts, and damaged ones."""

import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import h5py
import matlab_7_3
import numpy as np
import pytest
import scipy.io
from damage import NUM_VERSIONS, check_damaged

from vggnet.weights.containers import Contents, matlab_files

HEADER = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H2s", 0x100, b"IM")


def cells(*values: object) -> np.ndarray:
    """A row of cells, as MATLAB's {a, b}."""
    row = np.empty((1, len(values)), object)
    row[0, :] = values
    return row


def weights() -> dict[str, list[np.ndarray]]:
    chance = np.random.default_rng(4)
    return {
        name: [chance.standard_normal(shape, np.float32) for shape in (kernel, (1, kernel[-1]))]
        for name, kernel in {"conv1_1": (3, 3, 3, 8), "fc6": (2, 2, 8, 16)}.items()
    }


def network(old: bool = False) -> dict[str, Any]:
    """The variables of a net in MatConvNet's simplenn format, before and since January 2015."""
    layers = []
    for name, (kernel, bias) in weights().items():
        held = {"filters": kernel, "biases": bias} if old else {"weights": cells(kernel, bias)}
        layers += [
            {"name": name, "type": "conv", "stride": [1, 1], "pad": 1} | held,
            {"name": f"relu_{name}", "type": "relu"},
        ]
    normalization = {
        "imageSize": np.array([[224.0, 224.0, 3.0]]),
        "averageImage": np.full((5, 5, 3), [123.0, 117.0, 104.0], np.float32),
        "border": np.array([[32.0, 32.0]]),
        "interpolation": "bicubic",
    }
    about = {
        "normalization": normalization,
        "classes": {"name": cells("n01440764", "n01443537"),
                    "description": cells("tench, Tinca tinca", "goldfish, Carassius auratus")},
    }  # fmt: skip
    return {"layers": cells(*layers)} | (about if old else {"meta": about})


def written(path: Path, variables: dict[str, Any], compressed: bool = False) -> Path:
    scipy.io.savemat(path, variables, do_compression=compressed)
    return path


def load_all(path: Path) -> Contents:
    contents = matlab_files.read(path)
    for array in contents.arrays.values():
        loaded = array.load()
        assert loaded.shape == array.shape
        assert loaded.dtype == array.dtype
    return contents


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("old", [False, True])
def test_a_net_of_matconvnet_gives_its_arrays_by_layer(
    tmp_path: Path, old: bool, compressed: bool
) -> None:
    path = written(tmp_path / "net.mat", network(old), compressed)
    assert matlab_files.recognises(path.read_bytes()[:4096])
    contents = load_all(path)
    expected = {f"{n}/{i}": array for n, pair in weights().items() for i, array in enumerate(pair)}
    assert list(contents.arrays) == list(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(contents.arrays[name].load(), array, strict=True)
    assert contents.metadata == {
        "normalization": {"imageSize": [224, 224, 3], "averageImage": [123, 117, 104],
                          "border": [32, 32], "interpolation": "bicubic"},
        "classes": {"name": ["n01440764", "n01443537"],
                    "description": ["tench, Tinca tinca", "goldfish, Carassius auratus"]},
    }  # fmt: skip


def test_a_whole_net_in_one_variable_is_the_same(tmp_path: Path) -> None:
    path = written(tmp_path / "net-epoch-20.mat", {"net": network()})
    assert list(load_all(path).arrays) == ["conv1_1/0", "conv1_1/1", "fc6/0", "fc6/1"]


def test_arrays_are_views_of_the_file(tmp_path: Path) -> None:
    array = matlab_files.read(written(tmp_path / "net.mat", network())).arrays["fc6/0"].load()
    assert not array.flags.owndata
    assert not array.flags.writeable
    assert array.flags.f_contiguous


def test_plain_variables_of_every_type(tmp_path: Path) -> None:
    variables: dict[str, Any] = {
        f"of_{code}": np.arange(6).reshape(2, 3).astype(code)
        for code in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8")
    }
    path = written(
        tmp_path / "plain.mat", variables | {"text": "ab", "rows": np.array(["a", "bc"])}
    )
    contents = load_all(path)
    assert list(contents.arrays) == list(variables)
    for name, array in variables.items():
        np.testing.assert_array_equal(contents.arrays[name].load(), array, strict=True)
    assert contents.metadata == {"text": "ab", "rows": ["a", "bc"]}


def test_doubles_stored_as_bytes_are_doubles(tmp_path: Path) -> None:
    path = tmp_path / "short.mat"
    path.write_bytes(HEADER + matrix(6, (1, 3), element(2, b"\1\2\3")))
    array = matlab_files.read(path).arrays["x"]
    assert array.dtype == np.float64
    np.testing.assert_array_equal(array.load(), [[1.0, 2.0, 3.0]], strict=True)


def test_numbers_of_the_other_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "big.mat"
    header = HEADER[:124] + struct.pack(">H", 0x100) + b"MI"
    body = b"".join((
        struct.pack(">IIII", 6, 8, 7, 0), struct.pack(">IIii", 5, 8, 1, 2),
        struct.pack(">HH4s", 1, 1, b"x"), struct.pack(">IIff", 7, 8, 1.5, -2),
    ))  # fmt: skip
    path.write_bytes(header + struct.pack(">II", 14, len(body)) + body)
    np.testing.assert_array_equal(
        load_all(path).arrays["x"].load(), np.array([[1.5, -2]], np.float32), strict=True
    )


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(kind: int, shape: tuple[int, ...], content: bytes, name: bytes = b"x") -> bytes:
    return element(
        14,
        element(6, struct.pack("<II", kind, 0))
        + element(5, struct.pack(f"<{len(shape)}i", *shape))
        + element(1, name)
        + content,
    )


def compressed(data: bytes) -> bytes:
    deflated = zlib.compress(data, 9)
    return struct.pack("<II", 15, len(deflated)) + deflated


def nested(depth: int) -> bytes:
    """Cells of one cell each, the innermost empty."""
    head = matrix(1, (1, 1), b"", b"")[8:]
    sizes = range(len(head) * depth + 8 * (depth - 1) + 8, 0, -len(head) - 8)
    return b"".join(struct.pack("<II", 14, size) + head for size in sizes[:depth]) + bytes(8)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (nested(100_000), "16 deep"),
        (matrix(7, (1, 2**28), element(7, bytes(8))), "takes 1,073,741,824 bytes"),
        (matrix(1, (2**30, 2**30), b""), "ends within an element"),
        (matrix(2, (2**30, 1), element(5, b"\1\0\0\0") + element(1, b"")), "100,000 elements"),
        (compressed(element(14, bytes(2**23))), "would grow"),
        (compressed(element(14, bytes(2**10)))[:-1] + b"\0", "checksum"),
        (matrix(7, (1, 1), element(7, bytes(4)))[:-8], "beyond what it lies in"),
        (matrix(4, (1, 1), element(16, b"\xff")), "utf-8"),
        (matrix(7, (-1, 1), b""), "shape"),
    ],
)
def test_hostile_files_end_in_one_line(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "hostile.mat"
    path.write_bytes(HEADER + content)
    with pytest.raises(ValueError, match=complaint) as raised:
        load_all(path)
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_a_net_in_version_7_3_gives_the_same(tmp_path: Path, old: bool, whole: bool) -> None:
    variables = {"net": network(old)} if whole else network(old)
    before, after = (
        load_all(write(tmp_path / name, variables))
        for write, name in ((written, "7.mat"), (matlab_7_3.write, "7.3.mat"))
    )
    assert matlab_files.recognises((tmp_path / "7.3.mat").read_bytes()[:4096])
    assert list(after.arrays) == list(before.arrays)
    for name, array in before.arrays.items():
        np.testing.assert_array_equal(after.arrays[name].load(), array.load(), strict=True)
    assert after.metadata == before.metadata


def test_values_of_version_7_3(tmp_path: Path) -> None:
    rows = np.array([list("abc"), list("d  ")])
    path = matlab_7_3.write(tmp_path / "values.mat", {
        "matrix": np.arange(6.0).reshape(2, 3),
        "cube": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "text": "naïve 中",
        "no_text": "",
        "cell": np.array([["a", "b"], ["c", "d"]], object),
        "structures": [{"name": "a", "of": "b"}, {"name": "c", "of": "d"}],
        "structure": {"inner": {"text": "x"}},
    })  # fmt: skip
    with h5py.File(path, "r+") as file:
        letters = file.create_dataset("rows", data=np.vectorize(ord)(rows).T.astype("<u2"))
        letters.attrs["MATLAB_class"] = np.bytes_("char")
        file.create_group("sparse").attrs["MATLAB_sparse"] = np.uint64(3)
        pairs = np.zeros((1, 1), [("real", "f8"), ("imag", "f8")])
        file.create_dataset("complex", data=pairs).attrs["MATLAB_class"] = np.bytes_("double")
    contents = load_all(path)
    assert {name: a.load().tolist() for name, a in contents.arrays.items()} == {
        "matrix": np.arange(6.0).reshape(2, 3).tolist(),
        "cube": np.arange(24.0).reshape(2, 3, 4).tolist(),
    }
    assert contents.metadata == {
        "text": "naïve 中", "no_text": "", "cell": ["a", "c", "b", "d"], "rows": ["abc", "d"],
        "structures": [{"name": "a", "of": "b"}, {"name": "c", "of": "d"}],
        "structure": {"inner": {"text": "x"}},
    }  # fmt: skip


def test_version_7_3_needs_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = matlab_7_3.write(tmp_path / "net.mat", network())
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r": MATLAB 7\.3; h5py reads it: pip install 'vggnet\[ke"):
        matlab_files.read(path)


def test_hostile_files_of_version_7_3_end_in_one_line(tmp_path: Path) -> None:
    inner = matlab_7_3.write(tmp_path / "a.mat", {"a": cells("x")})
    with h5py.File(inner, "r+") as file:
        file["a"][0, 0] = file["a"].ref  # a cell that lies in itself
    large = matlab_7_3.write(tmp_path / "b.mat", {"a": np.zeros((2**12, 2**12))})
    cut = matlab_7_3.write(tmp_path / "c.mat", network())
    cut.write_bytes(cut.read_bytes()[:2000])
    for path, complaint in ((inner, "16 deep"), (large, "out of all proportion"), (cut, "truncat")):
        with pytest.raises(ValueError, match=complaint) as raised:
            load_all(path)
        assert str(raised.value).startswith(f"{path}: MATLAB 7.3; h5py: ")


def test_damaged_files_of_version_7_3_read_or_end_in_one_line(tmp_path: Path) -> None:
    path = matlab_7_3.write(tmp_path / "net.mat", network())
    assert check_damaged(load_all, path, num=12) > 2


def test_layers_of_one_name_are_refused(tmp_path: Path) -> None:
    layer = {"name": "conv1_1", "type": "conv", "weights": cells(np.ones((3, 3)), np.ones((1, 3)))}
    path = written(tmp_path / "twice.mat", {"layers": cells(layer, layer)})
    with pytest.raises(ValueError, match="layer 2 has no name of its own"):
        matlab_files.read(path)


@pytest.mark.parametrize("in_one_piece", [False, True])
def test_damaged_files_read_or_end_in_one_line(tmp_path: Path, in_one_piece: bool) -> None:
    path = written(tmp_path / "net.mat", network(), in_one_piece)
    num_refused = check_damaged(load_all, path, header=128)
    assert num_refused > NUM_VERSIONS / 4
