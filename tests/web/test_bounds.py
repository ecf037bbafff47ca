"""How much may be asked of the server: bytes, pixels, pictures, forms that are none, time."""

import io
import platform
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image, ImageFile
from small_nets import AVERAGE
from web_client import JPEG, client_of, picture, problem, small_service

from vggnet.model import Model
from vggnet.web import app, given
from vggnet.web.limits import Limits
from vggnet.web.pixels import Pixels
from vggnet.web.uploads import pictures_of
from vggnet.web.workers import Stopped

LIMITS = Limits(
    body_bytes=100_000,
    object_bytes=2000,
    pixels=10_000,
    pictures=3,
    slow=1,
    slow_waiting=0,
    work_seconds=1.0,
)


@pytest.fixture
def service() -> Iterator[Any]:
    service = small_service(AVERAGE, LIMITS)
    yield service
    service.close()


@pytest.fixture
def bounded(service: Any) -> Iterator[Any]:
    with client_of(service) as client:
        yield client


def multipart(*parts: bytes, boundary: bytes = b"cut", end: bytes = b"--cut--\r\n") -> bytes:
    return b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end


def part(name: str, data: bytes) -> bytes:
    head = f'Content-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'
    return head.encode() + data


FORM = {"Content-Type": "multipart/form-data; boundary=cut"}


def test_too_many_bytes(bounded: Any, service: Any) -> None:
    response = bounded.post("/api/predict", content=bytes(100_001), headers=JPEG)
    assert "longer than 100,000 bytes" in problem(response, 413)
    pieces = (bytes(10_000) for _ in range(11))  # whose length nobody states
    assert "longer than" in problem(bounded.post("/api/predict", content=pieces, headers=JPEG), 413)
    form = bounded.post("/api/predict", files={"images": ("a", bytes(100_000))})
    assert "longer than" in problem(form, 413)
    json = bounded.post("/api/describe", content=b'{"config": "' + bytes(2000))
    assert "longer than 2,000 bytes" in problem(json, 413)
    assert service.bodies.held == 0


def test_all_bodies_together() -> None:
    service = small_service(AVERAGE, Limits(bytes_in_flight=1000))
    with client_of(service) as client:
        response = client.post("/api/predict", content=picture(), headers=JPEG)
        assert "too many bytes" in problem(response, 503)
        assert response.headers["retry-after"] == "1"
        assert service.bodies.held == 0
    service.close()


