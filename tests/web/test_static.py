"""The page's own files, and none but these."""

from pathlib import Path
from typing import Any

import pytest
from web_client import EXAMPLES, problem

import vggnet.drawing.page
import vggnet.web

WEB = Path(vggnet.web.__file__).parent


def test_the_page(client: Any) -> None:
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.content == (WEB / "page" / "index.html").read_bytes()
    assert client.get("/page/index.html").content == response.content


def test_the_modules_of_drawings(client: Any) -> None:
    response = client.get("/page/drawing/selection.js")
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.text == vggnet.drawing.page.asset("selection.js")


def test_the_photographs_are_those_of_the_repository(client: Any) -> None:
    for path in EXAMPLES.glob("*.jpg"):
        response = client.get(f"/page/examples/{path.name}")
        assert response.content == path.read_bytes()
        assert response.headers["content-type"] == "image/jpeg"


def test_a_file_that_is_known_is_not_sent_again(client: Any) -> None:
    response = client.get("/page/examples/cat.jpg")
    assert response.headers["cache-control"] == "no-cache"
    tag = {"If-None-Match": f'"other", {response.headers["etag"]}'}
    again = client.get("/page/examples/cat.jpg", headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/page/examples/cat.jpg", headers={"If-None-Match": '"x"'}).content


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js", "%2e%2e/examples/cat.jpg", "drawing/__init__.py", "%2e%2e/app.py",
        "..%2fapp.py",
        "drawing/..%2f..%2fsvg.py", "examples/%2fetc/passwd", "%2fetc%2fpasswd", "a%00.js", "",
        "..%5capp.py", ".hidden.js", "examples", "index.html/", "x" * 5000 + ".js",
    ],
)  # fmt: skip
def test_no_other_files(client: Any, path: str) -> None:
    assert "no such file" in problem(client.get(f"/page/{path}"), 404)
