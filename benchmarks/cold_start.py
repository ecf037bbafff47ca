"""From nothing to the five best classes of one photograph: a whole process, time and memory.

    pip install 'vggnet[bench]'; python benchmarks/cold_start.py PHOTOGRAPH

VGG16 with random weights, fp32; vggnet and ncnn in turns, each twice, of which the second counts:
its file is in the page cache then, and a virtual machine has the memory at hand that it would first
ask its host for, which took vggnet, in large pages, 0.3 s more. Memory is the largest resident
size of the process, mapped pages included, which each reads of itself at its end (VmHWM in Linux's
/proc, so this runs on Linux alone). Writes benchmarks/results/.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryFile

import report
from files import DEFAULT_PARENT, folder_for, ncnn_files, weights_file
from machine import machine
from networks import NAMES, network

# Ahead of each program: the last line of its output is its own VmHWM. What the system counts for a
# process that has ended holds the size of the process that started it as well.
PEAK = """
import atexit
@atexit.register
def peak():
    with open("/proc/self/status") as status:
        print("\\n" + next(line for line in status if line.startswith("VmHWM:")))
"""
VGGNET = "from vggnet.cli import main; main()"
NCNN = """
import sys
import ncnn
import numpy as np
from PIL import Image
network = ncnn.Net()
network.opt.num_threads = int(sys.argv[2])
network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
network.load_param(sys.argv[3])
network.load_model(sys.argv[4])
side = int(sys.argv[5])
picture = Image.open(sys.argv[1]).convert("RGB").resize((side, side))
image_CHW = np.ascontiguousarray(np.asarray(picture, np.float32).transpose(2, 0, 1) / 255)
extractor = network.create_extractor()
extractor.input("in0", ncnn.Mat(image_CHW).clone())
logits_K = np.array(extractor.extract("out0")[1]).reshape(-1)
print(np.argsort(-logits_K)[:5])
"""


def prepare(name: str, parent: Path) -> None:
    """Writes the network as vggnet's and as ncnn's files, prints their paths and a picture's side.

    For a process of its own: the one that measures stays small.
    """
    spec, state = network(name)
    folder = folder_for(name, spec, state, parent)
    files = (weights_file(spec, state, folder), *ncnn_files(spec, state, folder))
    print("", *files, spec.input_size, sep="\n")


def once(command: list[str]) -> tuple[float, float]:
    """Seconds, and MiB of the largest resident size, of one process."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        start = time.perf_counter()
        status = subprocess.run(command, stdout=output, stderr=errors).returncode
        seconds = time.perf_counter() - start
        output.seek(0)
        errors.seek(0)
        peak = re.search(r"^VmHWM:\s*(\d+) kB\s*\Z", output.read(), re.MULTILINE)
        if status or not peak:
            raise SystemExit(f"{command[3:]} ended with {status}: {errors.read()}")
        return seconds, int(peak[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photograph")
    parser.add_argument("--network", choices=NAMES, default="vgg16")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--folder", type=Path, default=DEFAULT_PARENT)
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(arguments.network, arguments.folder)
        return
    preparing = [sys.executable, __file__, *sys.argv[1:], "--prepare"]
    said = subprocess.run(preparing, stdout=subprocess.PIPE, text=True, check=True).stdout
    weights, *ncnn = said.splitlines()[-4:]
    picture, threads = arguments.photograph, str(arguments.threads)
    predict = ["predict", picture, "--weights", weights, "--engine", "native"]
    commands = {
        "vggnet": [sys.executable, "-c", PEAK + VGGNET, *predict, "--threads", threads],
        "ncnn": [sys.executable, "-c", PEAK + NCNN, picture, threads, *ncnn],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(arguments.repeats):
        for name, command in commands.items():
            once(command)
            found[name].append(once(command))
    engines = {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in each),
            "mebibytes": statistics.median(memory for _, memory in each),
        }
        for name, each in found.items()
    }
    ratios = {key: engines["vggnet"][key] / each for key, each in engines["ncnn"].items()}
    for name, entry in engines.items():
        print(f"{name:8} {entry['seconds']:.3f} s {entry['mebibytes']:.0f} MiB")
    for key, ratio in ratios.items():
        print(f"{key} vggnet / ncnn: {ratio:.3f}")
    asked = {key: getattr(arguments, key) for key in ("network", "threads", "repeats")}
    result = {**asked, **machine(), "engines": engines, "ratios": ratios}
    name = f"cold-start_{arguments.network}_{result['date']}.json"
    print(f"written to {report.write(name, result)}", file=sys.stderr)


if __name__ == "__main__":
    main()
