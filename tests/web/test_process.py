"""The server as a process: signals, clients that are slow, silent or gone, and what it loads."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from places import HELPERS
from web_client import CAT, JPEG

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
# A server of a small net, with short deadlines, that computes only when a file is there.
SMALL = """
import pathlib, socket, sys, time
sys.path.insert(0, {here!r})
from small_nets import AVERAGE
from web_client import small_service
from vggnet.web.guard import Access
from vggnet.web.limits import Limits
from vggnet.web.server import leave_threads, listen, serve
limits = Limits(headers_seconds=0.5, body_seconds={body}, work_seconds=30.0,
                linger_seconds=0.5{more})
service = small_service(AVERAGE, limits)
engine, gate = service.model.engine, pathlib.Path({gate!r})
class Gated:
    name, spec, precision = engine.name, engine.spec, engine.precision
    def __call__(self, images):
        print("computes\\n", end="", flush=True)
        while not gate.exists():
            time.sleep(0.01)
        return engine(images)
    def features(self, images, names):
        print("computes\\n", end="", flush=True)  # in one piece
        while not gate.exists():
            time.sleep(0.01)
        return engine.features(images, names)
service.model.engine = Gated()
listening = listen("127.0.0.1", 0)
listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
tell = lambda: print("vggnet: small at http://127.0.0.1:%d;" % listening.getsockname()[1],
                     file=sys.stderr, flush=True)
ended_by = serve(service, listening, Access(), tell)
leave_threads(service, ended_by)
sys.exit(ended_by)
"""


@contextmanager
def running(*command: str, env: dict[str, str] | None = None) -> Iterator[tuple[Any, int]]:
    """A process that serves, and its port; what it said stands in `said` of the process."""
    process = subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **(env or {})},
    )  # fmt: skip
    try:
        process.said = ""  # type: ignore[attr-defined]
        while not (found := re.search(r"http://127.0.0.1:(\d+)", process.said)):  # type: ignore[attr-defined]
            line = process.stderr.readline()  # type: ignore[union-attr]
            assert line, process.said  # type: ignore[attr-defined]
            process.said += line  # type: ignore[attr-defined]
        yield process, int(found[1])
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    return tmp_path / "gate"


@pytest.fixture
def small(gate: Path) -> Iterator[tuple[Any, int]]:
    with running("-c", program(gate)) as found:
        yield found


def program(gate: Path, more: str = "", body: float = 1.0) -> str:
    """The server above; `more` are other limits, `body` the seconds for a body."""
    return SMALL.format(here=str(HELPERS), gate=str(gate), more=more, body=body)


def ask(port: int, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST" if body is not None else "GET", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def rest(client: socket.socket) -> bytes:
    """All that still comes until the server closes."""
    found = b""
    with suppress(ConnectionError):
        while part := client.recv(65536):
            found += part
    return found


def connect_for_ever(port: int) -> None:
    """Until it is refused."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        socket.create_connection(("127.0.0.1", port)).close()
        time.sleep(0.02)


def send_for_ever(client: socket.socket, piece: bytes) -> None:
    """Until the connection is cut, however fast the server reads."""
    end = time.monotonic() + 600
    while time.monotonic() < end:
        client.sendall(piece)


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(number: signal.Signals) -> None:
    with running("-m", "vggnet", "serve", "--port", "0", "--threads", "1") as (process, port):
        status, body = ask(port, "/api/predict?top=1", CAT, **JPEG)
        assert (status, json.loads(body)[0]["predictions"][0]["label"]) == (200, "tabby")
        idle = socket.create_connection(("127.0.0.1", port))  # which must not hold it up
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        idle.close()
    assert process.returncode == 128 + number
    assert said == ""
    assert process.said.startswith("vggnet: tiny-imagenet (")
    assert process.said.endswith("; Ctrl-C stops\n")


