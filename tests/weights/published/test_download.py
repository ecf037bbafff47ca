"""Downloads over real connections to a server that cuts, stalls, lies, alters and refuses."""

import json
import time
from collections import namedtuple
from collections.abc import Sequence
from pathlib import Path

import pytest
from cache_folders import BODY, move_caches
from unreliable_server import Answer, UnreliableServer

from vggnet.weights.published.download import DownloadError, Patience, discard, download

HASTE = Patience(timeout=60, attempts=3, wait=0.01)
IMPATIENCE = Patience(timeout=5, attempts=3, wait=0.01)  # much more than an answer here takes
DATE = "Wed, 21 Oct 2015 07:28:00 GMT"


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_caches(tmp_path, monkeypatch)


def run(
    server: UnreliableServer,
    partial: Path,
    num_bytes: int | None = len(BODY),
    patience: Patience = HASTE,
) -> list[tuple[int, int | None]]:
    """Downloads; what was reported meanwhile."""
    reports: list[tuple[int, int | None]] = []
    download(
        f"{server.address}/small.npz",
        partial,
        num_bytes,
        num_bytes or 2 * len(BODY),
        lambda received, whole: reports.append((received, whole)),
        patience,
    )
    return reports


@pytest.mark.parametrize("answer", [Answer(), Answer(chunked=True), Answer(etag=None)])
@pytest.mark.parametrize("num_bytes", [len(BODY), None])
def test_a_good_server(answer: Answer, num_bytes: int | None, tmp_path: Path) -> None:
    with UnreliableServer(BODY, [answer]) as server:
        reports = run(server, tmp_path / "p", num_bytes)
    assert (tmp_path / "p").read_bytes() == BODY
    assert [request.range for request in server.requests] == [None]
    assert reports[-1] == (len(BODY), None if answer.chunked and not num_bytes else len(BODY))
    assert [received for received, _ in reports] == sorted(received for received, _ in reports)


