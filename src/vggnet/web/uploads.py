"""The body of a request -> pictures, held in memory only and within bounds.

In: what the connection receives. Out: the bytes; of a form, each file with its name.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.requests import Request

from vggnet.printable import printable
from vggnet.web.limits import Limits
from vggnet.web.problems import Problem, busy
from vggnet.web.workers import Stopped

_LONGEST_HEADER = 8192  # bytes of the headers of one part, a file's name among them
_LONGEST_NAME = 200
_OTHER_PARTS = 33  # of a form beside its pictures, with the one before the first
_AT_A_TIME = 64 << 10  # bytes of a form, between looks whether it is still wanted


@dataclass(frozen=True)
class Upload:
    """A picture's bytes, and what to call it."""

    name: str
    data: bytes = field(repr=False)


class Bodies:
    """All bodies that are held at the moment."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0  # bytes

    @contextmanager
    def holding(self) -> Iterator[Callable[[int], None]]:
        """Gives what is told of bytes as they come; at the end they are let go."""
        mine = 0

        def add(number: int) -> None:
            nonlocal mine
            if self.held + number > self._limits.bytes_in_flight:
                raise busy("too many bytes are being uploaded at the same time; try again soon")
            mine += number
            self.held += number

        try:
            yield add
        finally:
            self.held -= mine


async def read_body(
    request: Request, limits: Limits, most: int, add: Callable[[int], None]
) -> bytes:
    """All of a request's body, `most` bytes long at most.

    Raises Problem: 413 for a longer one, 408 for too slow a one.

    Raises ClientDisconnect where the connection ends before the body does.
    """
    too_long = Problem(
        413,
        f"the body is longer than {_size(most)}; send less at a time, or smaller pictures",
        "body-too-long",
        values={"most": most},
    )
    stated = request.headers.get("content-length", "0")
    if stated.isascii() and stated.isdigit() and int(stated[:20]) > most:
        raise too_long
    body = bytearray()
    try:
        with anyio.fail_after(limits.body_seconds):
            async for chunk in request.stream():
                if len(body) + len(chunk) > most:
                    raise too_long
                add(len(chunk))
                body += chunk
    except TimeoutError:
        raise Problem(
            408, f"the body did not come within {limits.body_seconds:.0f} seconds; send it again"
        ) from None
    return bytes(body)


def _size(number: int) -> str:
    return f"{number >> 20} MiB" if number >= 1 << 20 else f"{number:,} bytes"


def pictures_of(
    content_type: str, body: bytes, most: int, unwanted: threading.Event
) -> tuple[Upload, ...]:
    """The pictures of a body: the files of a form, or the body itself.

    Raises Stopped where nobody wants them any more, and Problem: 415 for another type, 400 for a
    form that is none, 413 for more than `most` pictures, 422 for none.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = _files(content_type, body, most, unwanted)
        if not found:
            raise Problem(422, "the form holds no file; name each part images and give a file name")
        return tuple(found)
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        if not body:
            raise Problem(422, "the body is empty; send a picture's bytes")
        return (Upload("picture", body),)
    raise Problem(
        415,
        "send one picture with a Content-Type such as image/jpeg, or several as the files of a "
        "multipart/form-data",
    )


def _files(content_type: str, body: bytes, most: int, unwanted: threading.Event) -> list[Upload]:
    """The files of a form; other fields are passed over."""
    from python_multipart import MultipartParser
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import parse_options_header

    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise Problem(400, "the Content-Type of the form states no boundary")
    form = _Form(most)
    try:
        parser = MultipartParser(boundary, form.callbacks())
        for start in range(0, len(body), _AT_A_TIME):
            if unwanted.is_set():
                raise Stopped
            parser.write(body[start : start + _AT_A_TIME])
        parser.finalize()
    except FormParserError as error:
        raise Problem(400, f"the form cannot be read: {printable(str(error))}") from None
    if not form.whole:
        raise Problem(400, "the form ends before its last boundary; send all of it")
    return form.files


class _Form:
    """Collects the files of a form as its parser comes to them."""

    def __init__(self, most: int) -> None:
        self.files: list[Upload] = []
        self.whole = False
        self._most, self._parts = most, 0
        self._begin()

    def callbacks(self) -> Any:
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._take_field,
            "on_header_value": self._take_value,
            "on_header_end": self._end_header,
            "on_part_data": self._take_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._field, self._value, self._data = bytearray(), bytearray(), bytearray()
        self._name: str | None = None
        self._header_bytes = 0
        self._parts += 1
        if self._parts > self._most + _OTHER_PARTS:
            raise Problem(413, f"the form has more than {self._most + _OTHER_PARTS - 1} parts; "
                          "send the pictures alone")  # fmt: skip

    def _take_field(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._field += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, number: int) -> None:
        self._header_bytes += number
        if self._header_bytes > _LONGEST_HEADER:
            raise Problem(
                413, f"the headers of a part have more than {_LONGEST_HEADER} bytes; shorten the "
                "file's name",
            )  # fmt: skip

    def _end_header(self) -> None:
        from python_multipart.multipart import parse_options_header

        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            if b"filename" in options:
                text = options[b"filename"].decode("utf-8", "replace")
                self._name = printable(text, _LONGEST_NAME) or "picture"
        self._field, self._value = bytearray(), bytearray()

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._name is not None:
            self._data += data[start:end]

    def _end_part(self) -> None:
        if self._name is None:
            return
        if len(self.files) >= self._most:
            raise Problem(
                413, f"more than {self._most} pictures; send them in several requests",
                "too-many-pictures", values={"most": self._most},
            )  # fmt: skip
        self.files.append(Upload(self._name, bytes(self._data)))

    def _end(self) -> None:
        self.whole = True
