"""A training run on disk, whole or not at all.

In: nested plain values and tensors. Out: a file that is always a complete checkpoint: it is written
beside the old one, flushed to the disk, and renamed over it. Reading executes nothing.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

_VERSION = 1


def save(path: Path, values: dict[str, Any]) -> None:
    """Replace the checkpoint at `path`, atomically."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as file:
        torch.save({"version": _VERSION, **values}, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def load(path: Path) -> dict[str, Any]:
    """The values last saved. Raises ValueError, which names the file, where there are none."""
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no checkpoint to resume from") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: damaged or not a checkpoint ({type(error).__name__})") from None
    if not isinstance(values, dict) or values.get("version") != _VERSION:
        raise ValueError(f"{path}: not a checkpoint of this version of vggnet")
    return values
