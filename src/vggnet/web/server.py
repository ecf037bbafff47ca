"""An application behind a socket, until a signal says to stop.

In: a Service and an address. Out: the signal that ended it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from urllib.parse import urlsplit

import uvicorn

from vggnet.web.app import application
from vggnet.web.connections import KEEP_ALIVE_SECONDS, within
from vggnet.web.endpoint import Service
from vggnet.web.guard import Access
from vggnet.web.pixels import return_freed_memory

_HEADER_BYTES = 64 << 10  # of a request's first line and headers, tokens of a network among them
_CUT_SECONDS = 2  # from giving up what is being answered to cutting its connections
_LAST_SECONDS = 0.5  # for threads to see that nobody waits for them
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
            f"cannot listen at {host} port {port}: {error.strerror or error}; take another --port "
            "or --host"
        ) from None
    return listening


def is_loopback(listening: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    name: str = listening.getsockname()[0]
    return name == "::1" or name.startswith("127.")


def access_to(
    listening: socket.socket,
    host: str,
    token: str | None,
    origins: Sequence[str],
    allowed: Sequence[str] = (),
) -> Access:
    """Who may ask, and under which names of the server.

    Where only this machine reaches it, those that lead to this machine, `host`'s, and those of
    `origins`; else any, unless `allowed` says which: these, and those.
    """
    hosts = None
    if allowed or is_loopback(listening):
        named = [urlsplit(origin).hostname or "" for origin in origins]
        given = [f"[{name}]" if ":" in name else name for name in (host, *filter(None, named))]
        hosts = tuple(dict.fromkeys((*_LOOPBACK, *map(str.lower, (*given, *allowed)))))
    return Access(token, hosts, tuple(origins))


def serve(
    service: Service,
    listening: socket.socket,
    access: Access,
    started: Callable[[], None] = lambda: None,
) -> int:
    """Answer requests until SIGTERM or Ctrl-C, and what is being answered then; the signal.

    `started` is called when the first request can be taken. Threads may be at work still at the
    end: see `leave_threads`.
    """
    # What fails is told by the guard; these would tell each bad request and cut connection too.
    for name in ("uvicorn.error", "python_multipart"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    return_freed_memory()
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
        timeout_graceful_shutdown=math.ceil(service.limits.stop_seconds) + _CUT_SECONDS,
        h11_max_incomplete_event_size=_HEADER_BYTES,
    )
    server = _Server(config, service, started)
    try:
        server.run(sockets=[listening])
    finally:
        service.close()
        listening.close()
    return server.ended_by


def leave_threads(service: Service, status: int) -> None:
    """End the process with this status where a thread computes still what nobody waits for.

    Python would wait for it, however long one call of the engine takes.
    """
    if service.is_at_work(_LAST_SECONDS):
        sys.stderr.flush()
        os._exit(status)


class _Server(uvicorn.Server):
    """uvicorn's server, which gives up what takes too long, and does not raise its signal again."""

    def __init__(
        self, config: uvicorn.Config, service: Service, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service, self._started = service, started
        self.ended_by = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        seconds = self._service.limits.stop_seconds
        giving_up = asyncio.get_running_loop().call_later(seconds, self._give_up)
        try:
            await super().shutdown(sockets)
        finally:
            giving_up.cancel()

    def _give_up(self) -> None:
        """The guard tells each client so."""
        self._service.gives_up = True
        for task in list(self.server_state.tasks):
            task.cancel()

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
