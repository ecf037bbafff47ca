"""Where published files already lie on this disk: our own cache and those that other tools leave.

In: a `PublishedFile`. Out: the copies that are here, each verified by its digest before it is used,
in place. Where neither the catalog nor the hub's cache says the digest, a copy is held to the size
of its parameters and no more is known of it. A digest that was verified is remembered, so that half
a gigabyte is not read at every start; a file counts as the same while its inode, size and time stay
what they were.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vggnet.atomic import whole_file
from vggnet.weights.published.catalog import CATALOG, Digest, PublishedFile

_REMEMBERED = "verified.json"
_MOST_NAMES = 1_000_000  # bytes in a file beside its parameters: their names, shapes and places


@dataclass(frozen=True)
class Copy:
    """A file that is there; `fault` says why it is not what was published, None where it is."""

    cache: str
    path: Path
    fault: str | None


def cache_folder() -> Path:
    """Where `vggnet` keeps what it fetches: $VGGNET_CACHE, else the system's folder for caches."""
    if folder := os.environ.get("VGGNET_CACHE"):
        return Path(folder).expanduser()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "vggnet" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vggnet"
    return _xdg_cache() / "vggnet"


def own_path(file: PublishedFile) -> Path:
    """Where the file lies in our own cache, or is put by hand."""
    return cache_folder() / file.name / file.file_name


def copies(file: PublishedFile) -> Iterator[Copy]:
    """Every copy that is here, verified one by one; those of our own cache come first.

    After them those of a file with the same weights, which has a digest of its own.
    """
    files = [file] if file.same_weights is None else [file, CATALOG[file.same_weights]]
    for each in files:
        for cache, path in _places(each):
            if path.is_file():
                yield Copy(cache, path, fault(path, each))


def fault(path: Path, file: PublishedFile) -> str | None:
    """Why the bytes at `path` are not the published ones, in a few words; None where they are.

    Without a digest only the size is compared.
    """
    digest = file.digest or _digest_of_the_hub(path)
    try:
        num_bytes = path.stat().st_size
        if file.num_bytes not in (None, num_bytes):
            return f"it has {num_bytes:,} bytes, not {file.num_bytes:,}"
        if digest is None:
            least = file.approximate_bytes
            if least <= num_bytes <= least + _MOST_NAMES:
                return None
            return (
                f"it cannot be verified: its digest is not known, and it has {num_bytes:,} bytes, "
                f"not {least:,} or little more"
            )
        found = _digits(path, digest)
    except OSError as error:
        return error.strerror or "it cannot be read"
    if found.startswith(digest.digits):
        return None
    return f"expected {digest}, found {Digest(digest.algorithm, found)}"


def _places(file: PublishedFile) -> Iterator[tuple[str, Path]]:
    yield "vggnet", own_path(file)
    if file.repository is not None:
        from huggingface_hub.constants import HF_HUB_CACHE

        # Of any revision: the digest tells whether it is the same file.
        repository = Path(HF_HUB_CACHE) / f"models--{file.repository.replace('/', '--')}"
        for path in sorted(repository.glob(f"snapshots/*/{file.file_name}")):
            yield "Hugging Face", path
    elif file.convention in ("torchvision", "torchvision-features"):
        torch_home = os.environ.get("TORCH_HOME") or _xdg_cache() / "torch"
        yield "torch hub", Path(torch_home).expanduser() / "hub" / "checkpoints" / file.file_name
    elif file.convention == "keras":
        keras_home = os.environ.get("KERAS_HOME") or "~/.keras"
        yield "Keras", Path(keras_home).expanduser() / "models" / file.file_name


def _xdg_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()


def _digest_of_the_hub(path: Path) -> Digest | None:
    """The sha256 that Hugging Face gave: in its cache a large file's contents are called by it."""
    name = path.resolve().name
    return Digest("sha256", name) if re.fullmatch("[0-9a-f]{64}", name) else None


def _digits(path: Path, digest: Digest) -> str:
    """The file's own digest, computed or remembered."""
    status = path.stat()
    key = f"{digest.algorithm} {status.st_dev}:{status.st_ino}"  # a file that is renamed keeps it
    state = [status.st_size, status.st_mtime_ns]
    found, *state_then = _remembered().get(key, [""])
    if state_then == state and str(found).startswith(digest.digits):
        return str(found)
    with path.open("rb") as opened:
        hasher = hashlib.new(digest.algorithm, usedforsecurity=False)
        while piece := opened.read(1 << 20):
            hasher.update(piece)
    found = hasher.hexdigest()
    if found.startswith(digest.digits):
        _remember(key, [found, *state])
    return found


def _remembered() -> dict[str, list[object]]:
    """{"sha256 device:inode": [digits, size, time]}; empty where it is missing or damaged."""
    try:
        entries = json.loads((cache_folder() / _REMEMBERED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {key: entry for key, entry in entries.items() if isinstance(entry, list) and entry}


def _remember(key: str, entry: list[object]) -> None:
    # Where two processes write at once one entry is lost, and that file read once more; where
    # nothing can be written it is read each time.
    with suppress(OSError):
        cache_folder().mkdir(parents=True, exist_ok=True)
        entries = _remembered() | {key: entry}
        with whole_file(cache_folder() / _REMEMBERED) as opened:
            opened.write(json.dumps(entries, indent=1).encode())
