"""How long a published file takes to be recognised and to answer, and how much memory.

    python benchmarks/weight_files.py PHOTOGRAPH

VGG16 with random weights (553 MB) as the `.npz` that TensorFlow users pass around, whose FC weights
are in another order, and as vggnet's own file. Each answer is a process of its own, whose largest
resident size, mapped pages included, it reads itself; the files are in the page cache. Writes
benchmarks/results/.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

import report
from cold_start import PEAK, VGGNET, once
from files import DEFAULT_PARENT, folder_for, frossard_file, weights_file
from machine import machine
from networks import network


def prepare(parent: Path) -> None:
    """Writes both files and prints their paths, in a process of its own."""
    spec, state = network("vgg16")
    folder = folder_for("vgg16", spec, state, parent)
    print("", frossard_file(spec, state, folder), weights_file(spec, state, folder), sep="\n")


def recognise(path: str) -> float:
    """Seconds until the file is known for what it is, once vggnet is imported."""
    from vggnet.weights import files

    start = time.perf_counter()
    files.inspect(path)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photograph")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=DEFAULT_PARENT)
    parser.add_argument("--prepare", action="store_true")
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.folder)
        return
    preparing = [sys.executable, __file__, *sys.argv[1:], "--prepare"]
    said = subprocess.run(preparing, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, dict[str, float]] = {}
    for path in said.splitlines()[-2:]:
        predict = ["predict", arguments.photograph, "--weights", path, "--engine", "native"]
        command = [sys.executable, "-c", PEAK + VGGNET, *predict]
        command += ["--threads", str(arguments.threads)]
        once(command)  # fills the page cache
        measured = [once(command) for _ in range(arguments.repeats)]
        found[Path(path).name] = entry = {
            "recognised_seconds": statistics.median(
                recognise(path) for _ in range(arguments.repeats)
            ),
            "answer_seconds": statistics.median(seconds for seconds, _ in measured),
            "mebibytes": statistics.median(memory for _, memory in measured),
        }
        entry["memory_to_file"] = entry["mebibytes"] * 2**20 / Path(path).stat().st_size
        print(
            f"{Path(path).name}: recognised in {entry['recognised_seconds']:.3f} s, answers in "
            f"{entry['answer_seconds']:.2f} s with {entry['mebibytes']:.0f} MiB, "
            f"{entry['memory_to_file']:.2f} times the file"
        )
    result = {"threads": arguments.threads, "repeats": arguments.repeats, **machine()}
    result["files"] = found
    name = f"weight-files_{result['date']}.json"
    print(f"written to {report.write(name, result)}", file=sys.stderr)


if __name__ == "__main__":
    main()
