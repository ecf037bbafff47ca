"""What went wrong with a request, as RFC 9457 has it: one clear sentence for whoever asked.

In: Problem, raised anywhere below a request, and what the package's functions raise. Out: responses
of application/problem+json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from vggnet.image import PictureError, TooManyPixels, UnknownFormat

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer that is no success, with one sentence in English.

    `code` is its name for programs, which may say the same in another language with the words and
    numbers of `values`; `more` are further members of the problem.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        code: str | None = None,
        *,
        retry_after: int | None = None,
        values: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after
        named = {} if code is None else {"code": code, "values": dict(values or {})}
        self.more = {**named, **more}


def busy(detail: str, code: str = "busy") -> Problem:
    """503: the same may be asked for again in a moment."""
    return Problem(503, detail, code, retry_after=1)


@contextmanager
def checking(code: str | None = None, **values: Any) -> Iterator[None]:
    """A ValueError of what is called within is a mistake of who asked: 422.

    For what checks the values of a request. Elsewhere a ValueError is a fault of the server's own.
    """
    try:
        yield
    except PictureError:
        raise
    except ValueError as error:
        raise Problem(422, one_line(error), code, values=values) from None


def one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def of(error: Exception) -> Problem:
    """What an exception of the package's functions means to the client."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, UnknownFormat):
        return Problem(415, one_line(error), "picture-format")
    if isinstance(error, TooManyPixels):
        return Problem(413, one_line(error), "picture-pixels")
    if isinstance(error, PictureError):
        return Problem(422, one_line(error), "picture")
    if isinstance(error, MemoryError):
        return busy("there is not enough memory for this now; try again, or ask for less")
    if isinstance(error, HTTPException):
        allowed = (error.headers or {}).get("Allow")
        detail = {
            404: "there is nothing at this address; / is the page and /openapi.json the list",
            405: f"this address takes {allowed} only",
        }.get(error.status_code, str(error.detail))
        return Problem(error.status_code, detail)
    return Problem(500, "the server failed; what it writes on its terminal says where")


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The problem as it is sent."""
    content = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
    }
    sent = dict(headers or {})
    if problem.retry_after is not None:
        sent["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    body = json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(body, problem.status, sent, MEDIA_TYPE)
