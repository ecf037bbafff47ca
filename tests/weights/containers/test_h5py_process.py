"""HDF5 that h5py reads in a process of its own: forms that we do not read, hostile, damaged."""

import json
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from damage import check_damaged
from published_forms import keras, small
from small_nets import random_state

from vggnet.weights import files
from vggnet.weights.containers import keras_files
from vggnet.weights.containers.hdf5 import h5py_process, h5py_program

SPEC = small("A")
STATE = random_state(SPEC)
ARRAYS = keras(SPEC, STATE, "{0}/{0}/{1}:0")


@pytest.fixture(autouse=True)
def _temporary_files_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def plain(file: h5py.File) -> None:
    for name, array in ARRAYS.items():
        file[name] = array


def compressed(file: h5py.File) -> None:
    for name, array in ARRAYS.items():
        file.create_dataset(name, data=array, chunks=True, compression="lzf", shuffle=True)


def of_a_named_type(file: h5py.File) -> None:
    file["float"] = np.dtype("<f4")
    for name, array in ARRAYS.items():
        file.create_dataset(name, data=array, dtype=file["float"])


def with_many_attributes(file: h5py.File) -> None:
    plain(file)
    for number in range(40):
        file.attrs[f"a{number}"] = number


FORMS: dict[str, tuple[Callable[[h5py.File], None], dict[str, object]]] = {
    "many groups": (plain, {"libver": "latest"}),
    "chunks": (compressed, {"libver": "latest"}),
    "lzf": (compressed, {}),
    "named type": (of_a_named_type, {}),
    "attributes": (with_many_attributes, {"libver": "latest"}),
    "in order": (plain, {"track_order": True}),
}


def written(path: Path, form: str) -> Path:
    fill, options = FORMS[form]
    with h5py.File(path, "w", **options) as file:
        file.attrs["keras_version"] = "2.15.0"
        fill(file)
    return path


def load_all(path: Path) -> dict[str, np.ndarray]:
    return {name: array.load() for name, array in keras_files.read(path).arrays.items()}


@pytest.mark.parametrize("form", FORMS)
def test_forms_that_are_not_read_here_are_read_by_h5py(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "net.h5", form)
    loaded = files.load(path, colour="RGB")
    assert loaded.spec == SPEC
    assert all(np.array_equal(loaded.state[name], STATE[name]) for name in STATE)
    contents = keras_files.read(path)
    assert contents.container == "HDF5"
    assert contents.metadata == {"keras_version": "2.15.0"}
    found = load_all(path)
    assert set(found) == set(ARRAYS)
    for name, array in found.items():
        np.testing.assert_array_equal(array, ARRAYS[name], strict=True)


