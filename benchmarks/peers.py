"""Other runtimes on the same network and weights, each behind one function.

In: a Spec, its state, a folder for the files that a runtime wants. Out: images_NCHW -> logits_NK.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet import engines
from vggnet.spec import Spec
from vggnet.weights.state import State

Array = NDArray[np.float32]
Run = Callable[[Array], Array]


def onnx_file(spec: Spec, state: State, folder: Path) -> Path:
    """The network as an ONNX file with a free batch size; written once."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    path = folder / "network.onnx"
    if path.exists():
        return path
    nodes, arrays, name = [], [], "images"
    for layer in spec.layers:
        if layer.name == spec.logits_layer:
            output = "logits"
        elif layer.kind == "softmax":
            break
        else:
            output = layer.name
        inputs = [name, *(f"{layer.name}.{part}" for part in layer.parameter_shapes)]
        arrays += [numpy_helper.from_array(np.asarray(state[each]), each) for each in inputs[1:]]
        if layer.kind == "conv":
            pads, kernel = [layer.padding] * 4, [layer.kernel] * 2
            node = helper.make_node("Conv", inputs, [output], kernel_shape=kernel, pads=pads)
        elif layer.kind == "maxpool":
            kernel, strides = [layer.kernel] * 2, [layer.stride] * 2
            node = helper.make_node(
                "MaxPool", inputs, [output], kernel_shape=kernel, strides=strides
            )
        elif layer.kind == "fc":
            if layer.input[1:] != (1, 1) or name == "avgpool":
                nodes.append(helper.make_node("Flatten", [name], [f"{name}_flat"]))
                inputs[0] = f"{name}_flat"
            node = helper.make_node("Gemm", inputs, [output], transB=1)
        elif layer.kind == "dropout":
            continue
        else:
            operator = {"relu": "Relu", "avgpool": "GlobalAveragePool"}[layer.kind]
            node = helper.make_node(operator, inputs, [output])
        nodes.append(node)
        name = output
    side = spec.input_size
    graph = helper.make_graph(
        nodes,
        spec.name,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, side, side])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", spec.num_classes])],
        arrays,
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


