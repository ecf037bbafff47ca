"""What holds for every request and answer: who may ask, what browsers may do, what is counted.

In: an ASGI application. Out: the same behind the checks.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vggnet.web import problems
from vggnet.web.endpoint import Service
from vggnet.web.problems import Problem, busy

# Nothing but the page's own files may run, be shown or be asked for.
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# Of a drawing that is opened by itself: its colours are in it, and nothing runs.
_CSP_DRAWING = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_OPEN = ("/healthz", "/readyz", "/")  # without the token: they say nothing of the model
_GONE = 499  # counted where a client has gone before its answer
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Access:
    """Who may ask: with `token` whoever has it, with `hosts` only under these names."""

    token: str | None = None
    hosts: tuple[str, ...] | None = None
    origins: Sequence[str] = ()


class Guard:
    """Checks each request, counts it, and completes the headers of its answer."""

    def __init__(self, app: ASGIApp, service: Service, access: Access) -> None:
        self._app, self._service, self._access = app, service, access
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = _GONE

        async def send_complete(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _complete(MutableHeaders(scope=message), bool(self._access.origins))
            await send(message)

        counts = not _is_open(scope["path"])
        self._running += counts
        try:
            answer = self._refusal(scope) or self._with_cookie(scope)
            await (answer or self._app)(scope, receive, send_complete)
        except asyncio.CancelledError:
            if status != _GONE or not self._service.gives_up:
                raise
            stopping = problems.response(busy("the server is stopping; try again", "stopping"))
            await stopping(scope, receive, send_complete)
        except Exception as error:
            if status != _GONE:  # it is partly sent
                raise
            _log.exception("a request failed")
            failed = problems.response(problems.of(error))
            await failed(scope, receive, send_complete)
        finally:
            self._running -= counts
            route = scope.get("route")
            address = getattr(route, "path", "other")
            self._service.metrics.request(address, status, time.perf_counter() - start)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        problem = self._fault(scope, headers)
        is_full = self._running > self._service.limits.requests
        if problem is None and is_full and not _is_open(scope["path"]):
            problem = busy("too many requests are being answered; try again in a moment")
        return None if problem is None else problems.response(problem)

    def _fault(self, scope: Scope, headers: Headers) -> Problem | None:
        hosts, token = self._access.hosts, self._access.token
        if hosts is not None and _name_of(headers.get("host", "")) not in hosts:
            # A page of another site may have had its name lead to this machine.
            return Problem(421, f"this server answers to {' and '.join(hosts)} only")
        is_open = _is_open(scope["path"])
        if not is_open and not self._is_welcome(scope["method"], headers):
            return Problem(403, "pages of other sites may not ask; --allow-origin lets them")
        if token is None or is_open or _is_same(token, _token_of(scope, headers)):
            return None
        return Problem(
            401,
            "give the token of this server: open /?token=TOKEN once in a browser, or send "
            "Authorization: Bearer TOKEN",
            "token",
        )

    def _is_welcome(self, method: str, headers: Headers) -> bool:
        """Whether no page of another site asks, as browsers tell it, or one that may.

        A link to an answer may be followed from anywhere, but no form be sent. Older browsers, and
        all of them over plain HTTP to another machine, tell the origin alone.
        """
        origin = headers.get("origin")
        if "*" in self._access.origins or origin in self._access.origins:
            return True
        host = headers.get("host", "").lower()
        if origin is not None and origin.partition("://")[2].lower() != host:
            return False
        if headers.get("sec-fetch-site") not in ("cross-site", "same-site"):
            return True
        return headers.get("sec-fetch-mode") == "navigate" and method in ("GET", "HEAD")

    def _with_cookie(self, scope: Scope) -> Response | None:
        """The page's address with the token gives the browser a cookie, and forgets the token."""
        token = self._access.token
        if token is None or scope["path"] != "/" or b"token=" not in scope["query_string"]:
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == "token"), "")
        if not _is_same(token, given):
            return problems.response(Problem(401, "this is not the token of this server"))
        rest = urlencode([each for each in query if each[0] != "token"])
        answer = RedirectResponse(f"./?{rest}" if rest else "./", 303)
        answer.set_cookie(_cookie_of(scope), token, httponly=True, samesite="strict")
        return answer


def _is_open(path: str) -> bool:
    """Whether all may ask for it, with no token and however much is being asked for."""
    return path in _OPEN or path.startswith("/page/")


def _cookie_of(scope: Scope) -> str:
    """Each server's has a name of its own: browsers keep those of all ports of a host together."""
    _, port = scope.get("server") or ("", None)
    return f"vggnet_token_{port or 0}"


def _complete(headers: MutableHeaders, shared: bool) -> None:
    kind = headers.get("content-type", "")
    headers["Content-Security-Policy"] = _CSP_DRAWING if "svg" in kind else CSP
    headers["X-Content-Type-Options"] = "nosniff"
    # Not "no-referrer", with which some browsers do not tell the origin of the page's own requests.
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "cross-origin" if shared else "same-origin"
    headers.setdefault("Cache-Control", "no-store")


def _name_of(host: str) -> str:
    """The name in a Host header, in lower case, without the port."""
    end = host.find("]") + 1 if host.startswith("[") else host.find(":")
    return (host if end < 1 else host[:end]).lower()


def _token_of(scope: Scope, headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(_cookie_of(scope))
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _is_same(token: str, given: str) -> bool:
    return hmac.compare_digest(token.encode(), given.encode("utf-8", "surrogateescape"))
