"""How long an answer takes, vggnet beside every runtime that a user could pick.

    pip install 'vggnet[bench]'; python benchmarks/inference.py [--network embedded] [--batch 8]

Every runtime has a process of its own and the same weights; they answer in turns, so that a machine
that drifts slows all of them; medians are compared. Before anything is timed each one's logits are
compared with NumPy's. A runtime that is missing or answers wrongly ends the benchmark; one that
would fall back to another precision on this machine is left out, and named. Prints what it saw and,
unless only some of the runtimes were asked, writes it to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import networks
import numpy as np
import report
from files import DEFAULT_PARENT, folder_for
from machine import machine
from networks import network, pictures
from peers import AVX2_ENVIRONMENT, AVX2_PEERS, PEERS, Lacking

from vggnet import engines

# Relative errors of logits above which a runtime did not compute this network.
BOUNDS = {"fp32": 1e-3, "fp16": 1e-2, "bf16": 0.1, "int8": 0.2}
# And below which it computed in more bits than it says; what is kept in fp16 is up to a runtime.
LEAST = {"fp32": 0.0, "fp16": 0.0, "bf16": 1e-3, "int8": 5e-3}


def serve(peer: str, name: str, folder: Path, threads: int) -> None:
    """In a process of its own: reads a batch size a line, writes seconds; first the logits."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # runtimes print to standard output
    spec, state = network(name)
    try:
        run = PEERS[peer](spec, state, folder, threads)
        del state
        for line in sys.stdin:
            batch, _, path = line.strip().partition(" ")
            images_NCHW = pictures(spec, int(batch))
            if path:
                np.save(path, run(images_NCHW))
            start = time.perf_counter()
            run(images_NCHW)
            print(time.perf_counter() - start, file=answers, flush=True)
    except Lacking as lack:
        print(f"lacking: {lack}", file=answers, flush=True)


def ask(process: subprocess.Popen[str], line: str) -> float:
    """Seconds. Raises Lacking where the runtime cannot do what its name says on this machine."""
    stdin, stdout = process.stdin, process.stdout
    assert stdin
    assert stdout
    try:
        stdin.write(line + "\n")
        stdin.flush()
    except BrokenPipeError:  # it ended, and may have said why
        pass
    answer = stdout.readline()
    if answer.startswith("lacking: "):
        raise Lacking(answer.removeprefix("lacking: ").strip())
    if not answer:
        raise SystemExit("a runtime ended; see its message above")
    return float(answer)


def parse(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line, by default this process's; `peers` are in the order of PEERS."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=networks.NAMES, default="vgg16")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument(
        "--avx2",
        action="store_true",
        help="limited to AVX2; asked are those that can be: " + ", ".join(AVX2_PEERS),
    )
    parser.add_argument(
        "--peers", nargs="+", choices=PEERS, metavar="NAME", help="only these; no result is written"
    )
    parser.add_argument("--folder", type=Path, default=DEFAULT_PARENT)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    possible = AVX2_PEERS if arguments.avx2 else tuple(PEERS)
    wanted = arguments.peers or possible
    if unlimited := [peer for peer in wanted if peer not in possible]:
        parser.error(f"--avx2 does not limit {', '.join(unlimited)}")
    arguments.peers = [peer for peer in possible if peer in wanted]
    arguments.complete = len(arguments.peers) == len(possible)
    return arguments


def start_server(peer: str, arguments: argparse.Namespace, folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--serve", peer, "--network", arguments.network]
    command += ["--threads", str(arguments.threads), "--folder", str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def main() -> None:
    arguments = parse()
    if arguments.serve:
        serve(arguments.serve, arguments.network, arguments.folder, arguments.threads)
        return
    if arguments.avx2:
        os.environ.update(AVX2_ENVIRONMENT)
    spec, state = network(arguments.network)
    folder = folder_for(arguments.network, spec, state, arguments.folder)
    expected = engines.create("numpy", spec, state)(pictures(spec, arguments.batch))
    processes, errors, left_out = {}, {}, {}
    with TemporaryDirectory() as answers:
        for peer in arguments.peers:
            process = start_server(peer, arguments, folder)
            file = Path(answers) / "logits.npy"
            try:
                ask(process, f"{arguments.batch} {file}")
            except Lacking as lack:
                left_out[peer] = str(lack)
                print(f"{peer} is left out: {lack}", file=sys.stderr)
                process.communicate()
                continue
            processes[peer] = process
            errors[peer] = float(np.linalg.norm(np.load(file) - expected))
            errors[peer] /= float(np.linalg.norm(expected))
            print(f"{peer}: logits {errors[peer]:.1e} from NumPy's", file=sys.stderr)
            precision = peer.split()[1]
            if not LEAST[precision] <= errors[peer] < BOUNDS[precision]:
                raise SystemExit(f"{peer} computes something else")
    seconds: dict[str, list[float]] = {peer: [] for peer in processes}
    for _ in range(arguments.repeats):
        for peer, process in processes.items():
            time.sleep(0.25)  # the threads of the one before spin, of some for 0.2 s
            ask(process, str(arguments.batch))  # wakes the threads and fills the caches
            seconds[peer].append(ask(process, str(arguments.batch)))
    for process in processes.values():
        process.stdin.close()  # type: ignore[union-attr]
        process.wait()
    asked = ("network", "batch", "threads", "avx2", "repeats")
    question = {key: getattr(arguments, key) for key in asked} | machine()
    medians = {peer: statistics.median(each) for peer, each in seconds.items()}
    found = report.result(question, medians, errors) | {"left_out": left_out}
    print("\n".join(report.lines(found)))
    if not arguments.complete:
        print("only some of the runtimes were asked: no result is written", file=sys.stderr)
        return
    isa = "_avx2" if arguments.avx2 else ""
    name = f"inference_{arguments.network}_batch{arguments.batch}{isa}_{found['date']}.json"
    print(f"written to {report.write(name, found)}", file=sys.stderr)


if __name__ == "__main__":
    main()