def bomb(width: int, height: int) -> bytes:
    """A small PNG that says it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [101, 50_000, 2**31 - 1])
def test_too_many_pixels(bounded: Any, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: Any) -> None:
        raise AssertionError("it is not decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", load)
    for path in (
        "predict",
        "view",
        "features?layer=conv1_1",
        "explain",
        "excite?layer=conv1_1&channel=0",
    ):
        response = bounded.post(f"/api/{path}", content=bomb(side, side), headers=JPEG)
        assert "pixels; make it smaller" in problem(response, 413)


def test_as_many_pixels_as_there_may_be(bounded: Any, service: Any) -> None:
    response = bounded.post("/api/predict", content=picture(100, 100, format="JPEG"), headers=JPEG)
    assert response.status_code == 200
    assert service.bodies.held == 0


def test_too_many_pictures(bounded: Any) -> None:
    files = [("images", (f"{number}.png", picture(20, 20))) for number in range(4)]
    assert "more than 3 pictures" in problem(bounded.post("/api/predict", files=files), 413)
    assert bounded.post("/api/predict", files=files[:3]).status_code == 200
    assert "more than 1 pictures" in problem(bounded.post("/api/view", files=files[:2]), 413)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/x-www-form-urlencoded", 415), ("text/plain", 415), (None, 200),
     ("image/x-unknown", 200), ("application/octet-stream", 200)],
)  # fmt: skip
def test_types_of_bodies(bounded: Any, kind: str | None, status: int) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    response = bounded.post("/api/predict", content=picture(), headers=headers)
    assert response.status_code == status
    if status == 415:
        assert "Content-Type such as image/jpeg" in problem(response, 415)


def test_empty_bodies(bounded: Any) -> None:
    assert "the body is empty" in problem(bounded.post("/api/predict", headers=JPEG), 422)
    field = b'Content-Disposition: form-data; name="images"\r\n\r\ntext'
    response = bounded.post("/api/predict", content=multipart(field), headers=FORM)
    assert "holds no file" in problem(response, 422)
    empty = bounded.post("/api/predict", content=multipart(part("a.png", b"")), headers=FORM)
    assert "a.png: no bytes" in problem(empty, 422)


def test_forms_that_cannot_be_read(bounded: Any) -> None:
    whole = multipart(part("a.png", picture(20, 20)))
    assert bounded.post("/api/predict", content=whole, headers=FORM).status_code == 200
    for cut in (whole[:-12], whole[:30], b"", b"--other\r\n", b"\x00" * 100):
        assert "form" in problem(bounded.post("/api/predict", content=cut, headers=FORM), 400)
    without = {"Content-Type": "multipart/form-data"}
    assert "no boundary" in problem(
        bounded.post("/api/predict", content=whole, headers=without), 400
    )
    long = {"Content-Type": f"multipart/form-data; boundary={'x' * 10_000}"}
    assert "form" in problem(bounded.post("/api/predict", content=whole, headers=long), 400)


def test_a_long_file_name(bounded: Any) -> None:
    response = bounded.post(
        "/api/predict", content=multipart(part("x" * 50_000, b"")), headers=FORM
    )
    assert response.status_code in (400, 413)
    assert len(problem(response, response.status_code)) < 300
    short = multipart(part("x" * 1000 + ".png", b"no picture"), part("b.png", picture(20, 20)))
    first, _ = bounded.post("/api/predict", content=short, headers=FORM).json()
    assert len(first["image"]) < 210


def test_names_are_shown_as_text(bounded: Any) -> None:
    body = multipart(part("a\tb\u202e.png", b"no"), part("猫.png", picture(20, 20)))
    first, second = bounded.post("/api/predict", content=body, headers=FORM).json()
    assert first["image"] == "a\\tb\\u202e.png"
    assert second["image"] == "猫.png"


def test_headers_of_a_part_without_end(bounded: Any) -> None:
    head = b"".join(f"X-{number}: y\r\n".encode() for number in range(5000))
    response = bounded.post("/api/predict", content=multipart(head + b"\r\n"), headers=FORM)
    assert response.status_code in (400, 413)
    few = b"".join(b"X-%d: " % number + b"y" * 3000 + b"\r\n" for number in range(3))
    response = bounded.post("/api/predict", content=multipart(few + b"\r\n"), headers=FORM)
    assert "more than 8192 bytes" in problem(response, 413)


def test_a_form_of_very_many_parts(bounded: Any) -> None:
    few = multipart(*[b"A: \r\n\r\n"] * 32, part("a.png", picture(20, 20)))
    assert bounded.post("/api/view", content=few, headers=FORM).status_code == 200
    many = multipart(*[b"A: \r\n\r\n"] * 33, part("a.png", picture(20, 20)))
    response = bounded.post("/api/view", content=many, headers=FORM)
    assert "more than 33 parts" in problem(response, 413)


def test_a_list_of_very_many_networks(bounded: Any) -> None:
    response = bounded.post("/api/describe", content=b'{"config": [' + b"1," * 900 + b"1]}")
    assert "901 of them: there may be 1 to 8" in problem(response, 422)


def test_bodies_are_read_beside_the_event_loop(
    bounded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which would answer nobody else meanwhile: a form of many lines takes seconds."""
    threads = []

    def noted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            threads.append(threading.current_thread().name)
            return function(*arguments)

        return call

    monkeypatch.setattr(app, "pictures_of", noted(app.pictures_of))
    monkeypatch.setattr(app, "_parsed", noted(app._parsed))
    bounded.post("/api/predict", content=picture(), headers=JPEG)
    bounded.post("/api/view", content=picture(), headers=JPEG)
    bounded.post("/api/describe", json={"config": "A"})
    names = [name.rpartition("_")[0] for name in threads]
    assert names == ["vggnet-pictures", "vggnet-pictures", "vggnet-quick"]


def test_a_form_that_nobody_wants_is_not_read_to_its_end() -> None:
    unwanted = threading.Event()
    body = multipart(part("a.png", bytes(200_000)))
    assert len(pictures_of(FORM["Content-Type"], body, 1, unwanted)) == 1
    unwanted.set()
    with pytest.raises(Stopped):
        pictures_of(FORM["Content-Type"], body, 1, unwanted)


