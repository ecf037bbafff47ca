"""Published files by name: found on this disk, else downloaded once and verified."""

import hashlib
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest
from cache_folders import BODY, hub_file, move_caches, move_hub, put_in_hub_cache, small_file
from places import HELPERS
from unreliable_server import Answer, UnreliableServer

from vggnet.weights.published.caches import own_path
from vggnet.weights.published.catalog import CATALOG, Digest, PublishedFile
from vggnet.weights.published.download import Patience
from vggnet.weights.published.fetch import fetch, find

HASTE = Patience(timeout=60, attempts=3, wait=0.01)
# Another process that fetches small.npz from the address, then prints the path.
FETCH = """
import sys
sys.path.insert(0, sys.argv[2])
from cache_folders import small_file
from vggnet.weights.published.fetch import fetch
print(fetch(small_file(url=sys.argv[1])))
"""


@pytest.fixture(autouse=True)
def _own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    move_caches(tmp_path, monkeypatch)


def at(server: UnreliableServer, **changes: object) -> PublishedFile:
    return small_file(url=f"{server.address}/small.npz", **changes)


def start_fetching(server: UnreliableServer) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, f"{server.address}/small.npz", str(HELPERS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(true: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Waits, while the process runs; what it says where it ends before that is true."""
    while not true():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_file_is_fetched_verified_and_found_from_then_on(tmp_path: Path) -> None:
    with UnreliableServer(BODY) as server:
        file = at(server)
        assert find(file) is None
        path = fetch(file, patience=HASTE)
        assert path == tmp_path / ".cache/vggnet/vgg16@small/small.npz" == find(file)
        assert path.read_bytes() == BODY
        assert fetch(file) == path
    assert len(server.requests) == 1
    left = sorted(each.name for each in path.parent.iterdir())
    assert left in (["small.npz"], ["small.npz", "small.npz.lock"])


def test_vggnet_cache_moves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGGNET_CACHE", str(tmp_path / "elsewhere"))
    with UnreliableServer(BODY) as server:
        path = fetch(at(server))
    assert path == tmp_path / "elsewhere/vgg16@small/small.npz"


def test_what_another_tool_left_is_used_in_place(tmp_path: Path) -> None:
    path = tmp_path / ".cache/torch/hub/checkpoints/small.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    assert fetch(small_file(convention="torchvision")) == path
    link = put_in_hub_cache(tmp_path)
    assert fetch(hub_file()) == link


def test_a_faulty_copy_is_passed_over_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / ".cache/torch/hub/checkpoints/small.npz"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY[1:])
    with UnreliableServer(BODY) as server:
        fetched = fetch(at(server, convention="torchvision"))
    assert fetched == own_path(small_file())
    line = f"vgg16@small: {path} is not used: it has 10,239 bytes, not 10,240"
    assert caplog.record_tuples == [("vggnet", logging.WARNING, line)]
    assert path.read_bytes() == BODY[1:]  # another tool's file is left alone


def test_a_faulty_copy_of_our_own_is_replaced() -> None:
    path = own_path(small_file())
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(len(BODY)))
    with UnreliableServer(BODY) as server:
        assert fetch(at(server)) == path
    assert path.read_bytes() == BODY


def test_altered_bytes_never_land_in_place() -> None:
    with UnreliableServer(BODY, [Answer(altered=5000), Answer()]) as server:
        file = at(server)
        with pytest.raises(ValueError, match=r"^vgg16@small: what http://\S+ gives is not ") as no:
            fetch(file, patience=HASTE)
        assert not own_path(file).exists()
        assert find(file) is None
        altered = bytearray(BODY)
        altered[5000] ^= 1
        for body, word in ((BODY, "expected"), (altered, "found")):
            assert f"{word} sha256 {hashlib.sha256(body).hexdigest()}" in str(no.value)
        assert len(str(no.value).splitlines()) == 1
        assert fetch(file).read_bytes() == BODY  # nothing of the altered bytes is resumed
    assert server.requests[1].range is None


def test_bytes_altered_before_a_cut_do_not_land_either() -> None:
    answers = [Answer(cut_after=4000, altered=100), Answer()]
    with UnreliableServer(BODY, answers) as server:
        with pytest.raises(ValueError, match="is not the file that was published: expected"):
            fetch(at(server), patience=HASTE)
        assert fetch(at(server)).read_bytes() == BODY


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(404), "the server answered 404 Not Found"),
        (Answer(content_length=5), "the server has 5 bytes, not the expected 10,240"),
        (None, "127.0.0.1 cannot be reached: Connection refused"),
    ],
)
def test_what_cannot_be_had_is_told_with_what_to_do_by_hand(
    answer: Answer | None, reason: str
) -> None:
    with UnreliableServer(BODY, [answer or Answer()]) as server:
        file = at(server) if answer else small_file(url="http://127.0.0.1:9/small.npz")
        with pytest.raises(ValueError, match=r"^vgg16@small: ") as caught:
            fetch(file)
    assert str(caught.value) == (
        f"vgg16@small: {reason}; download small.npz from https://example.org/small and put it at "
        f"{own_path(file)}"
    )
    own_path(file).write_bytes(BODY)
    assert fetch(file) == own_path(file)


def test_a_name_of_the_catalog() -> None:
    assert find("vgg16@oxford") is None
    with pytest.raises(ValueError, match=r"^'vgg17': no published weights of this name; did you"):
        fetch("vgg17")
    with pytest.raises(ValueError, match=r"^vgg19@tensorflow-vgg: only a browser can fetch it; "):
        fetch("E@tensorflow-vgg")


@pytest.mark.parametrize("name", [name for name, file in CATALOG.items() if file.repository])
def test_one_byte_is_no_copy_of_any_file(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / f"hub/models--timm--{name}.tv_in1k/snapshots/abc/model.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    assert find(name) is None
    assert f"{name}: {path} is not used: " in caplog.text


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 7))
    line = (
        r"^vgg16@small: \S+vgg16@small: 10,240 bytes are to come and 7 are free; "
        "VGGNET_CACHE names another folder$"
    )
    with UnreliableServer(BODY) as server, pytest.raises(ValueError, match=line):
        fetch(at(server))


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("VGGNET_CACHE", str(tmp_path / "a file"))
    with (
        UnreliableServer(BODY) as server,
        pytest.raises(ValueError, match=r"^vgg16@small: .*a file.*; VGGNET_CACHE names another"),
    ):
        fetch(at(server))


def test_two_processes_at_once_fetch_once() -> None:
    with UnreliableServer(BODY, [Answer(seconds_a_piece=0.3)]) as server:
        first = start_fetching(server)
        wait_until(lambda: bool(server.requests), first)
        second_path = fetch(at(server))  # while the first has it half
        out, err = first.communicate(timeout=600)
    assert (Path(out.strip()), err) == (second_path, "")
    assert len(server.requests) == 1
    assert second_path.read_bytes() == BODY


def test_the_part_of_a_killed_process_is_resumed_and_its_lock_is_free() -> None:
    with UnreliableServer(BODY, [Answer(stall_after=4000), Answer()]) as server:
        killed = start_fetching(server)
        partial = own_path(small_file()).with_name("small.npz.partial")
        wait_until(lambda: partial.exists() and partial.stat().st_size == 4000, killed)
        killed.send_signal(signal.SIGKILL)
        killed.communicate(timeout=600)
        assert fetch(at(server)).read_bytes() == BODY
    assert [request.range for request in server.requests] == [None, "bytes=4000-"]


def test_the_bar_is_drawn_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with UnreliableServer(BODY) as server:
        fetch(at(server))
        assert capsys.readouterr() == ("", "")
        own_path(small_file()).unlink()
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")
        fetch(at(server), progress=False)
        assert capsys.readouterr() == ("", "")
        own_path(small_file()).unlink()
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        fetch(at(server))
        out, err = capsys.readouterr()
    assert out == ""
    assert "vgg16@small" in err
    assert "10.2/10.2 kB" in err


class TestHub:
    """Files on Hugging Face, from a server on the loopback that HF_ENDPOINT names."""

    etag = f'"{hashlib.sha256(BODY).hexdigest()}"'

    def test_a_file_lands_in_hugging_faces_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with UnreliableServer(BODY, [Answer(etag=self.etag)]) as server:
            move_hub(server.address, monkeypatch)
            path = fetch(hub_file())
            snapshots = tmp_path / "hub/models--timm--vgg16.tv_in1k/snapshots"
            assert path == snapshots / ("0123456789" * 4) / "model.safetensors" == find(hub_file())
            assert path.read_bytes() == BODY
            assert fetch(hub_file()) == path
        assert [request.path for request in server.gets] == [
            "/timm/vgg16.tv_in1k/resolve/main/model.safetensors"
        ]

    def test_what_the_bar_is_told(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        monkeypatch.setenv("TERM", "xterm")
        with UnreliableServer(BODY, [Answer(etag=self.etag)]) as server:
            move_hub(server.address, monkeypatch)
            fetch(hub_file())
        out, err = capsys.readouterr()
        assert out == ""
        assert "10.2/10.2 kB" in err
        assert "model.safetensors" not in err  # huggingface_hub's own bar

    def test_a_cut_connection_resumes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
        answers = [Answer(etag=self.etag, cut_after=4000), Answer(etag=self.etag)]
        with UnreliableServer(BODY, answers) as server:
            move_hub(server.address, monkeypatch)
            assert fetch(hub_file()).read_bytes() == BODY
        assert [request.range for request in server.gets] == [None, "bytes=4000-"]

    def test_a_file_that_was_changed_there_is_told_before_it_is_fetched(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with UnreliableServer(BODY, [Answer(etag=self.etag)]) as server:
            move_hub(server.address, monkeypatch)
            file = hub_file(digest=Digest("sha256", "0" * 64))
            expected = f"expected sha256 {'0' * 64}, found sha256 {self.etag[1:-1]}"
            with pytest.raises(ValueError, match=f"^vgg16: .*{expected}; download "):
                fetch(file)
            with pytest.raises(
                ValueError, match=r"^vgg16: the file there has 10,240 bytes, not 9;"
            ):
                fetch(hub_file(num_bytes=9))
        assert server.gets == []

    def test_altered_bytes_do_not_stay(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with UnreliableServer(BODY, [Answer(etag=self.etag, altered=7)]) as server:
            move_hub(server.address, monkeypatch)
            with pytest.raises(ValueError, match=r"^vgg16: .* expected sha256 .*, found sha256 "):
                fetch(hub_file())
            assert find(hub_file()) is None
            assert not list(tmp_path.glob("hub/*/snapshots/*/*"))
            assert not list(tmp_path.glob("hub/*/blobs/*"))
            server.answers = [Answer(etag=self.etag)]
            assert fetch(hub_file()).read_bytes() == BODY

    def test_the_digest_that_the_hub_states_holds_where_its_cache_has_no_links(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("huggingface_hub.file_download.are_symlinks_supported", lambda _: False)
        monkeypatch.setattr(PublishedFile, "approximate_bytes", len(BODY))
        file = hub_file(digest=None, num_bytes=None)
        with UnreliableServer(BODY, [Answer(etag=self.etag, altered=7)]) as server:
            move_hub(server.address, monkeypatch)
            with pytest.raises(ValueError, match=f"expected sha256 {self.etag[1:-1]}, found"):
                fetch(file)
            assert not list(tmp_path.glob("hub/*/snapshots/*/*"))
            server.answers = [Answer(etag=self.etag)]
            path = fetch(file)
        assert not path.is_symlink()
        assert find(file) == path

    def test_a_damaged_copy_there_is_fetched_anew(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        link = put_in_hub_cache(tmp_path, bytes(len(BODY)), self.etag[1:-1])
        with UnreliableServer(BODY, [Answer(etag=self.etag)]) as server:
            move_hub(server.address, monkeypatch)
            assert fetch(hub_file()) == link
        assert link.read_bytes() == BODY

    @pytest.mark.parametrize(
        ("status", "line"),
        [
            (404, "the server answered 404 Not Found"),
            (401, "the server answered 401 Unauthorized"),
            (403, "the server answered 403 Forbidden"),
            (503, "the server answered 503 Service Unavailable"),
            (None, "Connection refused"),
        ],
    )
    def test_what_cannot_be_had_is_told_soon(
        self, status: int | None, line: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        naps: list[float] = []
        monkeypatch.setattr("time.sleep", naps.append)
        with UnreliableServer(BODY, [Answer(status or 200)]) as server:
            if status is not None:
                move_hub(server.address, monkeypatch)
            with pytest.raises(ValueError, match=f"^vgg16: .*: {line}; download ") as caught:
                fetch(hub_file())
        assert len(str(caught.value).splitlines()) == 1
        assert str(caught.value).endswith(f"put it at {own_path(hub_file())}")
        assert not any(naps)  # the library's own retries would wait for 24 seconds

    def test_a_full_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 7))
        with UnreliableServer(BODY, [Answer(etag=self.etag)]) as server:
            move_hub(server.address, monkeypatch)
            with pytest.raises(ValueError, match=r"^vgg16: \S+hub: .* 7 are free; HF_HOME names"):
                fetch(hub_file())
        assert server.gets == []

    def test_offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        with UnreliableServer(BODY) as server:
            move_hub(server.address, monkeypatch)
            with pytest.raises(
                ValueError, match=r"^vgg16: HF_HUB_OFFLINE forbids to download it; "
            ):
                fetch(hub_file())
            link = put_in_hub_cache(tmp_path)
            assert fetch(hub_file()) == link
        assert server.requests == []


def test_the_variables_of_hugging_face_hold_in_a_fresh_process(tmp_path: Path) -> None:
    program = """
import sys
sys.path.insert(0, sys.argv[1])
from cache_folders import hub_file
from vggnet.weights.published.fetch import fetch
print(fetch(hub_file()))
"""
    command = [sys.executable, "-c", program, str(HELPERS)]
    variables = os.environ | {"HF_HOME": str(tmp_path / "hf")}
    with UnreliableServer(BODY, [Answer(etag=TestHub.etag)]) as server:
        variables["HF_ENDPOINT"] = server.address
        ran = subprocess.run(
            command, env=variables | {"HF_HUB_OFFLINE": "1"}, capture_output=True, text=True
        )
        assert "ValueError: vgg16: HF_HUB_OFFLINE forbids" in ran.stderr
        assert server.requests == []
        ran = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert ran.stderr == ""
    assert re.fullmatch(f"{tmp_path}/hf/hub/models--timm--.*/model.safetensors\n", ran.stdout)