@posix
def test_what_is_being_answered_is_answered_first(small: Any, gate: Path) -> None:
    process, port = small
    with socket.create_connection(("127.0.0.1", port)) as client:
        body = CAT
        client.sendall(
            b"POST /api/features?layer=conv1_1 HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        assert process.stdout.readline() == "computes\n"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionRefusedError):
            connect_for_ever(port)
        assert process.poll() is None
        gate.touch()
        assert rest(client).startswith(b"HTTP/1.1 200")
    process.wait(60)
    assert process.returncode == signal.SIGTERM  # as the program above has it


@posix
@pytest.mark.parametrize("path", ["features?layer=conv1_1", "explain?method=occlusion", "predict"])
def test_what_takes_too_long_is_given_up_at_a_signal(gate: Path, path: str) -> None:
    """It is told so, and the process ends though its thread computes on."""
    with (
        running("-c", program(gate, ", stop_seconds=0.5")) as (process, port),
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        client.sendall(
            b"POST /api/%s HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: %d\r\n\r\n" % (path.encode(), len(CAT)) + CAT
        )
        assert process.stdout.readline() == "computes\n"
        process.send_signal(signal.SIGTERM)
        answer = rest(client)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"the server is stopping; try again" in answer
        process.wait(60)
    assert process.returncode == signal.SIGTERM


@posix
def test_a_body_that_comes_slowly_does_not_hold_up_the_end(gate: Path) -> None:
    with running("-c", program(gate, ", stop_seconds=0.5", body=60.0)) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
                b"Content-Length: 1000\r\n\r\nabc"
            )
            ask(port, "/healthz")
            process.send_signal(signal.SIGTERM)
            assert rest(client).startswith(b"HTTP/1.1 503")
        process.wait(60)


def test_silent_and_slow_clients_are_cut_off(small: Any) -> None:
    _, port = small
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    slow = socket.create_connection(("127.0.0.1", port))
    slow.sendall(b"GET /healthz HTTP/1.1\r\n")
    assert ask(port, "/healthz")[0] == 200
    ended = False
    for _ in range(1000):  # a header every now and then does not keep the connection
        try:
            slow.sendall(b"X: y\r\n")
        except OSError:
            ended = True
            break
        time.sleep(0.02)
    assert ended
    for each in silent:
        each.settimeout(60)
        assert rest(each) == b""
        each.close()
    slow.close()


def test_a_slow_body_is_refused(small: Any) -> None:
    _, port = small
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
            b"Content-Length: 1000\r\n\r\nabc"
        )
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"did not come within" in answer


def test_a_refused_body_is_not_read_for_ever(small: Any) -> None:
    _, port = small
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        piece = b"%x\r\n" % 65536 + bytes(65536) + b"\r\n"
        with pytest.raises(ConnectionError):
            send_for_ever(client, piece)
    assert ask(port, "/healthz")[0] == 200


def test_a_file_name_of_50_mb(gate: Path) -> None:
    gate.touch()
    head = b'--cut\r\nContent-Disposition: form-data; name="images"; filename="'
    form = {"Content-Type": "multipart/form-data; boundary=cut"}
    body = head + b"x" * (20 << 20) + b'"\r\n\r\n--cut--\r\n'
    with running("-c", program(gate, body=60.0)) as (_, port):
        status, found = ask(port, "/api/predict", body, **form)
        assert status in (400, 413)
        assert len(found) < 1000
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(
                b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Length: 52428800\r\n"
                b"Content-Type: multipart/form-data; boundary=cut\r\n\r\n" + head
            )
            assert b"HTTP/1.1 413" in rest(client)
        assert ask(port, "/api/predict", CAT, **JPEG)[0] == 200


def test_headers_without_end(small: Any) -> None:
    _, port = small
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        with suppress(ConnectionError):
            client.sendall(b"GET /" + b"x" * 1_000_000)
        answer = rest(client)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"no http at all\r\n\r\n")
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 400


def test_too_many_connections(gate: Path) -> None:
    with running("-c", program(gate, ", connections=0")) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        assert (response.status, response.headers["Retry-After"]) == (503, "1")
        assert "too many connections" in json.loads(response.read())["detail"]
        connection.close()


def test_answers_that_nobody_reads_are_let_go(gate: Path) -> None:
    """Of networks with a thousand layers, which are more than the socket's buffers hold."""
    tokens = " / ".join(["conv3-8"] * 1000)
    body = json.dumps({"config": [tokens] * 8}).encode()
    request = b"POST /api/describe HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    with running("-c", program(gate, ", bytes_in_flight=12_000_000")) as (_, port):
        clients = []
        for _ in range(4):
            client = socket.socket()
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.sendall(request + body)
            clients.append(client)
        # Each has its answer now, or has lost it.
        while b'request_seconds_count{address="/api/describe"} 4.0' not in ask(port, "/metrics")[1]:
            time.sleep(0.02)
        assert ask(port, "/healthz")[0] == 200
        read = [len(rest(client)) for client in clients]
        for client in clients:
            client.close()
    assert min(read) < 5_000_000 < max(read)


def test_an_upload_that_is_cut(small: Any, gate: Path) -> None:
    process, port = small
    gate.touch()
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(
                b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
                b"Content-Length: %d\r\n\r\n" % len(CAT) + CAT[:10_000]
            )
    assert ask(port, "/api/predict", CAT, **JPEG)[0] == 200
    text = ask(port, "/metrics")[1].decode()
    assert "vggnet_upload_bytes 0.0" in text
    assert 'address="/api/predict",status="499"' in text
    form = {"Content-Type": "multipart/form-data; boundary=cut"}
    assert ask(port, "/api/predict", b"--cut\r\n=: secret\r\n", **form)[0] == 400
    process.terminate()
    assert process.communicate(timeout=60)[1] == ""  # nothing of it is told


