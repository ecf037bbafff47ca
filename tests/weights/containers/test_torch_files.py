import collections
import io
import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import python_2_pickles
import torch
from damage import check_damaged

from vggnet.weights.containers import Contents
from vggnet.weights.containers.torch_files import read, recognises, write

FORMS = pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "stream"])


def save(tree: object, path: Path, is_zip: bool, protocol: int = 2) -> None:
    torch.save(tree, path, _use_new_zipfile_serialization=is_zip, pickle_protocol=protocol)


def load_all(path: Path) -> Contents:
    contents = read(path)
    for array in contents.arrays.values():
        loaded = array.load()
        assert (loaded.shape, loaded.dtype) == (array.shape, array.dtype)
    return contents


def numpy_of(tensor: torch.Tensor) -> np.ndarray:
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()


def check(contents: Contents, expected: dict[str, torch.Tensor]) -> None:
    assert list(contents.arrays) == list(expected)
    for name, tensor in expected.items():
        array = contents.arrays[name].load()
        assert array.dtype == numpy_of(tensor).dtype
        assert array.shape == tuple(tensor.shape)
        assert array.tobytes() == numpy_of(tensor).tobytes()


@FORMS
@pytest.mark.parametrize("protocol", [2, 4])
def test_a_state_dict_of_torch(tmp_path: Path, is_zip: bool, protocol: int) -> None:
    state = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).state_dict()
    path = tmp_path / "net.pth"
    save(state, path, is_zip, protocol)
    assert recognises(path.read_bytes()[:4096])
    contents = read(path)
    check(contents, state)
    assert contents.container == "PyTorch"
    assert contents.metadata == {}


@pytest.mark.parametrize(("writer", "protocol", "is_zip"), [
    *((pickle, protocol, is_zip) for protocol in range(5) for is_zip in (True, False)),
    *((python_2_pickles, protocol, False) for protocol in range(3)),
])  # fmt: skip
def test_a_dictionary_of_numpy_arrays(
    tmp_path: Path, writer: object, protocol: int, is_zip: bool
) -> None:
    """torch.save({name: tensor.numpy()}), where the whole net is in the pickle."""
    state = {f"features.{i}.weight": torch.randn(60, 100 * (1 + i % 3)) for i in range(12)}
    path = tmp_path / "net.pth"
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    torch.save(arrays, path, writer, protocol, is_zip)
    assert recognises(path.read_bytes()[:4096])
    check(load_all(path), state)


@FORMS
def test_nested_trees_parameters_and_plain_values(tmp_path: Path, is_zip: bool) -> None:
    weight = torch.nn.Parameter(torch.randn(2, 3))
    tree = {
        "epoch": 3,
        "arch": "vgg16",
        "best": np.float64(0.5),
        "classes": ["cat", "dog"],
        "state_dict": collections.OrderedDict([("features.0.weight", weight)]),
        "optimizer": {"state": {0: {"momentum": torch.ones(2)}}, "lr": 0.1},
        "size": torch.Size([2, 3]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "nothing": None,
    }
    path = tmp_path / "checkpoint.pt"
    save(tree, path, is_zip)
    contents = read(path)
    check(
        contents,
        {
            "state_dict.features.0.weight": weight,
            "optimizer.state.0.momentum": torch.ones(2),
        },
    )
    assert contents.metadata == {
        "epoch": 3,
        "arch": "vgg16",
        "best": 0.5,
        "classes": ["cat", "dog"],
        "optimizer.lr": 0.1,
        "size": [2, 3],
        "dtype": "torch.float32",
        "device": "cpu",
        "nothing": None,
    }


@FORMS
def test_strides_offsets_and_shared_storages(tmp_path: Path, is_zip: bool) -> None:
    base = torch.arange(60.0).reshape(3, 4, 5)
    tensors = {
        "base": base,
        "part": base[1:, ::2, 1:],
        "turned": base.permute(2, 0, 1),
        "scalar": base[2, 3, 4],
        "empty": base[:0],
        "one": base[1:2, 3:4, 2:3],
    }
    path = tmp_path / "net.pth"
    save(tensors, path, is_zip)
    contents = read(path)
    check(contents, tensors)
    loaded = {name: array.load() for name, array in contents.arrays.items()}
    assert np.shares_memory(loaded["base"], loaded["base"])
    assert not loaded["turned"].flags.writeable
    assert loaded["turned"].strides == (4, 80, 20)


@FORMS
@pytest.mark.parametrize(
    "dtype",
    ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8",
     "bool"],
)  # fmt: skip
def test_numbers_of_every_type(tmp_path: Path, is_zip: bool, dtype: str) -> None:
    tensor = torch.tensor([-1.5, 0.0, 1.0, 3.140625, 100.0]).to(getattr(torch, dtype))
    path = tmp_path / "net.pth"
    save({"a": tensor}, path, is_zip)
    check(read(path), {"a": tensor})


