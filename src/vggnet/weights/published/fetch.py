"""A published weight file by its name: the copy that is on this disk, else downloaded once.

In: a name of the catalog. Out: the path of a file whose digest is the published one, or that which
the hub states; only of a copy that lies here without either is the size all that is compared.
Files on Hugging Face go through huggingface_hub into its own cache, where other tools find them;
the rest goes into ours. What is not verified never stands where a verified file would.
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from vggnet.atomic import put_in_place
from vggnet.weights.published.caches import cache_folder, copies, fault, own_path
from vggnet.weights.published.catalog import Digest, PublishedFile, published
from vggnet.weights.published.download import (
    DownloadError,
    Patience,
    Report,
    check_space,
    discard,
    download,
)

_log = logging.getLogger("vggnet")


def find(file: str | PublishedFile) -> Path | None:
    """A verified copy of the file in any cache on this disk, or None.

    A copy that is not what was published is passed over, with one line in the log "vggnet". Raises
    ValueError for a name that is not in the catalog.
    """
    file = published(file) if isinstance(file, str) else file
    for copy in copies(file):
        if copy.fault is None:
            return copy.path
        _log.warning("%s: %s is not used: %s", file.name, copy.path, copy.fault)
    return None


def fetch(
    file: str | PublishedFile, *, progress: bool = True, patience: Patience | None = None
) -> Path:
    """What `find` finds, else `get`s."""
    return find(file) or get(file, progress=progress, patience=patience)


def get(
    file: str | PublishedFile, *, progress: bool = True, patience: Patience | None = None
) -> Path:
    """Downloads the file; the path where it lies afterwards.

    `progress` draws a bar on standard error where that is a terminal; `patience` is that with
    servers which are not Hugging Face. Raises ValueError, in one line that begins with the name,
    where the file cannot be had (what to do by hand is then said) or is not what was published.
    """
    file = published(file) if isinstance(file, str) else file
    by_hand = f"download {file.file_name} from {file.page} and put it at {own_path(file)}"
    try:
        with _bar(file.name, progress) as report:
            if file.repository is not None:
                return _from_hub(file, file.repository, report)
            if file.url is not None:
                return _from_url(file, file.url, report, patience or Patience())
        raise DownloadError("only a browser can fetch it")
    except DownloadError as error:
        raise ValueError(f"{file.name}: {error}; {by_hand}") from None
    except OSError as error:
        folder = error.filename or cache_folder()
        variable = "HF_HOME" if file.repository else "VGGNET_CACHE"
        raise ValueError(
            f"{file.name}: {folder}: {error.strerror or error}; {variable} names another folder"
        ) from None


def _from_url(file: PublishedFile, url: str, report: Report, patience: Patience) -> Path:
    target = own_path(file)
    partial = target.with_name(f"{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    with _locked(file, target):
        if target.is_file() and fault(target, file) is None:  # another process has brought it
            return target
        at_most = file.num_bytes or 2 * file.approximate_bytes
        download(url, partial, file.num_bytes, at_most, report, patience)
        if wrong := fault(partial, file):
            discard(partial)
            raise DownloadError(f"what {url} gives is not the file that was published: {wrong}")
        put_in_place(partial, target)
        discard(partial)
    return target


@contextmanager
def _locked(file: PublishedFile, target: Path) -> Iterator[None]:
    """Only one process is in here; the system frees the lock of one that dies."""
    from filelock import FileLock, Timeout

    lock = FileLock(target.with_name(f"{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _log.warning("%s: waiting for another process that fetches it", file.name)
        lock.acquire()
    except NotImplementedError:
        raise OSError(errno.ENOLCK, "files cannot be locked there", str(target.parent)) from None
    try:
        yield
    finally:
        lock.release()


def _from_hub(file: PublishedFile, repository: str, report: Report) -> Path:
    """Through huggingface_hub: HF_ENDPOINT, HF_HUB_OFFLINE and its own lock and resumption hold."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
    from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE, HF_HUB_OFFLINE

    if HF_HUB_OFFLINE:
        raise DownloadError("HF_HUB_OFFLINE forbids to download it")
    faulty = any(copy.cache == "Hugging Face" for copy in copies(file))
    try:
        # One question first, not repeated: where there is no network the answer is quick.
        there = get_hf_file_metadata(hf_hub_url(repository, file.file_name))
        file = _as_stated(file, there.etag, there.size)
        Path(HF_HUB_CACHE).mkdir(parents=True, exist_ok=True)
        check_space(Path(HF_HUB_CACHE), there.size or file.approximate_bytes)
        path = Path(
            hf_hub_download(
                repository, file.file_name, force_download=faulty, tqdm_class=_hub_bar(report)
            )
        )
    except DownloadError:
        raise
    except Exception as error:  # of the library, its HTTP client and its storage, in many kinds
        if isinstance(error, OSError) and error.errno is not None:  # of this disk
            raise
        raise DownloadError(f"{repository} on {ENDPOINT}: {_first_words(error)}") from None
    if wrong := fault(path, file):
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise DownloadError(f"what {repository} gives is not the published file: {wrong}")
    return path


def _as_stated(file: PublishedFile, etag: str | None, size: int | None) -> PublishedFile:
    """The file with the digest that the hub states before a byte is sent; raises for another's."""
    if None not in (size, file.num_bytes) and size != file.num_bytes:
        raise DownloadError(f"the file there has {size:,} bytes, not {file.num_bytes:,}")
    if etag is None or not re.fullmatch("[0-9a-f]{64}", etag):
        return file
    if file.digest and not etag.startswith(file.digest.digits):
        raise DownloadError(
            f"the file on Hugging Face has changed: expected {file.digest}, found sha256 {etag}"
        )
    return replace(file, digest=Digest("sha256", etag))


def _first_words(error: Exception) -> str:
    """What the server answered, or a library's first sentence, without its pieces of advice."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason_phrase}".rstrip()
    text = re.sub(r"^\[Errno -?[0-9]+\] ", "", " ".join(str(error).split()))
    return (re.split(r"(?<=[a-z])\.(?: |$)", text)[0] or type(error).__name__)[:300]


@contextmanager
def _bar(name: str, wanted: bool) -> Iterator[Report]:
    """A bar on standard error, if that is a terminal; gives the function that moves it."""
    if not wanted:
        yield lambda received, whole: None
        return
    from rich.progress import DownloadColumn, TransferSpeedColumn

    from vggnet.progress import bar

    with bar("{task.description}", DownloadColumn(), TransferSpeedColumn()) as progress:
        task = progress.add_task(name, total=None)
        yield lambda received, whole: progress.update(task, completed=received, total=whole)


def _hub_bar(report: Report) -> type[Any]:
    """What huggingface_hub takes for a progress bar; it draws nothing and hands on its numbers."""
    from tqdm import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *, total: float | None = None, initial: int = 0, **_: object) -> None:
            super().__init__(total=total, initial=initial, disable=True)

        def update(self, n: float | None = 1) -> None:
            self.n += n or 0
            report(int(self.n), None if self.total is None else int(self.total))

        # Of bytes on the wire, compressed, it keeps a second account.
        def update_transfer(self, n: float) -> None: ...
        def set_transfer_postfix_str(self, text: str, refresh: bool = True) -> None: ...

    return Bar
