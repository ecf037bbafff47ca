"""A net written down as each project's files have it, by the letter of their converters.

Nothing here uses the package's own tables, so that a mistake in them shows.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vggnet.configurations import configuration
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights.containers import Contents, StoredArray

Arrays = dict[str, NDArray]

TORCHVISION = {  # positions of the convolutions in torchvision's `features`
    "A": (0, 3, 6, 8, 11, 13, 16, 18),
    "D": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
    "E": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    "A-BN": (0, 4, 8, 11, 15, 18, 22, 25),
    "D-BN": (0, 3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40),
}
PREPROCESS = {
    "torchvision": Preprocess.torchvision,
    "timm": Preprocess.torchvision,
    "oxford": Preprocess.caffe,
    "tensorflow-vgg": Preprocess.caffe,
    "keras": Preprocess.caffe,
    "frossard": Preprocess.paper,
    "matconvnet": Preprocess.paper,
}


def small(name: str, input_size: int = 64, classes: int = 7) -> Spec:
    """A sixteenth of the channels, FC layers of three different widths."""
    spec = configuration(name).scaled(1 / 16, input_size=input_size, num_classes=classes)
    rows = list(spec.rows)
    rows[rows.index("FC-256") + 1] = "FC-40"
    return Spec(spec.name, tuple(rows), spec.input_size, spec.batch_norm)


def flipped(state: Arrays) -> Arrays:
    """The same net for pictures in the order B, G, R."""
    return {**state, "conv1_1.weight": state["conv1_1.weight"][:, ::-1]}


def _layers(state: Arrays) -> tuple[list[str], list[str]]:
    names = [name.removesuffix(".weight") for name in state if name.endswith(".weight")]
    return [n for n in names if n.startswith("conv")], [n for n in names if n.startswith("fc")]


def torchvision(spec: Spec, state: Arrays, head: tuple[int, ...] = (0, 3, 6)) -> Arrays:
    convolutions, matrices = _layers(state)
    arrays = {}
    for name, position in zip(convolutions, TORCHVISION[spec.name], strict=True):
        for part in ("weight", "bias"):
            arrays[f"features.{position}.{part}"] = state[f"{name}.{part}"]
        if spec.batch_norm:
            for part in ("weight", "bias", "running_mean", "running_var"):
                norm = name.replace("conv", "bn")
                arrays[f"features.{position + 1}.{part}"] = state[f"{norm}.{part}"]
            arrays[f"features.{position + 1}.num_batches_tracked"] = np.array(0, np.int64)
    for name, position in zip(matrices, head, strict=False):
        for part in ("weight", "bias"):
            arrays[f"classifier.{position}.{part}"] = state[f"{name}.{part}"]
    return arrays


def timm(spec: Spec, state: Arrays) -> Arrays:
    arrays = torchvision(spec, {n: a for n, a in state.items() if not n.startswith("fc")})
    channels, height, width = next(layer.input for layer in spec.layers if layer.kind == "fc")
    fc6, fc7 = state["fc6.weight"], state["fc7.weight"]
    return arrays | {
        "pre_logits.fc1.weight": fc6.reshape(len(fc6), channels, height, width),
        "pre_logits.fc1.bias": state["fc6.bias"],
        "pre_logits.fc2.weight": fc7[:, :, None, None],
        "pre_logits.fc2.bias": state["fc7.bias"],
        "head.fc.weight": state["fc8.weight"],
        "head.fc.bias": state["fc8.bias"],
    }


def oxford(spec: Spec, state: Arrays) -> Arrays:
    """As Caffe had it before 2014: four axes for everything."""
    arrays = {}
    for name, array in state.items():
        layer, part = name.split(".")
        array = array.reshape((1,) * (4 - array.ndim) + array.shape)
        arrays[f"{layer}/{('weight', 'bias').index(part)}"] = array
    return arrays


def _tensorflow(spec: Spec, state: Arrays) -> Arrays:
    """The canonical names, laid out as TensorFlow has them."""
    channels, height, width = next(layer.input for layer in spec.layers if layer.kind == "fc")
    arrays = {}
    for name, array in state.items():
        if array.ndim == 4:
            array = array.transpose(2, 3, 1, 0)
        elif name == "fc6.weight":
            array = array.reshape(-1, channels, height, width).transpose(2, 3, 1, 0)
            array = array.reshape(height * width * channels, -1)
        elif array.ndim == 2:
            array = array.T
        arrays[name] = np.ascontiguousarray(array)
    return arrays


def frossard(spec: Spec, state: Arrays) -> Arrays:
    laid_out = _tensorflow(spec, state)
    return {name.replace(".weight", "_W").replace(".bias", "_b"): a for name, a in laid_out.items()}


def tensorflow_vgg(spec: Spec, state: Arrays, parts: tuple[str, str] = ("0", "1")) -> Arrays:
    laid_out = _tensorflow(spec, state)
    return {
        name.replace(".weight", f"/{parts[0]}").replace(".bias", f"/{parts[1]}"): a
        for name, a in laid_out.items()
    }


def keras(spec: Spec, state: Arrays, template: str = "{0}/{0}_{1}_1:0") -> Arrays:
    arrays = {}
    for name, array in _tensorflow(spec, state).items():
        layer, part = name.split(".")
        if layer.startswith("conv"):
            layer = f"block{layer[4]}_conv{layer[6]}"
        else:
            layer = {"fc6": "fc1", "fc7": "fc2", "fc8": "predictions"}[layer]
        if "_1:0" in template:
            part = {"weight": "W", "bias": "b"}[part]
        elif part == "weight":
            part = "kernel"
        arrays[template.format(layer, part)] = array
    return arrays


def matconvnet(spec: Spec, state: Arrays) -> Arrays:
    """Column-major, FC layers as convolutions, biases as columns."""
    arrays = {}
    for name, array in tensorflow_vgg(spec, state).items():
        if name.startswith("fc") and array.ndim == 2:
            channels = next(layer.input for layer in spec.layers if layer.kind == "fc")
            shape = (channels[1], channels[2], channels[0]) if name == "fc6/0" else (1, 1, -1)
            array = array.reshape(*shape, array.shape[1])
        arrays[name] = np.asfortranarray(array if array.ndim > 1 else array[:, None])
    return arrays


FORMS: dict[str, Callable[[Spec, Arrays], Arrays]] = {
    "torchvision": torchvision,
    "timm": timm,
    "oxford": oxford,
    "frossard": frossard,
    "tensorflow-vgg": tensorflow_vgg,
    "keras": keras,
    "matconvnet": matconvnet,
}


def contents(arrays: Arrays, container: str = "memory", **metadata: object) -> Contents:
    stored = {n: StoredArray(a.shape, a.dtype, lambda a=a: a) for n, a in arrays.items()}
    return Contents(container, stored, metadata)


def in_form(convention: str, spec: Spec, state: Arrays) -> Contents:
    """The net, whose state is for R, G, B, as that convention has it, colours included."""
    if PREPROCESS[convention]().colour_order == "BGR":
        state = flipped(state)
    container = {"matconvnet": "MATLAB", "tensorflow-vgg": "NumPy .npy"}.get(convention, "memory")
    return contents(FORMS[convention](spec, state), container)
