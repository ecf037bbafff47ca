"""How long a training step takes, vggnet's convolutions beside torch's.

    pip install 'vggnet[train]'; python benchmarks/training.py [--task paper] [--avx2]

Everyone has a process of its own and the same weights, pictures and labels, channels-last; they
take steps in turns, so that a machine that drifts slows all of them; medians are compared. Before
anything is timed the first step's logits and gradients are compared with those of torch in fp32. A
step is all of it: batch norm, loss, gradients, optimizer. Prints what it saw and, unless told
otherwise, writes it to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import report
import torch
from inference import ask
from machine import machine
from peers import AVX2_ENVIRONMENT
from training_layers import layer_times
from training_tasks import PEERS, TASKS, make_step

AVX2 = {**AVX2_ENVIRONMENT, "ATEN_CPU_CAPABILITY": "avx2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
# Of logits and of the median gradient: a few ReLUs and pools decide otherwise in another rounding,
# and each changes gradients by up to a hundredth.
BOUNDS = {"vggnet fp32": 0.05, "torch bf16": 0.7}
KEPT = 1 << 20  # numbers of an array that are compared


def serve(peer: str, task: str, batch: int, threads: int) -> None:
    """In a process of its own: reads a line a step, writes seconds and MiB; first what it found."""
    torch.set_num_threads(threads)
    step = make_step(TASKS[task], peer, batch)
    for line in sys.stdin:
        start = time.perf_counter()
        found = step()
        seconds = time.perf_counter() - start
        if path := line.strip():
            torch.save({name: each.flatten()[:KEPT].clone() for name, each in found.items()}, path)
        del found
        print(seconds, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def errors(path: Path, expected: Path) -> tuple[float, float]:
    """The relative error of the logits, and the median one of the gradients."""
    found, right = torch.load(path), torch.load(expected)
    each = {
        name: float(
            (found[name].double() - right[name].double()).norm() / right[name].double().norm()
        )
        for name in right
        if name == "logits" or right[name].norm() > 1e-6  # before a batch norm a bias has none
    }
    logits = each.pop("logits")
    return logits, statistics.median(each.values())


def parse(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--task", choices=TASKS, default="half")
    parser.add_argument("--batch", type=int, help="by default the task's own")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--avx2", action="store_true", help="limited to AVX2, without bf16")
    parser.add_argument("--layers", action="store_true", help="also each convolution by itself")
    parser.add_argument("--no-result", action="store_true", help="write nothing to results/")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args(given)
    arguments.batch = arguments.batch or TASKS[arguments.task].batch
    arguments.peers = [peer for peer in PEERS if not (arguments.avx2 and peer == "torch bf16")]
    return arguments


def start_server(peer: str, arguments: argparse.Namespace) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, "--serve", peer, "--task", arguments.task]
    command += ["--batch", str(arguments.batch), "--threads", str(arguments.threads)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(arguments.threads)}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """By who computes: seconds a step, MiB at the peak, errors of logits and gradients."""
    processes = {peer: start_server(peer, arguments) for peer in arguments.peers}
    found: dict[str, dict[str, float]] = {}
    with TemporaryDirectory() as folder:
        paths = {peer: Path(folder) / f"{peer}.pt" for peer in processes}
        for peer, process in processes.items():
            ask(process, str(paths[peer]))
        for peer in processes:
            logits, gradients = errors(paths[peer], paths["torch fp32"])
            found[peer] = {"logits_error": logits, "gradients_error": gradients}
            print(f"{peer}: logits {logits:.1e}, gradients {gradients:.1e} from torch's in fp32",
                  file=sys.stderr)  # fmt: skip
            if not max(logits, gradients) < BOUNDS.get(peer, 1):
                raise SystemExit(f"{peer} computes something else")
    seconds: dict[str, list[float]] = {peer: [] for peer in processes}
    for _ in range(arguments.repeats):
        for peer, process in processes.items():
            time.sleep(0.25)  # the threads of the one before spin
            seconds[peer].append(ask(process, ""))
    for peer, process in processes.items():
        rest, _ = process.communicate()
        found[peer]["peak_mebibytes"] = float(rest)
        found[peer]["seconds"] = statistics.median(seconds[peer])
        found[peer]["images_per_second"] = arguments.batch / found[peer]["seconds"]
    return found


def ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """How many times as fast as torch in fp32 and as its best, and the memory to torch's."""
    ours, theirs = found["vggnet fp32"], found["torch fp32"]
    best = min((peer for peer in found if peer != "vggnet fp32"), key=lambda p: found[p]["seconds"])
    return {
        "speed / torch fp32": theirs["seconds"] / ours["seconds"],
        f"speed / torch's best ({best.split()[1]})": found[best]["seconds"] / ours["seconds"],
        "memory / torch fp32": ours["peak_mebibytes"] / theirs["peak_mebibytes"],
    }


def main() -> None:
    arguments = parse()
    if arguments.serve:
        serve(arguments.serve, arguments.task, arguments.batch, arguments.threads)
        return
    if arguments.avx2 and os.environ.get("ATEN_CPU_CAPABILITY") != "avx2":
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **AVX2})
    task = TASKS[arguments.task]
    peers = measure(arguments)
    asked = ("task", "batch", "threads", "avx2", "repeats")
    result = {key: getattr(arguments, key) for key in asked} | machine()
    result |= {"title": task.title, "peers": peers, "ratios": ratios(peers)}
    for peer, each in peers.items():
        print(f"{peer:12} {1e3 * each['seconds']:8.1f} ms a step {each['images_per_second']:8.1f} "
              f"images/s {each['peak_mebibytes']:6.0f} MiB")  # fmt: skip
    for name, ratio in result["ratios"].items():
        print(f"{name}: {ratio:.2f}")
    if arguments.layers:
        result["layers"] = layer_times(task, arguments.batch, arguments.threads, arguments.repeats)
        for layer in result["layers"]:
            print("  ".join(f"{key} {value:.2f}" if isinstance(value, float) else str(value)
                            for key, value in layer.items()))  # fmt: skip
    if arguments.no_result:
        return
    isa = "_avx2" if arguments.avx2 else ""
    name = f"training_{arguments.task}_batch{arguments.batch}{isa}_{result['date']}.json"
    print(f"written to {report.write(name, result)}", file=sys.stderr)


if __name__ == "__main__":
    main()