def test_numbers_that_only_new_files_hold(tmp_path: Path) -> None:
    tensor = torch.arange(5).to(torch.uint16)
    save({"a": tensor}, tmp_path / "net.pth", True)
    check(read(tmp_path / "net.pth"), {"a": tensor})
    save({"a": torch.zeros(3, dtype=torch.complex64)}, tmp_path / "net.pth", True)
    with pytest.raises(ValueError, match=r"net\.pth: asks for torch\.ComplexFloatStorage"):
        read(tmp_path / "net.pth")


@FORMS
def test_arrays_lie_in_the_mapped_file(tmp_path: Path, is_zip: bool) -> None:
    save({"a": torch.ones(1000)}, tmp_path / "net.pth", is_zip)
    base: object = read(tmp_path / "net.pth").arrays["a"].load()
    while base is not None and not isinstance(base, np.memmap):
        base = getattr(base, "base", None)
    assert isinstance(base, np.memmap)


def test_big_endian_files(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    save({"a": torch.arange(4.0)}, path, True)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            if name.endswith("/data/0"):
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            archive.writestr(name, b"big" if name.endswith("byteorder") else data)
    assert read(path).arrays["a"].load().tolist() == [0, 1, 2, 3]


def stream(tree: bytes, keys: list[str], storages: list[bytes]) -> bytes:
    """A file of 2017 around a pickled tree."""
    head = b"".join(pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, {}))
    return head + tree + pickle.dumps(keys, 2) + b"".join(storages)


def tensor_program(part: bytes = b"N", offset: int = 0, size: int = 3) -> bytes:
    """A tensor as PyTorch 0.3 pickles it: by _rebuild_tensor, of a storage with six fields."""
    return (
        b"\x80\x02}U\x01actorch._utils\n_rebuild_tensor\n((U\x07storagectorch.cuda\nFloatStorage\n"
        b"U\x01kU\x06cuda:0K\x06" + part + b"tQK" + bytes([offset]) + b"K" + bytes([size])
        + b"\x85K\x01\x85tRs."
    )  # fmt: skip


