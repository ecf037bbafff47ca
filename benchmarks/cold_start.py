"""From nothing to the five best classes of one photograph: a whole process, time and memory.

    pip install 'vggnet[bench]'; python benchmarks/cold_start.py PHOTOGRAPH

VGG16 with random weights, fp32, the file in the page cache; vggnet and ncnn in turns. Memory is the
largest resident size of the process, mapped pages included. Writes benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from inference import FOLDER, machine, network
from peers import PEERS

from vggnet.preprocess import Preprocess
from vggnet.weights import state
from vggnet.weights.state import Weights

NCNN = """
import sys
import ncnn
import numpy as np
from PIL import Image
network = ncnn.Net()
network.opt.num_threads = int(sys.argv[2])
network.opt.use_fp16_packed = network.opt.use_fp16_storage = network.opt.use_fp16_arithmetic = False
network.load_param(sys.argv[3] + "/network.ncnn.param")
network.load_model(sys.argv[3] + "/network.ncnn.bin")
picture = Image.open(sys.argv[1]).convert("RGB").resize((224, 224))
image_CHW = np.ascontiguousarray(np.asarray(picture, np.float32).transpose(2, 0, 1) / 255)
extractor = network.create_extractor()
extractor.input("in0", ncnn.Mat(image_CHW).clone())
logits_K = np.array(extractor.extract("out0")[1]).reshape(-1)
print(np.argsort(-logits_K)[:5])
"""


def prepare(folder: Path, threads: int) -> Path:
    """The network as vggnet's and as ncnn's file, written once."""
    folder.mkdir(parents=True, exist_ok=True)
    spec, arrays = network("vgg16")
    if not (folder / "network.ncnn.bin").exists():
        PEERS["ncnn fp32"](spec, arrays, folder, threads)
    path = folder / "network.safetensors"
    if not path.exists():
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        preprocess = Preprocess(resize=256, crop=224, scale=1 / 255, mean=mean, std=deviation)
        state.save(path, Weights(spec, arrays, preprocess))
    return path


def once(command: list[str]) -> tuple[float, float]:
    """Seconds, and MiB of the largest resident size, of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        assert process.stderr
        raise SystemExit(process.stderr.read().decode())
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photograph")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--folder", type=Path, default=Path.home() / ".cache/vggnet/benchmarks")
    arguments = parser.parse_args()
    folder, threads = arguments.folder / "vgg16", str(arguments.threads)
    weights = prepare(folder, arguments.threads)
    picture = arguments.photograph
    vggnet = [sys.executable, "-m", "vggnet", "predict", picture, "--weights", str(weights)]
    commands = {
        "vggnet": [*vggnet, "--engine", "native", "--threads", threads],
        "ncnn": [sys.executable, "-c", NCNN, picture, threads, str(folder)],
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for repeat in range(arguments.repeats + 1):
        for name, command in commands.items():
            measured = once(command)
            if repeat:  # the first fills the page cache
                found[name].append(measured)
    result = {
        **machine(),
        "threads": arguments.threads,
        "engines": {
            name: {
                "seconds": statistics.median(seconds for seconds, _ in each),
                "mebibytes": statistics.median(memory for _, memory in each),
            }
            for name, each in found.items()
        },
    }
    ours, theirs = (result["engines"][name] for name in ("vggnet", "ncnn"))
    result["ratios"] = {key: ours[key] / theirs[key] for key in ours}
    for name, entry in result["engines"].items():
        print(f"{name:8} {entry['seconds']:.3f} s {entry['mebibytes']:.0f} MiB")
    for key, ratio in result["ratios"].items():
        print(f"{key} vggnet / ncnn: {ratio:.3f}")
    (FOLDER / "results").mkdir(exist_ok=True)
    file = FOLDER / "results" / f"cold-start_{result['date']}.json"
    file.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
