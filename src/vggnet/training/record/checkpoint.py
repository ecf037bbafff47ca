"""A training run on disk, whole or not at all.

In: a Checkpoint. Out: a file that is always a complete one: it is written beside the old one,
flushed to the disk, and renamed over it. Reading executes nothing.
"""

from __future__ import annotations

import pickle
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from vggnet.atomic import whole_file

FILE_NAME = "checkpoint.pt"  # in the folder of the run
_VERSION = 5


@dataclass(frozen=True)
class Checkpoint:
    """All that a run goes on from, as nested plain values and tensors."""

    recipe: dict[str, Any]
    spec: dict[str, Any]
    data: dict[str, Any]  # the fingerprint of the pictures
    preprocess: dict[str, Any]
    hardware: dict[str, Any]
    run: dict[str, Any]  # weights, optimizer, random states
    progress: dict[str, Any]
    sessions: list[dict[str, Any]]  # provenance
    broken: list[str]  # faults of pictures


def save(path: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint at `path`, atomically. Raises what `whole_file` does."""
    with whole_file(path, only_writer=True) as file:
        torch.save({"version": _VERSION, **vars(checkpoint)}, file)


def load(path: Path) -> Checkpoint:
    """What was last saved. Raises ValueError, a line that names the file, where there is none."""
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no checkpoint to resume from") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: damaged or not a checkpoint ({type(error).__name__})") from None
    if not isinstance(values, dict) or "version" not in values:
        raise ValueError(f"{path}: not a checkpoint of vggnet")
    version = values.pop("version")
    if version not in (2, 3, 4, _VERSION):
        raise ValueError(
            f"{path}: a checkpoint of version {version!r}; this vggnet reads 2 to {_VERSION}"
        )
    differing = {field.name for field in fields(Checkpoint)} ^ set(values)
    if differing:
        listed = ", ".join(sorted(map(str, differing)))
        raise ValueError(f"{path}: damaged: {listed} missing or unknown")
    if version == 2:  # it was always the recipe's, which could not say "auto"
        values["hardware"]["precision"] = values["recipe"].get("precision")
    if version < 4:  # who computed convolutions could not be chosen
        values["hardware"]["convolutions"] = "torch"
    if version < 5:  # there was always one
        values["hardware"]["processes"] = 1
    return Checkpoint(**values)
