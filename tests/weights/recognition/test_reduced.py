"""Nets of DeepLab and SSD, under the names that their projects give the layers."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from published_forms import contents, frossard, oxford, small, torchvision
from small_nets import random_state
from torch import nn

from vggnet.weights.recognition.recognise import recognise

SPEC = small("D")
STATE = {n: a for n, a in random_state(SPEC).items() if not n.startswith("fc")}
FC6, FC7 = (64, 32, 3, 3), (64, 64, 1, 1)


def layer(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.ones(shape, np.float32)


def torch_layers(**shapes: tuple[int, ...]) -> dict[str, NDArray[np.float32]]:
    return {
        name.replace("_", ".") + f".{part}": layer(shape if part == "weight" else shape[:1])
        for name, shape in shapes.items()
        for part in ("weight", "bias")
    }


def mmdetection() -> dict[str, NDArray]:
    """SSDVGG: the pool before fc6 is the 31st layer, and fc7's ReLU the last."""
    return torchvision(SPEC, STATE) | torch_layers(features_31=FC6, features_33=FC7)


def ssd() -> dict[str, NDArray]:
    """torchvision/models/detection/ssd.py, SSDFeatureExtractorVGG: what it takes of `features`."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in ((4, 2), (8, 2), (16, 3), (32, 3), (32, 3)):
        for _ in range(depth):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
    fourth = [i for i, each in enumerate(layers) if isinstance(each, nn.MaxPool2d)][3]
    fc = nn.Sequential(
        nn.MaxPool2d(3, 1, 1), nn.Conv2d(32, 64, 3, padding=6, dilation=6), nn.ReLU(),
        nn.Conv2d(64, 64, 1), nn.ReLU(),
    )  # fmt: skip
    extra = nn.ModuleList(
        [nn.Sequential(nn.Conv2d(64, 16, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU())]
    )
    extra.insert(0, nn.Sequential(*layers[fourth:-1], fc))
    backbone = nn.ModuleDict({"features": nn.Sequential(*layers[:fourth]), "extra": extra})
    return {f"backbone.{name}": values.numpy() for name, values in backbone.state_dict().items()}


def deeplab_caffe() -> dict[str, NDArray]:
    heads = {"fc6/0": layer(FC6), "fc6/1": layer((64,)), "fc7/0": layer(FC7),
             "fc7/1": layer((64,)), "fc8_voc12/0": layer((21, 64, 1, 1)),
             "fc8_voc12/1": layer((21,))}  # fmt: skip
    return oxford(SPEC, STATE) | heads


def deeplab_tensorflow() -> dict[str, NDArray]:
    with_head = frossard(SPEC, random_state(SPEC))
    net = {name: array for name, array in with_head.items() if not name.startswith("fc")}
    return net | {
        "fc6_W": layer((3, 3, 32, 64)), "fc6_b": layer((64,)),
        "fc7_W": layer((1, 1, 64, 64)), "fc7_b": layer((64,)),
        "fc8_W": layer((1, 1, 64, 21)), "fc8_b": layer((21,)),
    }  # fmt: skip


@pytest.mark.parametrize("make", [mmdetection, ssd, deeplab_caffe, deeplab_tensorflow])
def test_dilated_fc_layers_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"fc6 and fc7 of a DeepLab or SSD, dilated") as caught:
        recognise(contents(make()), "net")  # type: ignore[operator]
    assert str(caught.value).startswith("net: ")
    assert "\n" not in str(caught.value)


def test_convolutions_that_are_nearly_so_are_read() -> None:
    """A sixth stage of one's own, and FC layers of a small picture."""
    arrays = torchvision(SPEC, STATE) | torch_layers(
        features_31=(48, 32, 3, 3), features_33=(48, 48, 1, 1)
    )
    assert recognise(contents(arrays), "net").spec.tokens[-3:] == (
        "conv3-48",
        "conv1-48",
        "maxpool",
    )
