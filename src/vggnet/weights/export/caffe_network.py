"""A network as Caffe has it: the layers of a `.caffemodel` and of its deploy.prototxt.

In: a Spec and its canonical state. Out: two files that Caffe, or OpenCV's reader, computes the net
from. The blobs are the state's arrays under the state's layer names; the colour order and range are
left to whoever feeds the net. Source: caffe.proto of BVLC/caffe and the layers' documentation.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vggnet.atomic import whole_file
from vggnet.layers import BATCH_NORM_EPSILON, Kind, Layer
from vggnet.spec import Spec
from vggnet.weights.containers import caffe_files
from vggnet.weights.containers.caffe_files import CaffeLayer, Settings
from vggnet.weights.weights import State, check_state

_TYPES: dict[Kind, str] = {
    "conv": "Convolution", "relu": "ReLU", "maxpool": "Pooling",
    "avgpool": "Pooling", "fc": "InnerProduct", "dropout": "Dropout", "softmax": "Softmax",
}  # fmt: skip


def write_caffe(
    model: str | os.PathLike[str], prototxt: str | os.PathLike[str], spec: Spec, state: State
) -> None:
    """Writes the `.caffemodel` and the deploy.prototxt, whose input is one picture of the spec's
    own size.

    Raises ValueError for a state that does not fit the spec, and for a net that Caffe would compute
    otherwise: see `caffe_layers`.
    """
    check_state(spec, state, str(model))
    layers = caffe_layers(spec, state)
    input_shape = (1, 3, spec.input_size, spec.input_size)
    caffe_files.write(model, spec.name, input_shape, layers)
    with whole_file(Path(prototxt)) as file:
        file.write(caffe_files.prototxt(spec.name, input_shape, layers).encode())


def caffe_layers(spec: Spec, state: State) -> list[CaffeLayer]:
    """The net's layers with their blobs: views of the state.

    A batch norm becomes two layers, BatchNorm bn1_1 (mean, variance, and 1, by which both are
    divided) and Scale scale1_1 (weight, bias); an LRN is two as well. Raises ValueError for a pool
    that leaves out the edge of its map: Caffe's pools round up, and have a window more there.
    """
    layers: list[CaffeLayer] = []
    bottom = "data"
    for layer in spec.layers:
        layers += _translate(layer, bottom, state, spec)
        bottom = layers[-1].top
    return layers


def _translate(layer: Layer, bottom: str, state: State, spec: Spec) -> list[CaffeLayer]:
    name = layer.name
    blobs: list[NDArray[np.floating]] = [state[f"{name}.{p}"] for p in layer.parameter_shapes]
    if layer.kind == "batchnorm":
        statistics = [state[f"{name}.{part}"] for part in layer.buffer_shapes]
        statistics.append(np.ones(1, np.float32))
        scale = name.replace("bn", "scale", 1)
        return [
            CaffeLayer(name, "BatchNorm", bottom, name, _settings(layer), statistics),
            CaffeLayer(scale, "Scale", name, name, {"bias_term": True}, blobs),
        ]
    if layer.kind == "lrn":
        # Caffe divides alpha by the number of channels. OpenCV takes k for 1, so that 2 is taken
        # out of the power: (2 + a s)^-b = 2^-b (1 + a/2 s)^-b.
        norm = {"local_size": 5, "alpha": 5e-4 / 2, "beta": 0.75, "k": 1.0}
        return [
            CaffeLayer(f"{name}_by_1", "LRN", bottom, f"{name}_by_1", norm),
            CaffeLayer(name, "Power", f"{name}_by_1", name, {"scale": 2**-0.75}),
        ]
    left = (layer.input[1] - layer.kernel) % layer.stride
    if layer.kind == "maxpool" and left:
        raise ValueError(
            f"spec {spec.name!r}: {name} of a picture of {spec.input_size} x {spec.input_size} "
            f"leaves out {left} of {layer.input[1]} rows, and Caffe's pools leave out none; choose "
            "an input size that its pools divide"
        )
    top = bottom if layer.kind in ("relu", "dropout") else name  # in place, as the original's
    return [CaffeLayer(name, _TYPES[layer.kind], bottom, top, _settings(layer), blobs)]


def _settings(layer: Layer) -> Settings:
    if layer.kind == "conv":
        return {"num_output": layer.output[0], "pad": layer.padding, "kernel_size": layer.kernel,
                "stride": layer.stride}  # fmt: skip
    if layer.kind == "batchnorm":
        return {"use_global_stats": True, "eps": BATCH_NORM_EPSILON}
    if layer.kind == "maxpool":
        return {"pool": "MAX", "kernel_size": layer.kernel, "stride": layer.stride}
    if layer.kind == "avgpool":
        return {"pool": "AVE", "global_pooling": True}
    if layer.kind == "fc":
        return {"num_output": layer.output[0]}
    return {"dropout_ratio": 0.5} if layer.kind == "dropout" else {}
