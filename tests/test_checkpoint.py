"""vggnet.training.checkpoint: whole or not at all, and nothing is executed."""

import os
import pickle
from pathlib import Path

import pytest
import torch

from vggnet.training import checkpoint


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 3, "tensors": {"a": torch.arange(4.0)}})
    values = checkpoint.load(path)
    assert values["step"] == 3
    assert torch.equal(values["tensors"]["a"], torch.arange(4.0))
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1})
    with pytest.raises((AttributeError, TypeError, pickle.PicklingError)):
        checkpoint.save(path, {"step": 2, "bad": lambda: None})
    assert checkpoint.load(path)["step"] == 1


class _Malicious:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "malicious", "foreign"])
def test_damage_is_one_line_that_names_the_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, {"step": 1, "weights": torch.zeros(1000)})
    if kind == "missing":
        path.unlink()
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("not a checkpoint\n" * 50)
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-700])
    elif kind == "malicious":
        torch.save({"version": 1, "step": _Malicious()}, path)
    else:
        torch.save([1, 2], path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: ") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "executed").exists()
