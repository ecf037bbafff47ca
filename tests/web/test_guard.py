"""Who may ask the server, and what browsers may do with its answers."""

import socket
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from web_client import CAT, client_of, problem

from vggnet.web.guard import CSP, Access
from vggnet.web.server import access_to, is_loopback, listen

Ask = Callable[..., Any]
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture
def asked(embedded_service: Any) -> Ask:
    """The answer of a server with this access to one request."""

    def ask(access: Access, path: str = "/api/model", method: str = "GET", **options: Any) -> Any:
        with client_of(embedded_service, access) as client:
            return client.request(method, path, follow_redirects=False, **options)

    return ask


def test_every_answer_says_what_a_browser_may(client: Any) -> None:
    for path in ("/", "/api/model", "/nothing", "/healthz", "/api/describe?config=X"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == CSP
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert "unsafe" not in CSP
    assert CSP.startswith("default-src 'none'; script-src 'self'; style-src 'self';")


def test_nothing_there_and_another_method(client: Any) -> None:
    assert "nothing at this address" in problem(client.get("/nothing"), 404)
    response = client.delete("/api/model")
    assert "takes" in problem(response, 405)
    assert set(response.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_without_the_token(asked: Ask) -> None:
    access = Access("secret")
    for path in ("/api/model", "/metrics", "/openapi.json", "/api/describe?config=D"):
        response = asked(access, path)
        told = problem(response, 401)
        assert "Authorization: Bearer" in told
        assert "open /?token=TOKEN" in told
        assert response.headers["www-authenticate"] == "Bearer"
    for wrong in ("Bearer other", "Bearer", "Basic secret", "Bearer sécret".encode("latin-1")):
        problem(asked(access, headers={"Authorization": wrong}), 401)
    for path in ("/", "/healthz", "/readyz", "/page/examples/cat.jpg"):
        assert asked(access, path).status_code == 200


def test_with_the_token(asked: Ask) -> None:
    assert asked(Access("secret"), headers=TOKEN).status_code == 200
    assert asked(Access("secret"), headers={"Cookie": "vggnet_token_80=secret"}).status_code == 200
    problem(asked(Access("secret"), headers={"Cookie": "vggnet_token_80=other"}), 401)
    # Another server's on the same host.
    problem(asked(Access("secret"), headers={"Cookie": "vggnet_token_8001=secret"}), 401)


def test_the_page_with_the_token_keeps_it_in_a_cookie(asked: Ask) -> None:
    response = asked(Access("secret"), "/?token=secret")
    assert (response.status_code, response.headers["location"]) == (303, "./")
    cookie = response.headers["set-cookie"].lower()
    assert cookie.startswith("vggnet_token_80=secret;")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    again = asked(Access("secret"), "/?tab=network&token=secret&network.config=conv3-8+/%0AFC-5")
    assert again.headers["location"] == "./?tab=network&network.config=conv3-8+%2F%0AFC-5"
    refused = asked(Access("secret"), "/?token=other")
    assert "not the token" in problem(refused, 401)
    assert "set-cookie" not in refused.headers


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1:8000", 200), ("localhost", 200), ("[::1]:8000", 200), ("LOCALHOST:1", 200),
     ("evil.example", 421), ("localhost.evil.example", 421), ("", 421)],
)  # fmt: skip
def test_another_name_that_leads_here(asked: Ask, host: str, status: int) -> None:
    access = Access(hosts=("localhost", "127.0.0.1", "[::1]"))
    assert asked(access, headers={"Host": host}).status_code == status


def test_pages_of_other_sites(asked: Ask) -> None:
    origin = "https://example.org"
    other = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Origin": origin}
    assert "other sites" in problem(asked(Access(), headers=other), 403)
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert asked(Access(), headers=followed).status_code == 200
    own = {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"}
    assert asked(Access(), headers=own).status_code == 200
    allowed = asked(Access(origins=[origin]), headers=other)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == origin
    third = {**other, "Origin": "https://evil.example"}
    refused = asked(Access(origins=[origin]), headers=third)
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": "http://127.0.0.1:8001"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "http://127.0.0.1:8000"}, 200),
        ({}, 200),  # a program
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
    ],
)
def test_forms_of_other_sites(asked: Ask, headers: dict[str, str], status: int) -> None:
    own = {"Host": "127.0.0.1:8000", "Content-Type": "image/jpeg"}
    response = asked(Access(), "/api/view", "POST", headers={**own, **headers}, content=CAT)
    assert response.status_code == status