def quantised_file(spec: Spec, state: State, folder: Path) -> Path:
    """The same in int8 by ONNX Runtime's quantiser: QDQ, weights by channel."""
    from onnxruntime import quantization

    path = folder / "network-int8.onnx"
    if path.exists():
        return path

    class Pictures(quantization.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            random = np.random.default_rng(1)
            shape = (1, 3, spec.input_size, spec.input_size)
            self.left = [random.standard_normal(shape, dtype=np.float32) for _ in range(4)]

        def get_next(self) -> dict[str, Array] | None:
            return {"images": self.left.pop()} if self.left else None

    quantization.quantize_static(
        onnx_file(spec, state, folder),
        path,
        Pictures(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return path


def vggnet_engine(name: str, precision: str) -> Any:
    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        return engines.create(name, spec, state, precision=precision, threads=threads)

    return prepare


def torch_eager(precision: str) -> Any:
    """fp32 as most people run a model, eager and NCHW; bf16 throughout, channels last."""

    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        import torch

        torch.set_num_threads(threads)
        network = _torch_network(spec, state)
        dtype = torch.float32
        if precision == "bf16":
            dtype = torch.bfloat16
            network = network.to(dtype, memory_format=torch.channels_last)

        def run(images_NCHW: Array) -> Array:
            with torch.inference_mode():
                return network(torch.from_numpy(images_NCHW).to(dtype)).float().numpy()

        return run

    return prepare


def _torch_network(spec: Spec, state: State) -> Any:
    import torch

    from vggnet.network import Network

    network = Network(spec, None)
    network.load_state_dict({name: torch.tensor(a) for name, a in state.items()}, assign=True)
    return network.eval()


def onnxruntime(precision: str) -> Any:
    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        file = {"fp32": onnx_file, "int8": quantised_file}[precision]
        session = ort.InferenceSession(file(spec, state, folder), options)
        return lambda images_NCHW: session.run(None, {"images": images_NCHW})[0]

    return prepare


def openvino(precision: str) -> Any:
    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        import openvino as ov

        file = quantised_file if precision == "int8" else onnx_file
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "bf16" if precision == "bf16" else "f32",
        }
        core = ov.Core()
        model = core.read_model(file(spec, state, folder))
        requests: dict[int, Any] = {}

        def run(images_NCHW: Array) -> Array:
            number = len(images_NCHW)
            if number not in requests:
                model.reshape([number, *images_NCHW.shape[1:]])
                requests[number] = core.compile_model(model, "CPU", settings).create_infer_request()
            return next(iter(requests[number].infer([images_NCHW]).values()))

        return run

    return prepare


def mnn(spec: Spec, state: State, folder: Path, threads: int) -> Run:
    import MNN

    path = folder / "network.mnn"
    if not path.exists():
        source = onnx_file(spec, state, folder)
        # What its own command calls; the command itself installs a logging package when it is run.
        convert = [sys.executable, "-c", "import MNN, _tools, sys; _tools.mnnconvert(sys.argv)"]
        options = ["-f", "ONNX", "--modelFile", source, "--MNNModel", path, "--bizCode", "x"]
        subprocess.run([*convert, *options], check=True, stdout=sys.stderr)
    network = MNN.Interpreter(str(path))
    session = network.createSession({"numThread": threads, "backend": "CPU", "precision": "high"})
    shape = [0]

    def run(images_NCHW: Array) -> Array:
        source = network.getSessionInput(session)
        if shape[0] != len(images_NCHW):
            network.resizeTensor(source, images_NCHW.shape)
            network.resizeSession(session)
            shape[0] = len(images_NCHW)
        kind = MNN.Tensor_DimensionType_Caffe
        given = MNN.Tensor(images_NCHW.shape, MNN.Halide_Type_Float, images_NCHW, kind)
        source.copyFrom(given)
        network.runSession(session)
        found = network.getSessionOutput(session)
        size = (len(images_NCHW), spec.num_classes)
        taken = MNN.Tensor(size, MNN.Halide_Type_Float, np.zeros(size, np.float32), kind)
        found.copyToHostTensor(taken)
        return np.array(taken.getData(), np.float32).reshape(size)

    return run


def ncnn(precision: str) -> Any:
    """ncnn has no batches: it is given one picture after the other."""

    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        import ncnn as library

        if not (folder / "network.ncnn.param").exists():
            _to_ncnn(spec, state, folder)
        network = library.Net()
        network.opt.num_threads = threads
        network.opt.use_bf16_storage = precision == "bf16"
        network.opt.use_fp16_packed = False
        network.opt.use_fp16_storage = False
        network.opt.use_fp16_arithmetic = False
        network.load_param(str(folder / "network.ncnn.param"))
        network.load_model(str(folder / "network.ncnn.bin"))

        def run(images_NCHW: Array) -> Array:
            rows = []
            for image_CHW in images_NCHW:
                extractor = network.create_extractor()
                extractor.input("in0", library.Mat(image_CHW).clone())
                rows.append(np.array(extractor.extract("out0")[1]).reshape(-1))
            return np.stack(rows)

        return run

    return prepare


def _to_ncnn(spec: Spec, state: State, folder: Path) -> None:
    import pnnx
    import torch

    network = _torch_network(spec, state)
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
    pnnx.export(plain, str(folder / "network.pt"), images, fp16=False)


PEERS: dict[str, Any] = {
    "vggnet fp32": vggnet_engine("native", "fp32"),
    "vggnet bf16": vggnet_engine("native", "bf16"),
    "torch fp32": torch_eager("fp32"),
    "torch bf16": torch_eager("bf16"),
    "onnxruntime fp32": onnxruntime("fp32"),
    "onnxruntime int8": onnxruntime("int8"),
    "openvino fp32": openvino("fp32"),
    "openvino bf16": openvino("bf16"),
    "openvino int8": openvino("int8"),
    "mnn fp32": mnn,
    "ncnn fp32": ncnn("fp32"),
    "ncnn bf16": ncnn("bf16"),
}
