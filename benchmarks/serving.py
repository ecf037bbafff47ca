"""Many clients of `vggnet serve`: whether every answer is right, and what it costs.

    pip install 'vggnet[web]'; python benchmarks/serving.py PHOTOGRAPH...

Two things on loopback. Clients that send good and bad requests, mixed, for some seconds: every
answer to a good one must be `model.predict`'s, and every bad one be refused as it should. Then
good requests alone: the CPU seconds of the server's process for each, against those of
`model.predict` in a process of its own, and the server's resident memory after the first tenth of
them and after all. And, of a server that has nothing else to do: how long describing a network
takes, and from the start of `vggnet serve` and from its first answer to a page with all its files
and the model's description. CPU time and memory are read from Linux's /proc. Beside each figure
stands what is asked of it; the exit status is 1 where one is missed. Writes benchmarks/results/.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import report
from machine import machine

JPEG = {"Content-Type": "image/jpeg"}
# What else is asked, and the statuses that may answer; 503 may answer everything.
BAD: tuple[tuple[str, str, bytes | None, dict[str, str], int], ...] = (
    ("POST", "/api/predict", b"no picture", JPEG, 415),
    ("POST", "/api/predict", b"", JPEG, 422),
    ("POST", "/api/predict", b"no picture", {"Content-Type": "text/plain"}, 415),
    ("POST", "/api/predict?top=x", b"no picture", JPEG, 422),
    ("GET", "/api/describe?config=X", None, {}, 422),
    ("GET", "/nothing", None, {}, 404),
    ("DELETE", "/api/model", None, {}, 405),
)
# What a browser asks for first, beside what these load: the page, the tab that it opens with.
FIRST = ("/", "/page/learn/learn.js", "/api/model", "/api/networks", "/api/describe?config=D")
# What is asked of each figure, at most.
ASKED = {
    "wrong": 0,
    "cpu_ratio": 1.4,
    "memory_ratio": 1.05,
    "describe_seconds": 0.05,
    "usable_seconds": 1.0,
}
TOLERANCE = 1e-4  # of a probability: batches are computed in another order
PREDICT = """
import json, sys, time, vggnet
repeats, threads, *paths = sys.argv[1:]
model = vggnet.load(threads=int(threads))
pictures = [open(path, "rb").read() for path in paths]
answers = [[[each.index, each.probability] for each in model.predict(p)] for p in pictures]
start = time.process_time()
for _ in range(int(repeats)):
    for picture in pictures:
        model.predict(picture)
