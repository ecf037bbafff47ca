"""Files whose names are made to take for ever or to spoil a terminal, read in a process of its own.

In: an empty folder. Out: what was wrong, a line each, on standard output; nothing where each file
ended in one printable line of bounded length. Whoever starts it ends it after minutes: a pattern
that tries 2^n ways needs years.
"""

import random
import struct
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import numpy as np
from published_forms import contents, small, torchvision
from small_nets import random_state

from vggnet.weights import files
from vggnet.weights.containers import (
    caffe_files,
    numpy_files,
    onnx_files,
    safetensors_files,
    torch_files,
)
from vggnet.weights.containers.caffe_files import CaffeLayer
from vggnet.weights.containers.keras_files import _snake_case
from vggnet.weights.containers.onnx_files import Graph, Node
from vggnet.weights.recognition.conventions import CONVENTIONS
from vggnet.weights.recognition.recognise import recognise

LONGEST_LINE = 5000
SPEC = small("A")
ARRAY = np.ones((3, 3, 3, 3), np.float32)
NAMES = (
    "fc6" + "_a" * 40 + "!",
    "fc6" + "-a" * 40 + "!",
    "fc6" + "_" * 200,
    "model." * 40 + "fc6" + "_a" * 20 + "!",
    "conv1_1" + "/conv1_1" * 30,
    "a\nb\x1b[31m\u2028",
    "a" * 100_000,
    "\n" * 50_000,
    "conv1_1/" + "\x1b" * 5000,
)
PIECES = ("fc6", "fc", "conv1_1", "block1_conv1", "features.0", "classifier.6", "conv2d", "dense",
          "_a", "_", "-", "-a", ".", "/", "1", "a", "W", "_W", "kernel", "weight", "vars", ":0",
          "A", "pre_logits.fc1", "model.", "norm", "ema", "\u0660", "\n")  # fmt: skip


def write_onnx(path: Path, name: str) -> None:
    nodes = [Node("Conv", ["x", name], [f"{name}y"])]
    onnx_files.write(path, Graph(name, nodes, {name: ARRAY}, {"x": [1, 3, 9, 9]}, {"y": [1]}))


def write_caffe(path: Path, name: str) -> None:
    layers = [CaffeLayer(name, "Convolution", "data", name, {}, [ARRAY, ARRAY])]
    caffe_files.write(path, name, (1, 3, 9, 9), layers)


def write_hdf5(path: Path, name: str) -> None:
    with h5py.File(path, "w") as file:
        file[name] = ARRAY


WRITERS = {
    "net.pth": lambda path, name: torch_files.write(path, {name: ARRAY}),
    "net.safetensors": lambda path, name: safetensors_files.write(path, {name: ARRAY}),
    "type.safetensors": lambda path, name: safetensors_files.write(
        path, {"a": ARRAY}, codes={"a": name}
    ),
    "ours.safetensors": lambda path, name: safetensors_files.write(
        path, {name: ARRAY}, {"vggnet_format": f'"{name}"'}
    ),
    "net.npz": lambda path, name: numpy_files.write(path, {name: ARRAY}),
    "net.npy": lambda path, name: numpy_files.write_dictionary(path, {name: ARRAY}),
    "net.h5": write_hdf5,
    "net.onnx": write_onnx,
    "net.caffemodel": write_caffe,
}


def check(path: str, read: Callable[[], object]) -> None:
    try:
        read()
    except ValueError as error:
        line = str(error)
        if not line.isprintable() or len(line) > LONGEST_LINE or not line.startswith(path):
            print(f"{len(line)} characters: {line[:2000]!r}")


def check_files(folder: Path) -> None:
    for file, write in WRITERS.items():
        for number, name in enumerate(NAMES):
            path = folder / f"{number}-{file}"
            try:
                write(path, name)
            except (ValueError, OSError, struct.error):  # the format does not hold such a name
                continue
            check(str(path), partial(files.load, path))
            check(str(path), partial(files.inspect, path))


def check_patterns() -> None:
    """A net and, beside its arrays, one of a name that is put together by chance."""
    net = torchvision(SPEC, random_state(SPEC))
    chance = random.Random(10)
    for _ in range(1000):
        few = chance.sample(PIECES, chance.choice((1, 2, 3)))
        name = "".join(chance.choices(few, k=chance.randrange(1, 150)))[:300]
        for convention in CONVENTIONS.values():
            for form in convention.forms:
                form.nets([name, f"{name}!", f"{name}.weight", f"{name}/0"])
        check("net", partial(recognise, contents({**net, name: ARRAY}), "net"))
        _snake_case(name)


if __name__ == "__main__":
    check_files(Path(sys.argv[1]))
    check_patterns()
