"""Connections of slow or silent clients, which uvicorn alone would hold for ever.

In: what uvicorn's protocol tells of a connection. Out: the same protocol with a deadline for what
comes next, which bytes that trickle in do not put off, and with a bound on what is not read.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from vggnet.web import problems
from vggnet.web.limits import Limits
from vggnet.web.problems import Problem, busy

KEEP_ALIVE_SECONDS = 5
_UNREADABLE = Problem(
    400, "the request cannot be read: it is no HTTP/1.1, or its headers have more than 64 KiB"
)


class Connection(H11Protocol):
    """HTTP/1.1 with deadlines: for the headers, for the whole request, and for a refused body."""

    limits = Limits()

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect(self.limits.headers_seconds)

    def handle_events(self) -> None:
        is_one_too_many = len(self.connections) > self.limits.connections
        self.app = _refuse if is_one_too_many else self.config.loaded_app
        before = self.cycle
        super().handle_events()
        if self.cycle is not before and not self.cycle.response_complete:
            self._expect(self.limits.request_seconds)

    def on_response_complete(self) -> None:
        if self.conn.their_state is h11.SEND_BODY:  # it was refused before it had come
            self._expect(self.limits.linger_seconds)
        elif self.transport.get_write_buffer_size():  # the client reads slowly
            self._expect(self.limits.request_seconds)
            if sum(map(_unread, self.connections)) > self.limits.bytes_in_flight:
                self.transport.abort()
        else:
            self._expect(KEEP_ALIVE_SECONDS + self.limits.headers_seconds)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect(None)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or too long, as a problem like any other."""
        answer = problems.response(_UNREADABLE)
        headers = [*answer.raw_headers, (b"connection", b"close")]
        events = (
            h11.Response(status_code=answer.status_code, headers=headers, reason=b"Bad Request"),
            h11.Data(data=bytes(answer.body)),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _expect(self, seconds: float | None) -> None:
        """Cut the connection after so many seconds, unless something else is expected by then."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None
        if seconds is not None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)


def _unread(connection: Any) -> int:
    """Bytes of an answer that wait for the client."""
    return int(connection.transport.get_write_buffer_size())


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problems.response(busy("too many connections; try again in a moment"))
    answer.headers["Connection"] = "close"
    await answer(scope, receive, send)


def within(limits: Limits) -> type[Connection]:
    """Connections with these deadlines."""
    return type("Connection", (Connection,), {"limits": limits})
