import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from damage import check_damaged

from vggnet.weights.containers import Contents
from vggnet.weights.containers.safetensors_files import read, recognises, write

DTYPES = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32",
          "uint16", "uint8", "bool"]  # fmt: skip


def some_arrays() -> dict[str, np.ndarray]:
    numbers = np.random.default_rng(0).integers(0, 100, (2, 3))
    return {dtype: numbers.astype(dtype) for dtype in DTYPES} | {
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), np.float32),
    }


def check(contents: Contents, expected: dict[str, np.ndarray]) -> None:
    assert set(contents.arrays) == set(expected)
    for name, array in expected.items():
        stored = contents.arrays[name]
        assert (stored.shape, stored.dtype) == (array.shape, array.dtype)
        assert stored.load().dtype == array.dtype
        assert stored.load().shape == array.shape
        assert stored.load().tobytes() == array.tobytes()


def load_all(path: Path) -> Contents:
    contents = read(path)
    for array in contents.arrays.values():
        array.load()
    return contents


def test_files_of_the_library(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    safetensors.numpy.save_file(some_arrays(), path, {"format": "pt"})
    assert recognises(path.read_bytes()[:4096])
    contents = read(path)
    check(contents, some_arrays())
    assert contents.container == "safetensors"
    assert contents.metadata == {"format": "pt"}
    array = contents.arrays["float32"].load()
    assert not array.flags.owndata
    assert not array.flags.writeable


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    tensors = {"a": torch.randn(3, 4).bfloat16(), "b": torch.tensor(0.1).bfloat16()}
    safetensors.torch.save_file(tensors, path)
    check(read(path), {name: tensor.float().numpy() for name, tensor in tensors.items()})


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    arrays = some_arrays() | {
        "turned": np.arange(12.0).reshape(3, 4).T,
        "big-endian": np.arange(3, dtype=">f4"),
    }
    write(path, arrays, {"format": "pt", "note": "naïve"})
    loaded = safetensors.numpy.load_file(path)
    arrays["big-endian"] = arrays["big-endian"].astype("<f4")
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()
    with safetensors.safe_open(path, framework="numpy") as file:
        assert file.metadata() == {"format": "pt", "note": "naïve"}
    check(read(path), arrays)


def test_bfloat16_is_written_by_its_bits(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    tensor = torch.randn(3, 5).bfloat16()
    bits = tensor.view(torch.uint16).numpy()
    write(path, {"a": bits, "b": bits}, codes={"a": "BF16"})
    loaded = safetensors.torch.load_file(path)
    assert torch.equal(loaded["a"], tensor)
    assert loaded["b"].dtype == torch.uint16


def test_numbers_that_numpy_or_the_format_lack(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    with pytest.raises(ValueError, match=r"a is complex128, which the format does not hold"):
        write(path, {"a": np.zeros(3, complex)})
    assert not path.exists()
    safetensors.torch.save_file({"a": torch.zeros(3).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(ValueError, match=r"net\.safetensors: a is F8_E4M3, not F64, F32"):
        read(path)


@pytest.mark.parametrize(
    ("entry", "size"),
    [
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}, 8),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, 8),
        ({"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}, 16),
        ({"dtype": "F32", "shape": [3], "data_offsets": [4, 16]}, 16),
        ({"dtype": "F32", "shape": [-3], "data_offsets": [0, 12]}, 12),
        ({"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 0]}, 0),
        ({"dtype": "F32", "shape": [0, 2**62], "data_offsets": [0, 0]}, 0),
        ({"dtype": "F32", "shape": [1] * 40, "data_offsets": [0, 4]}, 4),
    ],
)
def test_headers_that_do_not_fit_the_file(tmp_path: Path, entry: object, size: int) -> None:
    path = tmp_path / "net.safetensors"
    header = json.dumps({"a": entry}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(ValueError, match=r"net\.safetensors: .*(damaged|dimensions)") as fault:
        read(path)
    assert "\n" not in str(fault.value)


def test_a_header_without_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.safetensors"
    monkeypatch.setattr("vggnet.weights.containers.safetensors_files._MOST_ENTRIES", 2)
    write(path, {"a": np.zeros(1), "b": np.zeros(2)}, {"format": "pt"})
    assert len(read(path).arrays) == 2
    write(path, {"a": np.zeros(1), "b": np.zeros(2), "c": np.zeros(3)}, {"format": "pt"})
    with pytest.raises(ValueError, match=r"net\.safetensors: more than 2 entries"):
        read(path)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    arrays = {"conv1_1.weight": np.ones((2, 3), np.float32), "bias": np.ones(2, np.float16)}
    write(path, arrays, {"format": "pt"})
    assert 100 < check_damaged(load_all, path, header=9) < 200
