"""Files that other libraries write, and the logits that those libraries give, on one tensor.

torchvision and timm cannot be imported beside the torch of the development environment: of
torchvision the module is built here as torchvision/models/vgg.py builds it, and torch itself writes
the files; of timm the file is written after timm/models/vgg.py (`published_forms.timm`).
"""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from comparison import relative_error
from numpy.typing import NDArray
from published_forms import small, timm
from torch import nn

from vggnet import engines
from vggnet.spec import Spec
from vggnet.weights.containers import safetensors_files
from vggnet.weights.files import inspect, load

SPECS = (small("A"), small("D"), small("A-BN"))
IDS = [spec.name for spec in SPECS]
BOUND = 1e-5


class Vgg(nn.Module):
    """torchvision.models.VGG for a spec of three FC layers."""

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        features: list[nn.Module] = []
        for layer in spec.layers:
            if layer.kind == "conv":
                features.append(nn.Conv2d(layer.input[0], layer.output[0], 3, padding=1))
            elif layer.kind == "batchnorm":
                features.append(nn.BatchNorm2d(layer.output[0]))
            elif layer.kind == "relu" and layer.name[4:].count("_"):
                features.append(nn.ReLU(inplace=True))
            elif layer.kind == "maxpool":
                features.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*features)
        fc6, fc7, fc8 = (layer for layer in spec.layers if layer.kind == "fc")
        self.avgpool = nn.AdaptiveAvgPool2d(fc6.input[1:])
        self.classifier = nn.Sequential(
            nn.Linear(int(np.prod(fc6.input)), fc6.output[0]), nn.ReLU(True), nn.Dropout(),
            nn.Linear(fc7.input[0], fc7.output[0]), nn.ReLU(True), nn.Dropout(),
            nn.Linear(fc8.input[0], fc8.output[0]),
        )  # fmt: skip

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(torch.flatten(self.avgpool(self.features(images)), 1))


def module(spec: Spec) -> Vgg:
    """With weights, and measured means and variances, that are not trivial."""
    torch.manual_seed(0)
    net = Vgg(spec)
    for name, values in net.state_dict().items():
        if values.ndim == 1 and values.is_floating_point():
            values.uniform_(0.5, 1.5) if "var" in name else values.normal_(0, 0.3)
    return net.eval()


def images(spec: Spec) -> NDArray[np.float32]:
    shape = (2, 3, spec.input_size, spec.input_size)
    return np.random.default_rng(3).standard_normal(shape, np.float32)


def ours(path: Path, images_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = load(path)
    return engines.create("numpy", weights.spec, weights.state)(images_NCHW)


def theirs(net: Vgg, images_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return net(torch.from_numpy(images_NCHW)).numpy()


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
@pytest.mark.parametrize("zip_format", [True, False])
def test_torch(tmp_path: Path, spec: Spec, zip_format: bool) -> None:
    net, path = module(spec), tmp_path / "net.pth"
    torch.save(net.state_dict(), path, _use_new_zipfile_serialization=zip_format)
    assert (inspect(path).convention, inspect(path).spec) == ("torchvision", spec)
    assert relative_error(ours(path, images(spec)), theirs(net, images(spec))) < BOUND


@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_timm(tmp_path: Path, spec: Spec) -> None:
    """After its source; see above."""
    net, path = module(spec), tmp_path / "model.safetensors"
    state = {}
    for canonical, name in zip(spec.state_shapes, _parameters(net), strict=True):
        state[canonical] = net.state_dict()[name].numpy()
    safetensors_files.write(path, timm(spec, state))
    assert (inspect(path).convention, inspect(path).spec) == ("timm", spec)
    assert relative_error(ours(path, images(spec)), theirs(net, images(spec))) < BOUND


def _parameters(net: Vgg) -> list[str]:
    return [name for name in net.state_dict() if not name.endswith("num_batches_tracked")]


@pytest.mark.filterwarnings("ignore")  # of an exporter that torch is about to give up
@pytest.mark.parametrize("spec", SPECS, ids=IDS)
def test_onnx(tmp_path: Path, spec: Spec) -> None:
    import onnxruntime

    net, path = module(spec), tmp_path / "net.onnx"
    torch.onnx.export(net, (torch.from_numpy(images(spec)),), path, dynamo=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {session.get_inputs()[0].name: images(spec)})
    assert relative_error(ours(path, images(spec)), expected) < BOUND


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["net.weights.h5", "net.keras", "net.h5"])
def test_keras(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "KERAS_BACKEND" not in os.environ:
        monkeypatch.setenv("KERAS_BACKEND", "torch")
    import keras
    from keras import layers

    spec = SPECS[1]
    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((spec.input_size, spec.input_size, 3))], name="vgg16")
    names = iter(("fc1", "fc2", "predictions"))
    for layer in spec.layers:
        if layer.kind == "conv":
            stage, index = layer.name[4:].split("_")
            options = {"padding": "same", "activation": "relu", "bias_initializer": "normal"}
            name_of = f"block{stage}_conv{index}"
            net.add(layers.Conv2D(layer.output[0], 3, name=name_of, **options))
        elif layer.kind == "maxpool":
            net.add(layers.MaxPooling2D(2, 2, name=f"block{layer.name[4:]}_pool"))
        elif layer.kind == "fc":
            if layer.name == "fc6":
                net.add(layers.Flatten(name="flatten"))
            activation = None if layer.name == "fc8" else "relu"
            net.add(layers.Dense(layer.output[0], activation, name=next(names)))
    path = tmp_path / name
    net.save_weights(path) if name == "net.weights.h5" else net.save(path)
    assert (inspect(path).convention, inspect(path).spec) == ("keras", spec)
    expected = np.asarray(net(images(spec).transpose(0, 2, 3, 1)).detach())
    assert relative_error(ours(path, images(spec)), expected) < BOUND