def test_a_browser_may_ask_first_without_the_token(asked: Ask) -> None:
    origin = "https://example.org"
    first = {
        "Origin": origin, "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }  # fmt: skip
    response = asked(Access("secret", origins=[origin]), "/api/predict", "OPTIONS", headers=first)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == origin


def test_names_under_which_a_server_answers(asked: Ask) -> None:
    with listen("127.0.0.1", 0) as listening:
        assert is_loopback(listening)
        access = access_to(listening, "127.0.0.1", "t", ["https://example.org:444"])
    assert access.hosts == ("localhost", "127.0.0.1", "[::1]", "example.org")
    assert access.token == "t"
    with listen("0.0.0.0", 0) as listening:
        assert not is_loopback(listening)
        assert access_to(listening, "0.0.0.0", None, []).hosts is None
        access = access_to(listening, "0.0.0.0", None, [], ["VGG.example.org"])
    assert access.hosts == ("localhost", "127.0.0.1", "[::1]", "0.0.0.0", "vgg.example.org")
    assert asked(access, headers={"Host": "vgg.example.org:8000"}).status_code == 200
    told = problem(asked(access, headers={"Host": "evil.example"}), 421)
    assert "vgg.example.org" in told


def test_an_ipv6_address_is_a_name_in_brackets_and_any_case(asked: Ask) -> None:
    with listen("0.0.0.0", 0) as listening:
        access = access_to(
            listening, "2001:DB8::A", None, ["http://[2001:db8::b]:80"], ["[2001:DB8::C]"]
        )
    for last in "aBcC":
        host = {"Host": f"[2001:db8::{last}]:8000"}
        assert asked(access, headers=host).status_code == 200, host
    for host in ("[2001:db8::d]", "[2001:db8::c", "2001:db8::c"):
        problem(asked(access, headers={"Host": host}), 421)


def test_an_address_that_cannot_be_had() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"cannot listen at 127.0.0.1 port {port}: .*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(ValueError, match="host no such host: "):
        listen("no such host", 0)


def test_what_fails_is_told_once_and_not_to_the_client(
    embedded_service: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr(embedded_service.metrics, "text", fail)
    with client_of(embedded_service) as client:
        response = client.get("/metrics")
    assert "secret" not in problem(response, 500)
    assert response.headers["content-security-policy"] == CSP
    (told,) = caplog.records
    assert told.exc_info
    assert "a secret of the machine" in str(told.exc_info[1])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("vggnet.web.networks.costs_table", "/api/table?config=A"),
        ("vggnet.web.maps.matrix", "/api/features?layer=conv1_1"),
        ("vggnet.web.maps.most_exciting", "/api/excite?layer=conv1_1&channel=0"),
        ("vggnet.web.explained.explain", "/api/explain"),
        ("vggnet.model.Model.classify", "/api/predict"),
        ("vggnet.web.measured.effective_field", "/api/effective-field?layer=conv1_2"),
    ],
)
def test_a_fault_of_the_server_is_none_of_the_client(
    name: str, path: str, asked: Ask, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Though it be a ValueError, as NumPy raises for shapes that do not fit."""

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr(name, fail)
    get = "table" in path or "field" in path
    body = {} if get else {"content": CAT, "headers": {"Content-Type": "image/jpeg"}}
    response = asked(Access(), path, "GET" if get else "POST", **body)
    assert "broadcast" not in problem(response, 500)
    assert [each.message for each in caplog.records] == ["a request failed"]


def test_numbers_that_json_does_not_have_are_a_fault(
    asked: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.web.networks.compose", lambda _: np.full((1, 1, 3, 3), np.nan))
    problem(asked(Access(), "/api/compose?kernels=3"), 500)


def test_what_is_counted(client: Any) -> None:
    client.get("/api/describe?config=X")
    client.get("/nothing/at/all")
    text = client.get("/metrics").text
    assert 'vggnet_requests_total{address="/api/describe",status="422"}' in text
    assert 'vggnet_requests_total{address="other",status="404"}' in text
    assert "/nothing" not in text
    assert "vggnet_pictures_waiting 0.0" in text


def test_health(client: Any) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
