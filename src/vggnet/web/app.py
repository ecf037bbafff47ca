"""The application: routes made of the endpoints, and what happens around each answer.

In: a Service. Out: an ASGI application.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive

from vggnet.image import PictureError
from vggnet.web import explained, maps, measured, networks, openapi, pictures, problems
from vggnet.web.endpoint import JSON, Asked, Endpoint, File, Service
from vggnet.web.guard import Access, Guard
from vggnet.web.metrics import MEDIA_TYPE as METRICS
from vggnet.web.parameters import of_object, of_query
from vggnet.web.problems import Problem, busy
from vggnet.web.static import Files
from vggnet.web.uploads import pictures_of, read_body
from vggnet.web.workers import Stopped, until_unwanted

ENDPOINTS = tuple(
    each for module in (networks, measured, pictures, maps, explained) for each in module.ENDPOINTS
)
Result = TypeVar("Result")
_READY_SECONDS = 5.0


def application(service: Service, access: Access | None = None) -> Starlette:
    """All that is served."""
    access = access or Access()
    files = Files()
    described = json.dumps(openapi.document(ENDPOINTS)).encode()

    async def page(request: Request) -> Response:
        return files.page(request)

    async def file(request: Request) -> Response:
        return files.file(request)

    async def evidence(request: Request) -> Response:
        return files.evidence(request)

    async def document(request: Request) -> Response:
        return Response(described, media_type=JSON)

    async def healthy(request: Request) -> Response:
        return Response(b'{"status":"ok"}', media_type=JSON)

    async def ready(request: Request) -> Response:
        try:
            with anyio.fail_after(_READY_SECONDS):
                await service.batcher.idle()
        except TimeoutError:
            raise busy("the engine is at work on other pictures") from None
        return Response(b'{"status":"ready"}', media_type=JSON)

    async def metrics(request: Request) -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": METRICS})

    routes = [
        Route("/", page),
        Route("/page/evidence.json", evidence),
        Route("/page/{path:path}", file),
        Route("/openapi.json", document),
        Route("/healthz", healthy),
        Route("/readyz", ready),
        Route("/metrics", metrics),
        *(_route(path, service) for path in dict.fromkeys(each.path for each in ENDPOINTS)),
    ]
    middleware = [Middleware(Guard, service=service, access=access)]
    if access.origins:  # around the guard, since browsers ask first without the token
        shared = Middleware(
            CORSMiddleware, allow_origins=list(access.origins), allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )  # fmt: skip
        middleware.insert(0, shared)
    told = (Problem, PictureError, MemoryError, HTTPException, ClientDisconnect, Stopped)
    return Starlette(
        routes=routes, middleware=middleware, exception_handlers=dict.fromkeys(told, _told)
    )


async def _told(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect | Stopped):
        return Response(status_code=499)  # which nobody gets
    allowed = (getattr(error, "headers", None) or {}).get("Allow")
    return problems.response(problems.of(error), {"Allow": allowed} if allowed else None)


def _route(path: str, service: Service) -> Route:
    """The route of all endpoints at one address."""
    limits = service.limits
    by_method: dict[str, Endpoint] = {each.method: each for each in ENDPOINTS if each.path == path}

    async def handle(request: Request) -> Response:
        endpoint = by_method["GET" if request.method == "HEAD" else request.method]
        values = _values(endpoint, request)
        with service.bodies.holding() as add:
            body = b""
            if endpoint.takes != "nothing":
                most = limits.object_bytes if endpoint.takes == "object" else limits.body_bytes
                body = await read_body(request, limits, most, add)
            kind = request.headers.get("content-type", "")
            work = _answered(endpoint, service, values, kind, body)
            return await _while_wanted(request.receive, work, limits.work_seconds)

    return Route(path, handle, methods=list(by_method))


def _values(endpoint: Endpoint, request: Request) -> Mapping[str, Any]:
    """Those in the address; where an object has them there may be none."""
    parameters = () if endpoint.takes == "object" else endpoint.parameters
    return of_query(parameters, request.query_params.multi_items())


async def _answered(
    endpoint: Endpoint, service: Service, values: Mapping[str, Any], kind: str, body: bytes
) -> Response:
    """What the endpoint answers to a request whose body is of this kind."""
    workers = service.workers[endpoint.threads]
    most = service.limits.pictures if endpoint.takes == "pictures" else 1

    def read(unwanted: threading.Event) -> Asked:
        model = until_unwanted(service.model, unwanted)
        if endpoint.takes == "object":
            return Asked(service, model, of_object(endpoint.parameters, _parsed(body)))
        if endpoint.takes == "nothing":
            return Asked(service, model, values)
        return Asked(service, model, values, pictures_of(kind, body, most, unwanted))

    if iscoroutinefunction(endpoint.answer):
        asked = await workers.run(read)
        start = time.perf_counter()
        response = _response(await endpoint.answer(asked))
        milliseconds = 1000 * (time.perf_counter() - start)
        response.headers["Server-Timing"] = f"infer;dur={milliseconds:.1f}"
        return response
    return await workers.run(lambda unwanted: _response(endpoint.answer(read(unwanted))))


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(400, "the body is not JSON") from None


def _response(found: Any) -> Response:
    if isinstance(found, File):
        headers = {}
        if found.name:
            headers["Content-Disposition"] = f'attachment; filename="{found.name}"'
        return Response(found.data, headers=headers, media_type=found.media_type)
    text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "backslashreplace"), media_type=JSON)


async def _while_wanted(
    receive: Receive, work: Coroutine[Any, Any, Result], seconds: float
) -> Result:
    """What `work` gives. It is dropped after so many seconds, and where the client goes."""
    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({working, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        if gone.done():
            raise ClientDisconnect
        detail = f"this took longer than {seconds:.0f} seconds and was given up; ask for less"
        raise Problem(503, detail, "too-slow", values={"seconds": round(seconds)})
    finally:
        for each in (working, gone):
            each.cancel()
        await asyncio.gather(working, gone, return_exceptions=True)


async def _gone(receive: Callable[[], Awaitable[Any]]) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
