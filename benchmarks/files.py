"""The files that other runtimes read, each written once for a network and its weights.

In: a Spec, its state. Out: files in a folder of their own, whose name holds a digest of all that
they depend on: the network, the weights, what wrote them. So nothing in it is ever out of date.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import networks
import numpy as np
from machine import versions
from networks import torch_network
from numpy.typing import NDArray

import vggnet
from vggnet.atomic import put_in_place, whole_path
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import convert, save
from vggnet.weights.export import onnx_network
from vggnet.weights.weights import State, Weights

DEFAULT_PARENT = Path.home() / ".cache/vggnet/benchmarks"
_PACKAGE = Path(vggnet.__file__).parent
_SOURCES = (  # of what is written, besides the libraries
    "torch_network.py", "preprocess.py",
    "weights/export/convert.py", "weights/export/onnx_network.py", "weights/own_file.py",
)  # fmt: skip
_WRITERS = ("torch", "onnx", "onnxruntime", "MNN", "pnnx")


def folder_for(name: str, spec: Spec, state: State, parent: Path) -> Path:
    """Where the files of this network with these weights lie; it is made. Others are left alone."""
    digest = hashlib.sha256(json.dumps([spec.to_json(), versions(_WRITERS)]).encode())
    for source in (__file__, networks.__file__, *(_PACKAGE / name for name in _SOURCES)):
        digest.update(Path(source).read_bytes())
    for each in spec.state_shapes:
        digest.update(np.ascontiguousarray(state[each]).data)
    folder = parent / f"{name}-{digest.hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _once(path: Path, write: Callable[[Path], object]) -> Path:
    """`path`, which `write` makes whole or not at all, unless it is there."""
    if not path.exists():
        with whole_path(path) as made:
            write(made)
    return path


def weights_file(spec: Spec, state: State, folder: Path) -> Path:
    """vggnet's own."""
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    side = spec.input_size
    preprocessing = Preprocess(side * 8 // 7, side, 1 / 255, mean, deviation)
    weights = Weights(spec, state, preprocessing)
    return _once(folder / "network.safetensors", lambda made: save(made, weights))


def frossard_file(spec: Spec, state: State, folder: Path) -> Path:
    """As `vgg16_weights.npz` has it: kernels as row, column, in, out; FC inputs channel last."""
    weights = Weights(spec, state, Preprocess.paper())
    return _once(folder / "network.npz", lambda made: convert(weights, made, "frossard"))


def onnx_file(spec: Spec, state: State, folder: Path) -> Path:
    """With a free batch size."""
    return _once(folder / "network.onnx", lambda made: onnx_network.write_onnx(made, spec, state))


def quantised_file(spec: Spec, state: State, folder: Path) -> Path:
    """The ONNX file in int8 by ONNX Runtime's quantiser: QDQ, weights by channel."""
    return _once(
        folder / "network-int8.onnx",
        lambda made: _quantise(spec, onnx_file(spec, state, folder), made),
    )


def mnn_file(spec: Spec, state: State, folder: Path) -> Path:
    source = onnx_file(spec, state, folder)
    # What its own command calls; the command itself installs a logging package when it is run.
    command = [sys.executable, "-c", "import MNN, _tools, sys; _tools.mnnconvert(sys.argv)"]
    options = ["-f", "ONNX", "--modelFile", source, "--bizCode", "x", "--MNNModel"]
    return _once(
        folder / "network.mnn",
        lambda made: subprocess.run([*command, *options, made], check=True, stdout=sys.stderr),
    )


def ncnn_files(spec: Spec, state: State, folder: Path) -> tuple[Path, Path]:
    """The network and its weights."""
    weights = folder / "network.ncnn.bin"

    def write(made: Path) -> None:
        with TemporaryDirectory(dir=folder) as exported:
            _export_by_pnnx(spec, state, Path(exported) / "network.pt")
            put_in_place(Path(exported) / weights.name, weights)
            (Path(exported) / "network.ncnn.param").replace(made)

    return _once(folder / "network.ncnn.param", write), weights


def _quantise(spec: Spec, source: Path, path: Path) -> None:
    from onnxruntime import quantization

    class Pictures(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            random = np.random.default_rng(1)
            shape = (1, 3, spec.input_size, spec.input_size)
            self.left = [random.standard_normal(shape, dtype=np.float32) for _ in range(4)]

        def get_next(self) -> dict[str, NDArray[np.float32]] | None:
            return {"images": self.left.pop()} if self.left else None

    quantization.quantize_static(
        source,
        path,
        Pictures(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )


def _export_by_pnnx(spec: Spec, state: State, path: Path) -> None:
    """ncnn's two files beside `path`, a name that ends in .pt."""
    import pnnx
    import torch

    network = torch_network(spec, state)
    plain = torch.nn.Sequential()
    for layer in spec.layers:
        if layer.kind == "softmax":
            break
        if layer.kind == "fc" and layer.name == "fc6":
            plain.add_module("flatten", torch.nn.Flatten())
        module = network.get_submodule(layer.name)
        plain.add_module(
            layer.name, torch.nn.AdaptiveAvgPool2d(1) if layer.kind == "avgpool" else module
        )
    plain.eval()
    images = torch.zeros(1, 3, spec.input_size, spec.input_size)
    pnnx.export(plain, str(path), images, fp16=False)
