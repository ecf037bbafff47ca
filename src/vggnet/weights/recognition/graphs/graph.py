"""The net that a file's own graph spells out, where its names alone would not tell.

In: the metadata of a container: the nodes of an ONNX graph, or the layers of a Caffe net or a Keras
model, in order.
Out: a Drawing: a Sketch and where each layer's arrays lie.
"""

from __future__ import annotations

import re

from vggnet.weights.containers import Contents, caffe_files, keras_files, onnx_files
from vggnet.weights.recognition.graphs.caffe_graph import caffe_net
from vggnet.weights.recognition.graphs.chain import Drawing, Source, Sources
from vggnet.weights.recognition.graphs.keras_graph import keras_net
from vggnet.weights.recognition.graphs.onnx_graph import onnx_net

__all__ = ["Drawing", "Source", "Sources", "drawn_net", "usual_convention"]


def drawn_net(contents: Contents) -> Drawing | None:
    """What the file's graph says; None for a file without one. Raises Unfit where it is no VGG."""
    if contents.container == onnx_files.NAME:
        return onnx_net(contents)
    if contents.container in keras_files.CONTAINERS and "model_config" in contents.metadata:
        return keras_net(contents)
    return caffe_net(contents) if contents.container == caffe_files.NAME else None


def usual_convention(contents: Contents) -> str:
    """The convention whose exporters leave such names in a graph; torch's where there are none."""
    if contents.container in keras_files.CONTAINERS:
        return "keras"
    names = " ".join(list(contents.arrays)[:100])
    if re.search(r"block\d_conv\d", names):
        return "keras"
    return "oxford" if re.search(r"conv\d_\d", names) else "torchvision"
