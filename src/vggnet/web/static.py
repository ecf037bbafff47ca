"""The page's own files, from the folders of the package.

In: a path below /page/. Out: the file, which browsers ask for again but are not sent twice. A file
is read again when it has changed.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

import vggnet.drawing.page
from vggnet.web.problems import Problem

_HERE = Path(__file__).parent
# Where paths below /page/ lead, the longest first.
_FOLDERS = {
    "drawing/": Path(vggnet.drawing.page.__file__).parent,
    "examples/": _HERE / "examples",
    "": _HERE / "page",
}
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


class Files:
    """Reads each file once, and again after it was changed."""

    def __init__(self) -> None:
        self._read: dict[Path, tuple[int, bytes, str]] = {}  # time of change, bytes, tag

    def page(self, request: Request) -> Response:
        return self._answer(request, "index.html")

    def file(self, request: Request) -> Response:
        return self._answer(request, request.path_params["path"])

    def evidence(self, request: Request) -> Response:
        return self._sent(request, _HERE / "evidence.json")

    def _answer(self, request: Request, path: str) -> Response:
        prefix = next(each for each in _FOLDERS if path.startswith(each))
        folder, rest = _FOLDERS[prefix], path[len(prefix) :]
        parts = rest.split("/")
        # Names alone lead on, so that no path leaves its folder.
        if any(not part or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            raise _nothing()
        return self._sent(request, folder.joinpath(*parts))

    def _sent(self, request: Request, path: Path) -> Response:
        media_type = _TYPES.get(path.suffix)
        if media_type is None:
            raise _nothing()
        try:
            changed = path.stat().st_mtime_ns
            if path not in self._read or self._read[path][0] != changed:
                data = path.read_bytes()
                self._read[path] = changed, data, f'"{sha256(data).hexdigest()[:32]}"'
        except OSError:
            raise _nothing() from None
        _, data, tag = self._read[path]
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        known = request.headers.get("if-none-match", "")
        if tag in [each.strip().removeprefix("W/") for each in known.split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media_type)


def _nothing() -> Problem:
    return Problem(404, "there is no such file of the page")
