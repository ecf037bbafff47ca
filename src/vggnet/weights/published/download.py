"""One address into one file, over connections that break.

In: an address and the path of a partial file. Out: that file, whole, on the disk. What an earlier
attempt or process left of it is kept: only the rest is asked for (RFC 9110, Section 14), and only
where the server says, by its ETag or date, that it is still the same file (If-Range, Section
13.1.5). Nothing here knows what the bytes should be; `fetch` compares them with the digest.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

Report = Callable[[int, int | None], None]  # bytes that are here, bytes of the whole or None
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # answers of a server that may be well again soon
_LONGEST_WAIT = 60.0  # seconds, whatever Retry-After asks for


@dataclass(frozen=True)
class Patience:
    """When to give up.

    `timeout` is in seconds without a byte on one connection, `attempts` how many in a row may get
    no further than those before, `wait` the seconds before the second of them; it doubles before
    each next.
    """

    timeout: float = 30.0
    attempts: int = 5
    wait: float = 1.0


class DownloadError(ValueError):
    """Why the file did not come; its name is left to the caller."""


class _Interrupted(Exception):
    """What may go better on the next attempt, and for how long the server asks to be left alone."""

    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


def download(
    url: str,
    partial: Path,
    num_bytes: int | None,
    at_most: int,
    report: Report,
    patience: Patience,
) -> None:
    """Completes `partial`, beside which a `.json` file says what it is a part of.

    `num_bytes` is the length of the whole where it is known; no more than `at_most` bytes are
    written. Ctrl-C and most errors leave the partial file for the next time. Raises DownloadError,
    and OSError where the disk does not take the bytes.
    """
    import httpx2

    headers = {"Accept-Encoding": "identity", "User-Agent": "vggnet"}
    with httpx2.Client(follow_redirects=True, timeout=patience.timeout, headers=headers) as client:
        most = failures = 0
        while True:
            try:
                _continue(client, url, partial, num_bytes, at_most, report)
                return
            except _Interrupted as error:
                interruption = error
            except httpx2.TransportError as error:
                reason = _words(error, patience)
                unreachable = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
                lasting = isinstance(error, httpx2.ProxyError | httpx2.UnsupportedProtocol)
                if lasting or (unreachable and not failures):  # waiting would only hide it
                    host = error.request.url.host
                    raise DownloadError(f"{host} cannot be reached: {reason}") from None
                interruption = _Interrupted(reason)
            except (httpx2.RequestError, httpx2.InvalidURL) as error:
                raise DownloadError(_words(error, patience)) from None
            # What starts anew again and again makes no headway, though bytes come.
            failures = 1 if _size(partial) > most else failures + 1
            most = max(most, _size(partial))
            if failures >= patience.attempts:
                raise DownloadError(f"gave up after {failures} attempts in a row: {interruption}")
            time.sleep(max(patience.wait * 2 ** (failures - 1), interruption.seconds))


def discard(partial: Path) -> None:
    """Forgets what was received, so that the next attempt starts anew."""
    partial.unlink(missing_ok=True)
    _origin_path(partial).unlink(missing_ok=True)


def check_space(folder: Path, num_bytes: int) -> None:
    """Raises OSError where the disk of `folder` has no room for so many bytes."""
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        reason = f"{num_bytes:,} bytes are to come and {free:,} are free"
        raise OSError(errno.ENOSPC, reason, str(folder))


def _continue(
    client: httpx2.Client,
    url: str,
    partial: Path,
    num_bytes: int | None,
    at_most: int,
    report: Report,
) -> None:
    """One request for what is still lacking; raises where some of it is lacking after that too."""
    validator = _validator(partial, url)
    received = _size(partial) if validator else 0
    if received and received == num_bytes:
        return
    headers = {"Range": f"bytes={received}-", "If-Range": validator} if validator else {}
    with client.stream("GET", url, headers=headers if received else {}) as response:
        _refuse(response)
        total = _total(response, received)
        if response.status_code == 416 and total == received:
            return
        if response.status_code != 200 and (total is None or total < received):
            discard(partial)
            raise _Interrupted("the server does not give the part that was asked for")
        if response.status_code == 200:
            received = 0
            discard(partial)
            _remember_origin(partial, url, response)
        if num_bytes is not None and total not in (None, num_bytes):
            raise DownloadError(f"the server has {total:,} bytes, not the expected {num_bytes:,}")
        whole = num_bytes if total is None else total
        check_space(partial.parent, (at_most if whole is None else whole) - received)
        report(received, whole)
        with partial.open("ab") as file:
            for piece in response.iter_raw():
                received += len(piece)
                if received > at_most:
                    raise DownloadError(f"the server sends more than {at_most:,} bytes")
                file.write(piece)
                file.flush()  # so that it outlives a kill
                report(received, whole)
            os.fsync(file.fileno())
    if whole is not None and received < whole:
        raise _Interrupted(f"the connection ended after {received:,} of {whole:,} bytes")


def _refuse(response: httpx2.Response) -> None:
    """Raises for any answer that says nothing about the file's bytes."""
    status = response.status_code
    if status in (200, 206, 416):
        return
    answer = f"the server answered {status} {response.reason_phrase}".rstrip()
    if status not in _PASSING:
        raise DownloadError(answer)
    seconds = response.headers.get("Retry-After", "")
    asked = float(seconds) if re.fullmatch("[0-9]{1,9}", seconds) else 0.0
    raise _Interrupted(answer, min(asked, _LONGEST_WAIT))


def _total(response: httpx2.Response, asked_from: int) -> int | None:
    """How long the whole file is; None: not said, or of another part than was asked for."""
    if response.status_code == 200:
        pattern, header = "([0-9]{1,15})", "Content-Length"
    elif response.status_code == 206:
        pattern, header = f"bytes {asked_from}-[0-9]+/([0-9]{{1,15}})", "Content-Range"
    else:
        pattern, header = r"bytes \*/([0-9]{1,15})", "Content-Range"
    match = re.fullmatch(pattern, response.headers.get(header, ""))
    return int(match[1]) if match else None


def _origin_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _remember_origin(partial: Path, url: str, response: httpx2.Response) -> None:
    """Writes, beside the partial file, by what the server knows the file that it is a part of."""
    tag = response.headers.get("ETag", "")
    # A weak tag says nothing about single bytes.
    validator = tag if tag.startswith('"') else response.headers.get("Last-Modified")
    if validator:
        _origin_path(partial).write_text(json.dumps({"url": url, "validator": validator}))


def _validator(partial: Path, url: str) -> str | None:
    """The ETag or date of the partial file; None where it cannot be continued."""
    try:
        origin = json.loads(_origin_path(partial).read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(origin, dict) or origin.get("url") != url:
        return None
    validator = origin.get("validator")
    fits = isinstance(validator, str) and validator.isascii() and validator.isprintable()
    return validator if fits else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _words(error: Exception, patience: Patience) -> str:
    """What a connection's error says, without the number that the system gives it."""
    if "Timeout" in type(error).__name__:
        return f"the server sent nothing for {patience.timeout:g} seconds"
    text = re.sub(r"^\[Errno -?[0-9]+\] ", "", " ".join(str(error).split()))
    return text or type(error).__name__