@pytest.mark.parametrize(
    ("validator", "if_range"),
    [
        ({"etag": '"abc"'}, '"abc"'),
        ({"etag": None, "last_modified": DATE}, DATE),
        ({"etag": 'W/"abc"', "last_modified": DATE}, DATE),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_a_cut_connection_resumes_and_only_the_rest_is_sent_again(
    validator: dict[str, str | None], if_range: str, chunked: bool, tmp_path: Path
) -> None:
    cut = Answer(cut_after=4000, chunked=chunked, **validator)  # type: ignore[arg-type]
    with UnreliableServer(BODY, [cut, cut, Answer(**validator)]) as server:  # type: ignore[arg-type]
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY
    assert [(request.range, request.if_range) for request in server.requests] == [
        (None, None),
        ("bytes=4000-", if_range),
        ("bytes=8000-", if_range),
    ]
    assert sum(request.num_sent for request in server.requests) == len(BODY)


@pytest.mark.parametrize("etag", [None, 'W/"1"'])
def test_nothing_is_spliced_that_the_server_cannot_name(etag: str | None, tmp_path: Path) -> None:
    answers = [Answer(cut_after=4000, etag=etag), Answer(etag=etag)]
    with UnreliableServer(BODY, answers) as server:
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY
    assert [request.range for request in server.requests] == [None, None]


def test_a_file_that_changed_meanwhile_starts_anew(tmp_path: Path) -> None:
    old = Answer(body=bytes(len(BODY)), cut_after=4000, etag='"old"')
    with UnreliableServer(BODY, [old, Answer(etag='"new"')]) as server:
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.requests[1].if_range == '"old"'
    assert server.requests[1].num_sent == len(BODY)


def test_a_server_that_refuses_ranges_starts_anew(tmp_path: Path) -> None:
    answers = [Answer(ranges=False, cut_after=4000), Answer(ranges=False)]
    with UnreliableServer(BODY, answers) as server:
        reports = run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.requests[1].range == "bytes=4000-"
    assert (0, len(BODY)) in reports[1:]


def test_another_part_than_was_asked_for_starts_anew(tmp_path: Path) -> None:
    wrong = Answer(content_range=f"bytes 0-10239/{len(BODY)}")
    with UnreliableServer(BODY, [Answer(cut_after=4000), wrong, Answer()]) as server:
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY
    assert [request.range for request in server.requests] == [None, "bytes=4000-", None]


def test_a_partial_file_of_an_earlier_process_is_completed(tmp_path: Path) -> None:
    with UnreliableServer(BODY, [Answer(cut_after=4000)]) as server:
        with pytest.raises(DownloadError, match="gave up after 1 attempts"):
            run(server, tmp_path / "p", patience=Patience(5, 1, 0))
        server.answers = [Answer()]
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.requests[1].range == "bytes=4000-"


@pytest.mark.parametrize("num_bytes", [len(BODY), None])
def test_a_partial_file_that_is_whole_is_not_fetched_again(
    num_bytes: int | None, tmp_path: Path
) -> None:
    with UnreliableServer(BODY) as server:
        run(server, tmp_path / "p", num_bytes)
        run(server, tmp_path / "p", num_bytes)
    assert (tmp_path / "p").read_bytes() == BODY
    assert sum(request.num_sent for request in server.requests) == len(BODY)


def test_a_partial_file_that_is_too_long_is_fetched_again(tmp_path: Path) -> None:
    with UnreliableServer(BODY) as server:
        run(server, tmp_path / "p")
        with (tmp_path / "p").open("ab") as file:
            file.write(b"more")
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY


@pytest.mark.parametrize(
    "origin",
    [
        b"", b"[]", b"{", b"[" * 100_000, b'{"url": "http://elsewhere/a", "validator": "x"}',
        b'{"url": "URL", "validator": 1}', b'{"url": "URL", "validator": "a\\r\\nb"}',
        b'{"url": "URL", "validator": "\xc3\xa9"}',
    ],
)  # fmt: skip
def test_a_partial_file_of_unknown_origin_is_not_used(origin: bytes, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"something else")
    with UnreliableServer(BODY) as server:
        url = f"{server.address}/small.npz".encode()
        (tmp_path / "p.json").write_bytes(origin.replace(b"URL", url))
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY


def test_a_stall_without_end_is_given_up_and_resumed(tmp_path: Path) -> None:
    with UnreliableServer(BODY, [Answer(stall_after=4000), Answer()]) as server:
        run(server, tmp_path / "p", patience=IMPATIENCE)
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.requests[1].range == "bytes=4000-"


def test_a_server_that_only_stalls(tmp_path: Path) -> None:
    line = r"^gave up after 3 attempts in a row: the server sent nothing for 5 seconds$"
    answers = [Answer(stall_after=0)]
    with UnreliableServer(BODY, answers) as server, pytest.raises(DownloadError, match=line):
        run(server, tmp_path / "p", patience=IMPATIENCE)
    assert len(server.requests) == 3


def test_a_slow_server_is_no_stall(tmp_path: Path) -> None:
    with UnreliableServer(BODY, [Answer(seconds_a_piece=0.4)]) as server:  # 8 pieces
        run(server, tmp_path / "p", patience=Patience(timeout=3, attempts=1))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("answers", "line", "num_requests"),
    [
        ([Answer(cut_after=0)], "gave up after 3 attempts in a row: ", 3),
        ([Answer(503)], "gave up after 3 attempts in a row: the server answered 503", 3),
        ([Answer(404)], "^the server answered 404 Not Found$", 1),
        ([Answer(403)], "^the server answered 403 Forbidden$", 1),
        ([Answer(302, {"Location": "/"})], "redirects", 21),
        ([Answer(302, {"Location": "ftp://a/b"})], "ftp", 1),
        (
            [Answer(content_length=9_000)],
            "^the server has 9,000 bytes, not the expected 10,240$",
            1,
        ),
        ([Answer(content_length=99_000)], "^the server has 99,000 bytes, not the expected", 1),
        ([Answer(body=BODY * 2, chunked=True)], "^the server sends more than 10,240 bytes$", 1),
        (
            [Answer(body=BODY[:9], chunked=True, etag=None)],
            "3 attempts.*after 9 of 10,240 bytes",
            3,
        ),
    ],
)
def test_a_server_that_does_not_come_to_its_senses(
    answers: Sequence[Answer], line: str, num_requests: int, tmp_path: Path
) -> None:
    with UnreliableServer(BODY, answers) as server, pytest.raises(DownloadError, match=line):
        run(server, tmp_path / "p")
    assert len(server.requests) == num_requests


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_server_that_comes_to_its_senses(status: int, tmp_path: Path) -> None:
    with UnreliableServer(BODY, [Answer(status), Answer()]) as server:
        run(server, tmp_path / "p")
    assert (tmp_path / "p").read_bytes() == BODY


def test_retry_after_is_kept_to(tmp_path: Path) -> None:
    start = time.monotonic()
    with UnreliableServer(BODY, [Answer(429, {"Retry-After": "1"}), Answer()]) as server:
        run(server, tmp_path / "p")
    assert time.monotonic() - start >= 1


def test_a_length_that_is_too_long_is_corrected_where_none_is_known(tmp_path: Path) -> None:
    with UnreliableServer(BODY, [Answer(content_length=len(BODY) + 5)]) as server:
        run(server, tmp_path / "p", num_bytes=None)
    assert (tmp_path / "p").read_bytes() == BODY
    assert server.requests[1].range == f"bytes={len(BODY)}-"


def test_redirects_are_followed(tmp_path: Path) -> None:
    with UnreliableServer(BODY, [Answer(302, {"Location": "/elsewhere"}), Answer()]) as server:
        run(server, tmp_path / "p")
    assert [request.path for request in server.requests] == ["/small.npz", "/elsewhere"]
    assert (tmp_path / "p").read_bytes() == BODY


def test_what_comes_over_a_broken_line_is_what_was_sent(tmp_path: Path) -> None:
    answers = [Answer(cut_after=1700)] * 6 + [Answer()]
    with UnreliableServer(BODY, answers) as server:
        run(server, tmp_path / "p")  # more attempts than may bring nothing in a row
    assert (tmp_path / "p").read_bytes() == BODY


def test_bytes_that_come_again_and_again_are_no_headway(tmp_path: Path) -> None:
    anew = [Answer(ranges=False, cut_after=n) for n in (4000, 2000, 4000, 2000, 4000)]
    line = "^gave up after 3 attempts in a row: "
    with (
        UnreliableServer(BODY, [*anew, Answer()]) as server,
        pytest.raises(DownloadError, match=line),
    ):
        run(server, tmp_path / "p")
    assert len(server.requests) == 3


def test_where_nobody_listens_it_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(DownloadError, match=r"^127.0.0.1 cannot be reached: Connection refused$"):
        download("http://127.0.0.1:9/a", tmp_path / "p", 9, 9, lambda *_: None, Patience())


@pytest.mark.parametrize("url", ["http://", "nonsense", "http://[", "file:///etc/passwd"])
def test_no_address(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        download(url, tmp_path / "p", 9, 9, lambda *_: None, HASTE)


def test_a_full_disk_is_told_before_the_body_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, len(BODY) - 1))
    with UnreliableServer(BODY) as server, pytest.raises(OSError, match="10,239 are free"):
        run(server, tmp_path / "p")
    assert not (tmp_path / "p").exists()


def test_ctrl_c_leaves_the_partial_file(tmp_path: Path) -> None:
    def interrupt(received: int, _whole: int | None) -> None:
        if received >= 4000:
            raise KeyboardInterrupt

    with UnreliableServer(BODY, [Answer(stall_after=9000), Answer()]) as server:
        url = f"{server.address}/small.npz"
        with pytest.raises(KeyboardInterrupt):
            download(url, tmp_path / "p", len(BODY), len(BODY), interrupt, HASTE)
        kept = (tmp_path / "p").stat().st_size
        assert 4000 <= kept < len(BODY)
        assert json.loads((tmp_path / "p.json").read_text())["url"] == url
        run(server, tmp_path / "p")
    assert server.requests[1].range == (f"bytes={kept}-")
    assert (tmp_path / "p").read_bytes() == BODY


def test_discard(tmp_path: Path) -> None:
    with UnreliableServer(BODY) as server:
        run(server, tmp_path / "p")
    assert len(list(tmp_path.iterdir())) == 2
    discard(tmp_path / "p")
    discard(tmp_path / "p")
    assert list(tmp_path.iterdir()) == []
