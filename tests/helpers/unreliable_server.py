"""A real HTTP server on the loopback that behaves as badly as it is told to.

In: a body, and an `Answer` for each request in turn, of which the last stays. Out: what was asked,
as `Request`s, and how many bytes of the body were sent to each. An address may be a hub's as well
as a plain one: the headers by which Hugging Face names a file's commit are always there.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType


@dataclass(frozen=True)
class Answer:
    """How one request is answered; by default as a good server does.

    `cut_after` and `stall_after` are bytes of the body that still come; `content_length` is what is
    claimed; `altered` is the byte of the file that is sent wrong.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    ranges: bool = True
    etag: str | None = '"1"'
    last_modified: str | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    seconds_a_piece: float = 0.0
    content_length: int | None = None
    chunked: bool = False
    altered: int | None = None
    body: bytes | None = None
    content_range: str | None = None


@dataclass
class Request:
    """What came, and what of the body went out."""

    method: str
    path: str
    range: str | None
    if_range: str | None
    num_sent: int = 0


class UnreliableServer:
    """Serves for as long as the `with` block lasts; ends its stalls when that is over."""

    def __init__(self, body: bytes, answers: Sequence[Answer] = (Answer(),)) -> None:
        self.body = body
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            unreliable = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def gets(self) -> list[Request]:
        return [request for request in self.requests if request.method == "GET"]

    def take(self, request: Request) -> Answer:
        """The answer that is next; questions for the headers alone use up none."""
        with self._lock:
            self.requests.append(request)
            if request.method == "GET" and len(self.answers) > 1:
                return self.answers.pop(0)
            return self.answers[0]

    def __enter__(self) -> UnreliableServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.over.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    unreliable: UnreliableServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if self.path.startswith("/api/"):  # what huggingface_hub asks for its own ends
            self.send_error(404)
            return
        request = Request(self.command, self.path, self.headers["Range"], self.headers["If-Range"])
        answer = self.unreliable.take(request)
        if answer.status != 200:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = self.unreliable.body if answer.body is None else answer.body
        start = self._start(answer)
        if start is not None and start >= len(body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(body)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        part = bytearray(body[start or 0 :])
        if answer.altered is not None and answer.altered >= (start or 0):
            part[answer.altered - (start or 0)] ^= 1
        self._send_headers(answer, start, len(body), len(part))
        if self.command == "GET":
            self._send_body(answer, request, bytes(part))

    def _start(self, answer: Answer) -> int | None:
        """Where the part that is asked for begins; None: the whole."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        if not (match and answer.ranges):
            return None
        condition = self.headers["If-Range"]
        same = condition is None or condition in (answer.etag, answer.last_modified)
        return int(match[1]) if same else None

    def _send_headers(self, answer: Answer, start: int | None, whole: int, part: int) -> None:
        self.send_response(200 if start is None else 206)
        if start is not None:
            given = answer.content_range or f"bytes {start}-{whole - 1}/{whole}"
            self.send_header("Content-Range", given)
        if answer.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            claimed = part if answer.content_length is None else answer.content_length
            self.send_header("Content-Length", str(claimed))
        if answer.etag:
            self.send_header("ETag", answer.etag)
        if answer.last_modified:
            self.send_header("Last-Modified", answer.last_modified)
        self.send_header("X-Repo-Commit", "0123456789" * 4)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send_body(self, answer: Answer, request: Request, part: bytes) -> None:
        limits = [limit for limit in (answer.cut_after, answer.stall_after) if limit is not None]
        to_send = part[: min([len(part), *limits])]
        piece = max(1, len(to_send) // 8)
        try:
            for begin in range(0, len(to_send), piece):
                data = to_send[begin : begin + piece]
                framed = b"%x\r\n%s\r\n" % (len(data), data) if answer.chunked else data
                request.num_sent += len(data)  # before the client can have it
                self.wfile.write(framed)
                self.wfile.flush()
                time.sleep(answer.seconds_a_piece)
            if answer.stall_after is not None:
                self.unreliable.over.wait(600)
            if answer.chunked and answer.cut_after is None:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:  # nobody listens any more
            pass
        # A length that was not kept makes this connection useless, as a cut one is.
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None: ...