def test_networks_are_described_while_the_model_is_at_work(small: Any, gate: Path) -> None:
    process, port = small
    request = (
        b"POST /api/features?layer=conv1_1 HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        b"Content-Length: %d\r\n\r\n" % len(CAT) + CAT
    )
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(6)]
    for client in clients:
        client.sendall(request)
    assert [process.stdout.readline() for _ in range(2)] == ["computes\n"] * 2
    assert ask(port, "/api/describe?config=D")[0] == 200
    assert ask(port, "/api/stack?kernels=3,3")[0] == 200
    gate.touch()
    for client in clients:
        client.close()


def test_work_for_a_client_that_has_gone_is_dropped(small: Any, gate: Path) -> None:
    _, port = small
    request = (
        b"POST /api/explain?method=occlusion HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
        b"Content-Length: %d\r\n\r\n" % len(CAT) + CAT
    )
    for _ in range(6):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(request)
            time.sleep(0.1)
    # Two may be at work; of the others none is left, so that there is room for this one.
    for _ in range(1000):
        jobs = re.search(r"^vggnet_slow_jobs (\S+)", ask(port, "/metrics")[1].decode(), re.M)
        assert jobs
        if float(jobs[1]) <= 2:
            break
        time.sleep(0.02)
    assert float(jobs[1]) <= 2
    assert b'address="/api/explain",status="499"} 6.0' in ask(port, "/metrics")[1]
    gate.touch()
    assert ask(port, "/api/explain", CAT, **JPEG)[0] == 200


@posix
def test_the_token_comes_from_the_environment() -> None:
    command = ("-m", "vggnet", "serve", "--port", "0", "--threads", "1")
    with running(*command, env={"VGGNET_TOKEN": "secret"}) as (process, port):
        assert "secret" not in process.said
        assert ask(port, "/api/model")[0] == 401
        assert ask(port, "/api/model", Authorization="Bearer secret")[0] == 200


def test_it_starts_without_torch_and_imports_nothing_that_is_not_there() -> None:
    code = (
        "import sys, vggnet.web.server, vggnet.web.app, vggnet.cli.serve\n"
        "assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules\n"
        "import vggnet.torch_network\n"
        "assert 'torch' in sys.modules"  # so that the check above can fail
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError(name='starlette')\n")
    done = subprocess.run(
        [sys.executable, "-m", "vggnet", "serve", "--port", "0"], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "vggnet: vggnet serve needs starlette: pip install 'vggnet[web]'\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--token", "two words"), "--token: give printable ASCII characters without blanks"),
        (("--allow-host", "http://a.b"), "--allow-host http://a.b: give a name without scheme"),
        (("--allow-host", "a.b:80"), "--allow-host a.b:80: give a name without scheme and port"),
        (("--allow-origin", "example.org"), "--allow-origin example.org: give scheme and host"),
        (("--port", "70000"), "70000"),
        (("--weights", "nothing.safetensors"), "nothing.safetensors"),
        (("--host", "no such host"), "host no such host"),
    ],
)
def test_mistakes_of_the_command_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from command_line import run

    status, out, err = run(capsys, "serve", "--port", "0", *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


@posix
def test_under_other_names_than_those_it_is_told_it_does_not_answer() -> None:
    command = ("-m", "vggnet", "serve", "--port", "0", "--threads", "1", "--host", "0.0.0.0")
    process = subprocess.Popen(
        [sys.executable, *command, "--allow-host", "vgg.example.org"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr
        process.stderr.readline()  # the warning
        port = int(process.stderr.readline().rpartition(":")[2].split(";")[0])
        for name, status in (("vgg.example.org", 200), ("127.0.0.1", 200), ("evil.example", 421)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/healthz", headers={"Host": f"{name}:{port}"})
            assert connection.getresponse().status == status, name
            connection.close()
    finally:
        process.terminate()
        process.communicate(timeout=60)


@posix
def test_other_machines_are_warned_of() -> None:
    command = ("-m", "vggnet", "serve", "--port", "0", "--threads", "1", "--host", "0.0.0.0")
    process = subprocess.Popen(
        [sys.executable, *command], stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        assert process.stderr
        assert "whoever does may use it: --token keeps others out" in process.stderr.readline()
        assert "http://0.0.0.0:" in process.stderr.readline()
    finally:
        process.terminate()
        process.communicate(timeout=60)
