"""Caches of a test's own, so that none of the user's is read or written, and files to put there."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vggnet.weights.published.catalog import Digest, PublishedFile

if TYPE_CHECKING:
    import pytest

BODY = bytes(range(256)) * 40  # of a published file that is small enough to test with


def move_caches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cache lies in `folder`, which is the home as well; nothing listens at the hub."""
    for variable in ("XDG_CACHE_HOME", "TORCH_HOME", "KERAS_HOME", "VGGNET_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.upper(), raising=False)
    monkeypatch.setenv("HOME", str(folder))
    from huggingface_hub import constants as hub

    # It has read its variables when it was imported.
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(hub, "HF_TOKEN_PATH", str(folder / "token"))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", False)
    move_hub("http://127.0.0.1:9", monkeypatch)


def move_hub(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What HF_ENDPOINT does, in a process that has imported huggingface_hub already."""
    from huggingface_hub import constants as hub

    monkeypatch.setattr(hub, "ENDPOINT", address)
    template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(hub, "HUGGINGFACE_CO_URL_TEMPLATE", template)


def small_file(**changes: object) -> PublishedFile:
    """A published file of which BODY is the bytes; by default for a plain address."""
    file = PublishedFile(
        "vgg16@small",
        "vgg16",
        "frossard",
        "small.npz",
        page="https://example.org/small",
        licence="CC BY 4.0",
        num_bytes=len(BODY),
        digest=Digest("sha256", hashlib.sha256(BODY).hexdigest()),
    )
    return replace(file, **changes)  # type: ignore[arg-type]


def hub_file(**changes: object) -> PublishedFile:
    """The same on Hugging Face, under the real names."""
    hub = {
        "name": "vgg16",
        "convention": "timm",
        "file_name": "model.safetensors",
        "repository": "timm/vgg16.tv_in1k",
    }
    return small_file(**(hub | changes))


def put_in_hub_cache(folder: Path, body: bytes = BODY, name: str | None = None) -> Path:
    """Leaves `body` where huggingface_hub would: a blob, and a link to it in a snapshot."""
    repository = folder / "hub" / "models--timm--vgg16.tv_in1k"
    blob = repository / "blobs" / (name or hashlib.sha256(body).hexdigest())
    link = repository / "snapshots" / ("0123456789" * 4) / "model.safetensors"
    for parent in (blob.parent, link.parent, repository / "refs"):
        parent.mkdir(parents=True, exist_ok=True)
    (repository / "refs" / "main").write_text("0123456789" * 4)
    blob.write_bytes(body)
    link.symlink_to(blob)
    return link