def test_pixels_are_decoded_within_a_bound() -> None:
    pixels, at_a_time, lock = Pixels(10), [], threading.Lock()

    def decode(number: int) -> None:
        with pixels.room_for(number):
            with lock:
                at_a_time.append(pixels._held)
            time.sleep(0.001)

    threads = [threading.Thread(target=decode, args=(number,)) for number in [4, 10, 99, 3] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(at_a_time) == 20
    assert max(at_a_time) == 10
    assert pixels._held == 0


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that keeps memory")
def test_the_memory_of_large_pictures_is_returned() -> None:
    """Also that of threads, each of which has an arena of its own."""
    code = """
import re, threading
from PIL import Image
from vggnet.web.pixels import return_freed_memory
return_freed_memory()
def decode():
    Image.new("RGB", (6000, 6000)).transpose(Image.Transpose.ROTATE_180)
def mebibytes():
    status = open("/proc/self/status").read()
    return int(re.search(r"VmRSS:\\s*(\\d+)", status)[1]) // 1024
before, barrier = mebibytes(), threading.Barrier(3)
def twice():
    decode()
    decode()
    barrier.wait()
    barrier.wait()  # the thread lives on
threads = [threading.Thread(target=twice) for _ in range(2)]
for thread in threads:
    thread.start()
barrier.wait()
print(mebibytes() - before)
barrier.wait()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60  # of 280 for each thread


@pytest.mark.parametrize(
    "path",
    ["predict", "view", "features?layer=conv1_1", "explain", "excite?layer=conv1_1&channel=0"],
)
def test_every_picture_is_decoded_within_that_bound(
    bounded: Any, service: Any, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = []

    def opened(*arguments: Any) -> Any:
        held.append(service.pixels._held)
        return open_picture(*arguments)

    open_picture = given.open_picture
    monkeypatch.setattr(given, "open_picture", opened)
    response = bounded.post(f"/api/{path}", content=picture(40, 30), headers=JPEG)
    assert response.status_code == 200
    assert held == [1200]
    assert service.pixels._held == 0


class Held:
    """An engine that computes when it is told to."""

    def __init__(self, model: Model) -> None:
        self.engine, self.begun, self.go_on = model.engine, threading.Event(), threading.Event()
        self.name, self.spec, self.precision = "numpy", model.spec, "fp32"
        self.calls = 0

    def __call__(self, images_NCHW: Any) -> Any:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(60)
        return self.engine(images_NCHW)

    def features(self, images_NCHW: Any, names: Any) -> Any:
        self.calls += 1
        self.begun.set()
        assert self.go_on.wait(60)
        return self.engine.features(images_NCHW, names)


def test_work_that_takes_too_long_is_given_up(service: Any, bounded: Any) -> None:
    held = Held(service.model)
    service.model.engine = held
    response = bounded.post("/api/explain?method=occlusion", content=picture(), headers=JPEG)
    assert "took longer than 1 seconds" in problem(response, 503)
    assert "retry-after" not in response.headers  # it would take as long again
    assert (response.json()["code"], response.json()["values"]) == ("too-slow", {"seconds": 1})
    # Its thread is still busy, and nobody else can wait for it; all the rest goes on.
    busy = bounded.post("/api/explain", content=picture(), headers=JPEG)
    assert "too much is being asked for" in problem(busy, 503)
    assert bounded.get("/healthz").status_code == 200
    assert bounded.get("/api/describe?config=D").status_code == 200
    held.go_on.set()
    service.workers["slow"]._pool.submit(lambda: None).result(60)
    assert held.calls == 1  # it ended before the next call of the engine
    service.model.engine = held.engine
    assert bounded.post("/api/explain", content=picture(), headers=JPEG).status_code == 200


def test_a_picture_that_nobody_waits_for_is_not_computed(
    service: Any, bounded: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    held = Held(service.model)
    service.model.engine = held
    held.go_on.set()
    open_picture = given.open_picture

    def opened(*arguments: Any) -> Any:
        assert go_on.wait(60)
        return open_picture(*arguments)

    monkeypatch.setattr(given, "open_picture", opened)
    response = bounded.post("/api/features?layer=conv1_1", content=picture(), headers=JPEG)
    assert "took longer than 1 seconds" in problem(response, 503)
    go_on.set()
    while service.workers["pictures"].jobs:
        time.sleep(0.01)
    assert held.calls == 0
    assert (
        bounded.post("/api/features?layer=conv1_1", content=picture(), headers=JPEG).status_code
        == 200
    )
    assert held.calls == 1


def test_too_many_pictures_wait() -> None:
    service = small_service(AVERAGE, Limits(waiting=2, pictures=10))
    files = [("images", (f"{number}.png", picture(20, 20))) for number in range(10)]
    with client_of(service) as client:
        response = client.post("/api/predict", files=files)
        assert "try again" in problem(response, 503)
        assert client.post("/api/predict", files=files[:2]).status_code == 200
    service.close()


def test_too_many_requests_at_a_time() -> None:
    service = small_service(AVERAGE, Limits(requests=0))
    with client_of(service) as client:
        response = client.get("/api/networks")
        assert "too many requests" in problem(response, 503)
        assert response.headers["retry-after"] == "1"
        for path in ("/healthz", "/readyz", "/"):  # which clients that upload slowly may not hinder
            assert client.get(path).status_code == 200
    service.close()


def test_a_picture_of_another_kind_is_not_decoded_by_what_it_is_called(bounded: Any) -> None:
    """EPS, which runs a program, and the like are no pictures here."""
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "EPS")
    response = bounded.post(
        "/api/predict", content=file.getvalue(), headers={"Content-Type": "image/png"}
    )
    assert "not a JPEG" in problem(response, 415)