def test_these_forms_need_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is read by default does not."""
    paths = [written(tmp_path / f"{form}.h5", form) for form in FORMS]
    with h5py.File(tmp_path / "default.h5", "w") as file:
        plain(file)
    monkeypatch.setitem(sys.modules, "h5py", None)
    assert len(load_all(tmp_path / "default.h5")) == len(ARRAYS)
    for path in paths:
        with pytest.raises(
            ValueError, match=r"h5py reads it: pip install 'vggnet\[keras\]'$"
        ) as it:
            keras_files.read(path)
        assert str(it.value).startswith(f"{path}: HDF5 of a form that is not read here")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_keras_archive_around_such_a_file(tmp_path: Path, method: int) -> None:
    inner = written(tmp_path / "inner.h5", "many groups")
    path = tmp_path / "net.keras"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.0.0"}))
        archive.write(inner, "model.weights.h5")
    found = load_all(path)
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)


def test_bf16_and_attributes_of_every_kind_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    bits = np.arange(12, dtype=np.uint16).reshape(3, 4) << 7
    with h5py.File(path, "w", libver="latest") as file:
        for number in range(20):
            file.create_group(f"layer{number}").attrs["name"] = f"layer {number}"
        file.create_dataset("w", data=bits.view("V2"), chunks=(1, 4))
        file["w"].attrs["dtype"] = "bfloat16"
        file["nothing"] = h5py.Empty("f4")
        file["one"] = np.float32(3)
        file["none"] = np.zeros((0, 3), np.float32)
        file.attrs["names"] = [b"a", b"bc"]
        file.attrs["text"] = "x" * 100_000
        file.attrs["matrix"] = np.eye(3)
        file.attrs["nothing"] = h5py.Empty("f4")
    contents = keras_files.read(path)
    assert contents.metadata == {"text": "x" * 100_000}
    found = {name: array.load() for name, array in contents.arrays.items()}
    assert np.array_equal(found["w"], (bits.astype(np.uint32) << 16).view(np.float32))
    assert found["one"] == 3
    assert found["none"].shape == (0, 3)
    assert found["nothing"].shape == (0,)


def test_large_arrays_are_copied_piece_by_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5py_program, "_PIECE", 100)
    array = np.random.default_rng(0).random((50, 7, 3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, chunks in (("a", None), ("b", (3, 2, 2)), ("c", (50, 7, 3)), ("d", (1, 7, 3))):
            file.create_dataset(name, data=array, chunks=chunks)
    h5py_program.main("hdf5", tmp_path / "a.h5", tmp_path / "b.h5")
    with h5py.File(tmp_path / "b.h5") as file:
        assert all(np.array_equal(file[name][()], array) for name in "abcd")
        assert all(file[name].chunks is None for name in "abcd")


def crowd(file: h5py.File) -> None:
    """So many members that our own reader does not read the list of them."""
    for number in range(20):
        file.create_group(f"g{number}")


def with_links(file: h5py.File) -> None:
    file["other"] = h5py.ExternalLink("other.h5", "/secret")
    file["path"] = h5py.SoftLink("/g0")
    file["here"] = np.float32([1])


def with_a_circle(file: h5py.File) -> None:
    file["g0/again"] = file["/"]


def with_parts_of_other_files(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "secret", (3,))
    file.create_virtual_dataset("w", layout)


def with_numbers_in_another_file(file: h5py.File) -> None:
    file.create_dataset("w", (3,), "f4", external=[("secret.bin", 0, 12)])


def test_links_are_left_out(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.float32([1, 2, 3])
    with h5py.File(tmp_path / "net.h5", "w", libver="latest") as file:
        crowd(file)
        with_links(file)
    assert list(load_all(tmp_path / "net.h5")) == ["here"]


@pytest.mark.parametrize(("fill", "complaint"), [
    (with_a_circle, "groups that hold themselves"),
    (with_parts_of_other_files, "/w: its numbers lie in another file"),
    (with_numbers_in_another_file, "/w: its numbers lie in another file"),
    (lambda file: file.create_dataset("w", (10**6, 10**6), "f4", chunks=True), "out of all prop"),
    (lambda file: file.create_dataset("w", (3,), "f4", chunks=(3,)), "/w: .* was never written"),
    (lambda file: file.create_dataset(
        "w", data=np.ones(3), maxshape=(None,), chunks=(2**20,), compression="gzip"),
        "out of all proportion"),
    (lambda file: file.create_dataset(
        "w", data=np.zeros((2**12, 2**12), "f4"), chunks=True, compression="gzip"), "out of all"),
    (lambda file: file.create_dataset("w", data="text"), "/w: its elements are not numbers"),
    (lambda file: file.create_dataset("w", data=[True]), "/w: its elements are not numbers"),
    (lambda file: file.create_group("/".join("a" * 40)), "more than 16 deep"),
])  # fmt: skip
def test_hostile_files_end_in_one_line(
    tmp_path: Path, fill: Callable[[h5py.File], object], complaint: str
) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    path = tmp_path / "net.h5"
    with h5py.File(path, "w", libver="latest") as file:
        crowd(file)
        fill(file)
    with pytest.raises(ValueError, match=f"; h5py: .*{complaint}") as raised:
        keras_files.read(path)
    assert str(raised.value).startswith(f"{path}: HDF5 of a form")
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(("program", "complaint"), [
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11; the file may"),
    ("raise SystemExit(3)", "ended with status 3"),
    ("import sys; print('a\\n' + 'b\x1b' * 90_000, file=sys.stderr); sys.exit(1)", "x1bb.*b.{,3}$"),
])  # fmt: skip
def test_a_process_that_dies_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, complaint: str
) -> None:
    path = written(tmp_path / "net.h5", "many groups")
    monkeypatch.setattr(h5py_process, "_PROGRAM", ("-c", program))
    with pytest.raises(ValueError, match=f"; h5py: .*{complaint}") as raised:
        keras_files.read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 2000


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "net.h5", "many groups")

    def full(*_: object) -> None:
        raise OSError("Can't write data (no space left on device)")

    monkeypatch.setattr(h5py.Dataset, "__setitem__", full)
    with pytest.raises(ValueError, match=r"no room for it in .*, the folder for temporary files"):
        h5py_program.main("hdf5", path, tmp_path / "temporary" / "x.h5")
    (tmp_path / "temporary" / "x.h5").unlink()


def test_no_module_of_the_working_directory_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "net.h5", "many groups")
    for name in ("h5py", "json", "numpy", "vggnet"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])  # as in a Python that is talked to
    assert len(load_all(path)) == len(ARRAYS)


def test_damaged_files_read_or_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    with h5py.File(path, "w", libver="latest") as file:
        crowd(file)
        file.create_dataset("w", data=np.ones((9, 4)), chunks=(2, 2), compression="gzip")
    assert check_damaged(load_all, path, num=16) > 3