def test_files_of_the_first_releases(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    storage = struct.pack("<q", 6) + numbers.tobytes()
    path = tmp_path / "old.pth"
    path.write_bytes(stream(tensor_program(offset=2), ["k"], [storage]))
    assert recognises(path.read_bytes())
    assert read(path).arrays["a"].load().tolist() == [2, 3, 4]
    path.write_bytes(stream(tensor_program(b"U\x01vK\x01K\x05\x87"), ["k"], [storage]))
    assert read(path).arrays["a"].load().tolist() == [1, 2, 3]
    path.write_bytes(stream(tensor_program(offset=4), ["k"], [storage]))
    with pytest.raises(ValueError, match=r"a: shape \(3,\) reaches beyond the 6 numbers"):
        read(path)
    path.write_bytes(stream(tensor_program(size=7), ["k"], [storage]))
    with pytest.raises(ValueError, match=r"a: shape \(7,\) reaches beyond the 6 numbers"):
        read(path)
    path.write_bytes(stream(tensor_program(), ["k"], [struct.pack("<q", 5) + bytes(20)]))
    with pytest.raises(ValueError, match="storage 'k' of 24 bytes has 20"):
        read(path)
    path.write_bytes(stream(tensor_program(), [], []))
    with pytest.raises(ValueError, match="a: damaged: the file does not hold its storage"):
        read(path)
    path.write_bytes(stream(tensor_program(), ["k", "l"], [storage] * 2))
    with pytest.raises(ValueError, match="nothing refers to storage 'l'"):
        read(path)


@FORMS
def test_one_number_for_many_elements_is_refused(tmp_path: Path, is_zip: bool) -> None:
    save({"a": torch.ones(1).expand(10**12)}, tmp_path / "net.pth", is_zip)
    with pytest.raises(ValueError, match=r"a: shape .* reaches beyond the 1 numbers"):
        read(tmp_path / "net.pth")


@FORMS
def test_a_whole_model_says_what_to_do(tmp_path: Path, is_zip: bool) -> None:
    path = tmp_path / "net.pth"
    save(torch.nn.Sequential(torch.nn.Linear(2, 2)), path, is_zip)
    with pytest.raises(ValueError, match=r"asks for torch\.nn\.modules\.container\.Seq.*") as fault:
        read(path)
    assert str(fault.value).endswith(
        "Sequential; only tensors and plain containers are read; load it in PyTorch, if you trust "
        "it, and save the state_dict() alone"
    )


def test_other_zip_files(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    with pytest.warns(DeprecationWarning, match=r"torch\.jit"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    assert recognises(path.read_bytes()[:4096])
    with pytest.raises(ValueError, match=r"net\.pt: a TorchScript program; load it with torch\.j"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("picture.png", b"")
    assert not recognises(path.read_bytes())
    with pytest.raises(ValueError, match=r"net\.pt: not a file of PyTorch"):
        read(path)


@FORMS
def test_nothing_is_executed(tmp_path: Path, is_zip: bool) -> None:
    class Attack:
        def __reduce__(self) -> object:
            return exec, (f"open({str(tmp_path / 'executed')!r}, 'w')",)

    path = tmp_path / "net.pth"
    save({"state_dict": {"a": torch.ones(2)}, "b": Attack()}, path, is_zip)
    with pytest.raises(ValueError, match=r"net\.pth: asks for (builtins|__builtin__)\.exec; only"):
        read(path)
    assert not (tmp_path / "executed").exists()


def arrays_to_write() -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {
        "features.0.weight": random.standard_normal((4, 3, 3, 3)).astype(np.float32),
        "turned": random.standard_normal((5, 7)).astype(np.float16).T,
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), np.float32),
        "num_batches_tracked": np.array(7, np.int64),
        "flags": np.array([True, False]),
    }


def test_torch_loads_what_is_written(tmp_path: Path) -> None:
    path, arrays = tmp_path / "net.pth", arrays_to_write()
    write(path, arrays)
    assert recognises(path.read_bytes()[:4096])
    for is_mapped in (False, True):
        loaded = torch.load(path, weights_only=True, mmap=is_mapped)
        assert list(loaded) == list(arrays)
        for name, array in arrays.items():
            assert loaded[name].shape == array.shape
            assert loaded[name].numpy().dtype == array.dtype
            assert loaded[name].numpy().tobytes() == array.tobytes()
    check(read(path), loaded)


def test_bfloat16_is_written_by_its_bits(tmp_path: Path) -> None:
    tensor = torch.randn(3, 5).to(torch.bfloat16)
    write(tmp_path / "net.pth", {"a": tensor.view(torch.uint16).numpy()}, bfloat16=True)
    loaded = torch.load(tmp_path / "net.pth", weights_only=True)["a"]
    assert loaded.dtype == torch.bfloat16
    assert torch.equal(loaded, tensor)
    check(read(tmp_path / "net.pth"), {"a": tensor})


def test_storages_are_aligned_and_the_file_is_the_same_each_time(tmp_path: Path) -> None:
    write(tmp_path / "a.pth", arrays_to_write())
    write(tmp_path / "b.pth", arrays_to_write())
    whole = (tmp_path / "a.pth").read_bytes()
    assert whole == (tmp_path / "b.pth").read_bytes()
    for name, array in arrays_to_write().items():
        if array.size > 2:
            assert whole.index(array.tobytes()) % 64 == 0, name


def test_numbers_that_torch_does_not_store(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"net\.pth: a is uint16, which the format does not hold"):
        write(tmp_path / "net.pth", {"a": np.zeros(3, np.uint16)})
    assert not list(tmp_path.iterdir())


@FORMS
def test_damaged_files(tmp_path: Path, is_zip: bool) -> None:
    path = tmp_path / "net.pth"
    tensors = {"a.weight": torch.randn(2, 3), "a.bias": torch.randn(2).to(torch.bfloat16)}
    save({"epoch": 1, "state_dict": tensors}, path, is_zip)
    num_refused = check_damaged(load_all, path, header=32)
    assert 100 < num_refused < 200


def test_damaged_pickles_in_a_sound_zip(tmp_path: Path) -> None:
    """The checksums of the zip are not looked at, so this is what damage in the pickle meets."""
    file = io.BytesIO()
    torch.save({"a": torch.randn(2, 3), "b": torch.randn(4)[1:]}, file)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    path = tmp_path / "data.pkl"
    path.write_bytes(members["archive/data.pkl"])

    def load_in_zip(pickled: Path) -> None:
        members["archive/data.pkl"] = pickled.read_bytes()
        whole = tmp_path / "net.pth"
        with zipfile.ZipFile(whole, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        try:
            load_all(whole)
        except ValueError as error:
            raise ValueError(str(error).replace(str(whole), str(pickled), 1)) from None

    assert 100 < check_damaged(load_in_zip, path, header=4) < 200