seconds = (time.process_time() - start) / (int(repeats) * len(pictures))
print(json.dumps([seconds, answers]))
"""


@contextmanager
def server(threads: int) -> Any:
    """A server's process and its port."""
    command = [sys.executable, "-m", "vggnet", "serve", "--port", "0", "--threads", str(threads)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            found = re.search(r"127.0.0.1:(\d+)", process.stderr.readline())
            assert found
            yield process, int(found[1])
        finally:
            process.terminate()


def cpu_seconds(process: int) -> float:
    """Those that the process has used so far, its threads' among them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def mebibytes(process: int) -> float:
    """Resident memory."""
    found = re.search(r"^VmRSS:\s*(\d+) kB$", Path(f"/proc/{process}/status").read_text(), re.M)
    assert found
    return int(found[1]) / 1024


class Client:
    """One connection, which is opened again where it was closed."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            return response.status, response.read()
        except (ConnectionError, http.client.HTTPException):
            self.connection.close()
            return 0, b""


def usable(port: int) -> float:
    """Seconds until a browser would have the page, what it loads, and what it first asks for."""
    start = time.perf_counter()
    wanted, seen = list(FIRST), set[str]()
    client = Client(port)
    while wanted:
        path = wanted.pop()
        if path in seen:
            continue
        seen.add(path)
        status, body = client.ask("GET", path, None, {})
        if status != 200:
            raise SystemExit(f"{path}: status {status}")
        if path == "/" or path.endswith(".js"):
            found = re.findall(r"""(?:src|href|from|import)[ =(]+"([^"]+\.(?:js|css))\"""",
                               body.decode())  # fmt: skip
            wanted += [urljoin(path, each) for each in found]
    return time.perf_counter() - start


def describing(port: int, repeats: int) -> float:
    """Seconds for describing a network, the median; another width each time, so that all is new."""
    client = Client(port)
    seconds = []
    for number in range(repeats):
        start = time.perf_counter()
        status, _ = client.ask("GET", f"/api/describe?config=E&width={1 + number}", None, {})
        seconds.append(time.perf_counter() - start)
        assert status == 200
    return statistics.median(seconds)


def is_right(body: bytes, expected: list[list[float]]) -> bool:
    """Whether the classes are those of `predict`, but for ties within the tolerance."""
    found = [(each["index"], each["probability"]) for each in json.loads(body)[0]["predictions"]]
    by_class = dict(expected)
    return len(found) == len(expected) and all(
        abs(probability - right) < TOLERANCE
        and abs(by_class.get(index, probability) - probability) < TOLERANCE
        for (index, probability), (_, right) in zip(found, expected, strict=True)
    )


def together(clients: int, work: Callable[[int], None]) -> float:
    """Seconds until all of so many threads have done `work`, which is told its number."""
    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start


def mixed(
    port: int, pictures: list[bytes], answers: list[Any], clients: int, seconds: float
) -> dict[str, Any]:
    """Good and bad requests, one after the other, for so many seconds."""
    statuses: Counter[str] = Counter()
    wrong: list[str] = []
    lock = threading.Lock()
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        client, turn = Client(port), number
        while time.perf_counter() < end:
            turn += 1
            if turn % 3:
                which = turn % len(pictures)
                status, body = client.ask("POST", "/api/predict", pictures[which], JPEG)
                fault = status not in (200, 503) or (
                    status == 200 and not is_right(body, answers[which])
                )
                what = "predict"
            else:
                *request, expected = BAD[turn // 3 % len(BAD)]
                status, body = client.ask(*request)
                fault, what = status not in (expected, 503), "bad"
            with lock:
                statuses[f"{what} {status}"] += 1
                if fault:
                    wrong.append(f"{what} {turn}: {status} {body[:200]!r}")

    together(clients, work)
    for each in wrong[:5]:
        print(each, file=sys.stderr)
    return {"statuses": dict(sorted(statuses.items())), "wrong": len(wrong)}


def good(
    process: int, port: int, pictures: list[bytes], clients: int, requests: int
) -> dict[str, Any]:
    """Good requests alone: CPU seconds and seconds for each, and memory after a tenth and all."""
    memory = []
    refused = 0

    def some(count: int) -> float:
        left = iter(range(count))
        lock = threading.Lock()

        def work(_: int) -> None:
            nonlocal refused
            client = Client(port)
            while True:
                with lock:
                    turn = next(left, None)
                if turn is None:
                    return
                which = turn % len(pictures)
                status, _body = client.ask("POST", "/api/predict", pictures[which], JPEG)
                if status != 200:
                    refused += 1

        return together(clients, work)

    some(3 * clients)  # all that is made once
    begun = cpu_seconds(process)
    first = requests // 10
    seconds = some(first)
    memory.append(mebibytes(process))
    seconds += some(requests - first)
    memory.append(mebibytes(process))
    used = cpu_seconds(process) - begun
    return {
        "requests": requests,
        "refused": refused,
        "cpu_seconds_per_answer": used / requests,
        "answers_per_second": requests / seconds,
        "mebibytes_after_a_tenth": memory[0],
        "mebibytes_after_all": memory[1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs", nargs="+")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    pictures = [Path(path).read_bytes() for path in arguments.photographs]
    alone = [sys.executable, "-c", PREDICT, str(arguments.repeats), str(arguments.threads)]
    said = subprocess.run(
        [*alone, *arguments.photographs], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    predict, answers = json.loads(said)
    begun = time.perf_counter()
    with server(arguments.threads) as (process, port):
        listening = time.perf_counter() - begun
        page = usable(port)
        describe = describing(port, arguments.repeats)
        asked = mixed(port, pictures, answers, arguments.clients, arguments.seconds)
        costs = good(process.pid, port, pictures, arguments.clients, arguments.requests)
    found = {
        **{key: getattr(arguments, key) for key in ("clients", "seconds", "threads", "repeats")},
        **machine(),
        "mixed": asked,
        "good": costs,
        "start_seconds": listening,
        "usable_seconds": page,
        "describe_seconds": describe,
        "predict_cpu_seconds": predict,
        "cpu_ratio": costs["cpu_seconds_per_answer"] / predict,
        "memory_ratio": costs["mebibytes_after_all"] / costs["mebibytes_after_a_tenth"],
    }
    for status, count in asked["statuses"].items():
        print(f"{status:12} {count}")
    first, last = costs["mebibytes_after_a_tenth"], costs["mebibytes_after_all"]
    print(f"refused {costs['refused']}, {costs['answers_per_second']:.0f} answers a second")
    print(f"CPU {1e3 * costs['cpu_seconds_per_answer']:.2f} ms an answer, predict "
          f"{1e3 * predict:.2f} ms; {first:.0f} MiB, then {last:.0f}; "
          f"{listening:.2f} s until it listens")  # fmt: skip
    figures = {"wrong": asked["wrong"], **{key: found[key] for key in ASKED if key in found}}
    for key, most in ASKED.items():
        missed = "" if figures[key] <= most else ": missed"
        print(f"{key:17} {figures[key]:8.3f}, at most {most} is asked{missed}")
    path = report.write(f"serving_{found['date']}.json", found)
    print(f"written to {path}", file=sys.stderr)
    if any(figures[key] > most for key, most in ASKED.items()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
