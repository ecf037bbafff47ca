"""How long an answer takes, vggnet beside every runtime that a user could pick.

    pip install 'vggnet[bench]'; python benchmarks/inference.py [--network embedded] [--batch 8]

Every runtime has a process of its own and the same weights; they answer in turns, so that a machine
that drifts slows all of them; medians are compared. Before anything is timed each one's logits are
compared with NumPy's. A runtime that is missing or answers wrongly ends the benchmark. Writes what
it saw to benchmarks/results/ and prints it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from math import prod, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from peers import PEERS

from vggnet import engines
from vggnet.model import load_weights
from vggnet.spec import Spec, configuration
from vggnet.weights.rewrite import fold_batch_norm
from vggnet.weights.state import State

FOLDER = Path(__file__).parent
# Relative errors of logits above which a runtime did not compute this network.
BOUNDS = {"fp32": 1e-3, "bf16": 1e-1, "int8": 1.0}


def network(name: str) -> tuple[Spec, State]:
    """VGG16 with He's random weights, or the model inside the package."""
    if name == "embedded":
        weights = load_weights("tiny-imagenet")
        return fold_batch_norm(weights.spec, weights.state)
    spec, random = configuration("D"), np.random.default_rng(0)
    state = {}
    for each, shape in spec.state_shapes.items():
        deviation = sqrt(2 / prod(shape[1:])) if each.endswith("weight") else 0.05
        state[each] = random.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
    return spec, state


def pictures(spec: Spec, batch: int) -> NDArray[np.float32]:
    shape = (batch, 3, spec.input_size, spec.input_size)
    return np.random.default_rng(2).standard_normal(shape, dtype=np.float32)


def serve(peer: str, name: str, folder: Path, threads: int) -> None:
    """In a process of its own: reads a batch size a line, writes seconds; first the logits."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # runtimes print to standard output
    spec, state = network(name)
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


def ask(process: subprocess.Popen[str], line: str) -> float:
    stdin, stdout = process.stdin, process.stdout
    assert stdin
    assert stdout
    stdin.write(line + "\n")
    stdin.flush()
    answer = stdout.readline()
    if not answer:
        raise SystemExit("a runtime ended; see its message above")
    return float(answer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=("vgg16", "embedded"), default="vgg16")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument(
        "--avx2", action="store_true", help="limit vggnet and what rests on oneDNN to AVX2"
    )
    parser.add_argument("--peers", nargs="*", default=list(PEERS), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache/vggnet/benchmarks")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    folder = arguments.folder / arguments.network
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.serve:
        serve(arguments.serve, arguments.network, folder, arguments.threads)
        return
    spec, state = network(arguments.network)
    images_NCHW = pictures(spec, arguments.batch)
    expected = engines.create("numpy", spec, state)(images_NCHW)
    processes, errors = {}, {}
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    if arguments.avx2:
        environment |= {"VGGNET_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    for peer in arguments.peers:
        command = [sys.executable, __file__, "--serve", peer, "--network", arguments.network]
        command += ["--threads", str(arguments.threads), "--folder", str(arguments.folder)]
        processes[peer] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        file = folder / "logits.npy"
        ask(processes[peer], f"{arguments.batch} {file}")
        difference = np.linalg.norm(np.load(file) - expected) / np.linalg.norm(expected)
        errors[peer] = float(difference)
        print(f"{peer}: logits {difference:.1e} from NumPy's", file=sys.stderr)
        if not difference < BOUNDS[peer.split()[1]]:
            raise SystemExit(f"{peer} computes something else")
    seconds: dict[str, list[float]] = {peer: [] for peer in processes}
    for _ in range(arguments.repeats):
        for peer, process in processes.items():
            time.sleep(0.1)  # the threads of the one before spin for a while
            ask(process, str(arguments.batch))  # wakes the threads and fills the caches
            seconds[peer].append(ask(process, str(arguments.batch)))
    for process in processes.values():
        process.stdin.close()  # type: ignore[union-attr]
        process.wait()
    report(arguments, {peer: statistics.median(each) for peer, each in seconds.items()}, errors)


def report(
    arguments: argparse.Namespace, medians: dict[str, float], errors: dict[str, float]
) -> None:
    """The table, and the same in a file named after the question and the day."""
    base = medians.get("torch fp32", float("nan"))
    result = {
        "network": arguments.network,
        "batch": arguments.batch,
        "threads": arguments.threads,
        "avx2": arguments.avx2,
        "repeats": arguments.repeats,
        **machine(),
        "engines": {
            peer: {
                "milliseconds_per_image": 1e3 * median / arguments.batch,
                "ratio_to_torch": median / base,
                "logits_error": errors[peer],
            }
            for peer, median in medians.items()
        },
        "ratios": _ratios(medians),
    }
    for peer, entry in result["engines"].items():  # type: ignore[attr-defined]
        print(
            f"{peer:18} {entry['milliseconds_per_image']:8.2f} ms an image "
            f"{entry['ratio_to_torch']:6.3f} of torch"
        )
    for name, ratio in result["ratios"].items():  # type: ignore[attr-defined]
        print(f"{name}: {ratio:.3f}")
    isa = "_avx2" if arguments.avx2 else ""
    name = f"inference_{arguments.network}_batch{arguments.batch}{isa}_{result['date']}.json"
    (FOLDER / "results").mkdir(exist_ok=True)
    (FOLDER / "results" / name).write_text(json.dumps(result, indent=1) + "\n")


def machine() -> dict[str, object]:
    """What the figures hold for."""
    return {
        "machine": _processor(),
        "versions": {name: _version(name) for name in _PACKAGES},
        "date": time.strftime("%Y-%m-%d"),
    }


def _ratios(medians: dict[str, float]) -> dict[str, float]:
    """vggnet's median over the best peer's, by precision."""
    ratios = {}
    for ours, theirs in (("fp32", "fp32"), ("bf16", "bf16"), ("bf16", "int8")):
        peers = {
            peer: median
            for peer, median in medians.items()
            if peer.endswith(theirs) and not peer.startswith("vggnet")
        }
        if peers and f"vggnet {ours}" in medians:
            best = min(peers, key=peers.__getitem__)
            ratios[f"vggnet {ours} / {best}"] = medians[f"vggnet {ours}"] / peers[best]
    return ratios


_PACKAGES = ("vggnet", "torch", "onnxruntime", "openvino", "MNN", "ncnn", "numpy")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))


if __name__ == "__main__":
    main()
