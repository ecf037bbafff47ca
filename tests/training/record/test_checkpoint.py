"""vggnet.training.record.checkpoint: whole or not at all, and nothing is executed."""

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from full_disk import full_disk

from vggnet.training.record import checkpoint
from vggnet.training.record.checkpoint import Checkpoint

SMALL = Checkpoint({"seed": 3}, {}, {}, {}, {}, {"weights": torch.arange(1000.0)}, {}, [], ["a"])


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, SMALL)
    loaded = checkpoint.load(path)
    assert loaded.recipe == {"seed": 3}
    assert loaded.broken == ["a"]
    assert torch.equal(loaded.run["weights"], SMALL.run["weights"])
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_one_of_the_version_before_computes_as_its_recipe_says(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    old = replace(SMALL, recipe={"precision": "bf16"}, hardware={"device": "cpu", "threads": 3})
    torch.save({"version": 2, **vars(old)}, path)
    hardware = {"device": "cpu", "threads": 3, "precision": "bf16"}
    alone = {"convolutions": "torch", "processes": 1}
    assert checkpoint.load(path).hardware == hardware | alone
    torch.save({"version": 3, **vars(replace(SMALL, hardware=hardware))}, path)
    assert checkpoint.load(path).hardware == hardware | alone
    hardware["convolutions"] = "native"
    torch.save({"version": 4, **vars(replace(SMALL, hardware=hardware))}, path)
    assert checkpoint.load(path).hardware == {**hardware, "processes": 1}


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, SMALL)
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        checkpoint.save(path, replace(SMALL, recipe={"seed": lambda: None}))
    assert checkpoint.load(path).recipe == {"seed": 3}


def test_it_is_on_the_disk_before_it_has_the_name_and_so_is_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, flushed = tmp_path / "checkpoint.pt", []

    def fsync(file: int) -> None:
        status = os.fstat(file)
        flushed.append((status.st_ino, status.st_size, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    checkpoint.save(path, SMALL)
    file, folder = path.stat(), tmp_path.stat()
    assert flushed == [
        (file.st_ino, file.st_size, False),
        (folder.st_ino, folder.st_size, True),
    ]


def test_a_full_disk_is_named_and_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, SMALL)
    with pytest.raises(OSError, match="make room") as caught, full_disk():
        checkpoint.save(path, replace(SMALL, recipe={"seed": 4}))
    assert caught.value.filename == str(path)
    assert checkpoint.load(path).recipe == {"seed": 3}
    assert list(tmp_path.iterdir()) == [path]


class _Malicious:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return os.mkdir, ("executed",)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("missing", "there is no checkpoint"),
        ("empty", "damaged or not a checkpoint"),
        ("text", "damaged or not a checkpoint"),
        ("truncated", "damaged or not a checkpoint"),
        ("malicious", "damaged or not a checkpoint"),
        ("foreign", "not a checkpoint of vggnet"),
        ("older", "a checkpoint of version 1; this vggnet reads 2 to 5"),
        ("newer", "a checkpoint of version 6; this vggnet reads 2 to 5"),
        ("without fields", "damaged: broken, data, hardware, preprocess, .* missing or unknown"),
    ],
)
def test_damage_is_one_line_that_names_the_file(
    kind: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, SMALL)
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a checkpoint\n" * 50)
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-700])
    elif kind == "malicious":
        torch.save({"version": 2, "recipe": _Malicious()}, path)
    elif kind == "foreign":
        torch.save([1, 2], path)
    else:
        torch.save({"version": {"older": 1, "newer": 6}.get(kind, 3)}, path)
    with pytest.raises(ValueError, match=rf"checkpoint\.pt: {text}") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()
