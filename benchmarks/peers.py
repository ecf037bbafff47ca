"""vggnet and other runtimes on the same network and weights, each behind one function.

In: a Spec, its state, a folder for the files that a runtime wants. Out: images_NCHW -> logits_NK.
One that cannot compute in the precision of its name raises Lacking instead of taking another.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from files import mnn_file, ncnn_files, onnx_file, quantised_file
from networks import torch_network
from numpy.typing import NDArray

from vggnet import engines
from vggnet.spec import Spec
from vggnet.weights.weights import State

Array = NDArray[np.float32]
Run = Callable[[Array], Array]


class Lacking(Exception):
    """A runtime would compute in another precision on this machine than its name says."""


def vggnet_engine(precision: str) -> Any:
    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        engine = engines.create("native", spec, state, precision=precision, threads=threads)
        _check_precision("vggnet", engine.precision, precision)  # type: ignore[attr-defined]
        return engine

    return prepare


def _check_precision(runtime: str, found: str, wanted: str) -> None:
    if found != wanted:
        raise Lacking(f"{runtime} would compute in {found} on this machine, not in {wanted}")


def torch_eager(precision: str) -> Any:
    """fp32 as most people run a model, eager and NCHW; bf16 throughout, channels last."""

    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        import torch

        torch.set_num_threads(threads)
        network = torch_network(spec, state)
        dtype = torch.float32
        if precision == "bf16":
            dtype = torch.bfloat16
            network = network.to(dtype, memory_format=torch.channels_last)

        def run(images_NCHW: Array) -> Array:
            with torch.inference_mode():
                return network(torch.from_numpy(images_NCHW).to(dtype)).float().numpy()

        return run

    return prepare


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
                compiled = core.compile_model(model, "CPU", settings)
                if precision == "bf16":  # which it gives up silently
                    found = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
                    _check_precision("openvino", found, "bf16")
                requests[number] = compiled.create_infer_request()
            return next(iter(requests[number].infer([images_NCHW]).values()))

        return run

    return prepare


def mnn(spec: Spec, state: State, folder: Path, threads: int) -> Run:
    import MNN

    network = MNN.Interpreter(str(mnn_file(spec, state, folder)))
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
    """fp16 is how it comes: it keeps weights in fp16 unless told not to, and computes in fp32.

    ncnn has no batches: it is given one picture after the other.
    """

    def prepare(spec: Spec, state: State, folder: Path, threads: int) -> Run:
        import ncnn as library

        param, weights = ncnn_files(spec, state, folder)
        network = library.Net()
        network.opt.num_threads = threads
        network.opt.use_bf16_storage = precision == "bf16"
        network.opt.use_fp16_packed = precision == "fp16"
        network.opt.use_fp16_storage = precision == "fp16"
        network.opt.use_fp16_arithmetic = precision == "fp16"
        network.load_param(str(param))
        network.load_model(str(weights))

        def run(images_NCHW: Array) -> Array:
            rows = []
            for image_CHW in images_NCHW:
                extractor = network.create_extractor()
                extractor.input("in0", library.Mat(image_CHW).clone())
                rows.append(np.array(extractor.extract("out0")[1]).reshape(-1))
            return np.stack(rows)

        return run

    return prepare


PEERS: dict[str, Any] = {
    "vggnet fp32": vggnet_engine("fp32"),
    "vggnet bf16": vggnet_engine("bf16"),
    "torch fp32": torch_eager("fp32"),
    "torch bf16": torch_eager("bf16"),
    "onnxruntime fp32": onnxruntime("fp32"),
    "onnxruntime int8": onnxruntime("int8"),
    "openvino fp32": openvino("fp32"),
    "openvino bf16": openvino("bf16"),
    "openvino int8": openvino("int8"),
    "mnn fp32": mnn,
    "ncnn fp32": ncnn("fp32"),
    "ncnn fp16": ncnn("fp16"),
    "ncnn bf16": ncnn("bf16"),
}
# Those that an environment variable keeps from using more than AVX2.
AVX2_PEERS = ("vggnet fp32", "torch fp32")
AVX2_ENVIRONMENT = {"VGGNET_ISA": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
