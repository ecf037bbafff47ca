"""An application behind a socket, until a signal says to stop.

In: a Service and an address. Out: the signal that ended it.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from urllib.parse import urlsplit

import uvicorn

from vggnet.web.app import application
from vggnet.web.connections import KEEP_ALIVE_SECONDS, within
from vggnet.web.endpoint import Service
from vggnet.web.guard import Access

_HEADER_BYTES = 64 << 10  # of a request's first line and headers, tokens of a network among them
_STOP_SECONDS = 10  # for what is being answered when a signal comes
_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def listen(host: str, port: int) -> socket.socket:
    """A socket at that address; port 0 is one that is free. Raises ValueError for none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ValueError(f"host {host}: {error.strerror or error}") from None
    try:
        if hasattr(socket, "SO_REUSEADDR") and not hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise ValueError(
            f"cannot listen at {host} port {port}: {error.strerror or error}; take another --port"
        ) from None
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    name: str = listening.getsockname()[0]
    return name == "::1" or name.startswith("127.")


def access_to(
    listening: socket.socket, host: str, token: str | None, origins: Sequence[str]
) -> Access:
    """Who may ask: where only this machine reaches it, under names that lead to this machine."""
    hosts = None
    if is_loopback(listening):
        named = [urlsplit(origin).hostname or "" for origin in origins]
        hosts = tuple(dict.fromkeys((*_LOOPBACK, host.lower(), *filter(None, named))))
    return Access(token, hosts, tuple(origins))


def serve(
    service: Service,
    listening: socket.socket,
    access: Access,
    started: Callable[[], None] = lambda: None,
) -> int:
    """Answer requests until SIGTERM or Ctrl-C, and what is being answered then; the signal.

    `started` is called when the first request can be taken.
    """
    # What fails is told by the guard; uvicorn would tell each bad request and cut connection too.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    config = uvicorn.Config(
        application(service, access),
        http=within(service.limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_STOP_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    server = _Server(config, started)
    try:
        server.run(sockets=[listening])
    finally:
        service.close()
        listening.close()
    return server.ended_by


class _Server(uvicorn.Server):
    """uvicorn's server, which does not raise the signal again that has ended it."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started
        self.ended_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            yield
            self._captured_signals.clear()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.ended_by = self.ended_by or sig
        # Ctrl-C again: do not wait for what is being answered.
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        super().handle_exit(sig, frame)
