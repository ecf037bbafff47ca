"""Tokens of Table 1 -> layers: names, shapes, parameters.

In: tokens such as "conv3-64", a picture's size. Out: the layers that they stand for, each with its
input, output and parameter shapes. Standard library only. Source: Section 2.1 of arXiv 1409.1556;
the names are those of the original release.

The tokens, any number of them a row:
    conv3-64        64 kernels of 3x3, stride 1, padded to keep the size; then ReLU
    conv11-96/4p0   the same with stride 4 and padding 0 spelled out
    conv3-64-linear the same without its ReLU
    LRN             Krizhevsky's local response normalisation
    maxpool         2x2, stride 2; `maxpool3/2` is 3x3, stride 2
    avgpool         the mean of each channel over the whole map
    FC-4096         fully connected; all but the last are followed by ReLU and dropout
    FC7-4096        the same applied to each 7x7 window of the map, for larger pictures (3.2)
    soft-max        the last token, if it is there
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

Kind = Literal["conv", "batchnorm", "relu", "lrn", "maxpool", "avgpool", "fc", "dropout", "softmax"]
ActivationShape = tuple[int, int, int]  # channels, height, width of one picture's activations

LARGEST = 1_000_000  # number in a token, side of a picture: beyond any net, yet every sum is finite
BATCH_NORM_EPSILON = 1e-5  # added to the variance, as torch and every published file have it

TOKEN = re.compile(
    r"conv(?P<kernel>[1-9]\d*)-(?P<channels>[1-9]\d*)(/(?P<stride>[1-9]\d*))?(p(?P<padding>\d+))?"
    r"(?P<linear>-linear)?"
    r"|maxpool((?P<pool_kernel>[1-9]\d*)/(?P<pool_stride>[1-9]\d*))?"
    r"|LRN|avgpool|FC(?P<window>[1-9]\d*)?-(?P<features>[1-9]\d*)|soft-max",
    re.ASCII,
)
# How tokens look, # for a number; where one number is missing in a convolution it is the kernel's.
_LOOKS = (
    "conv#-#", "conv#-#/#", "conv#-#p#", "conv#-#/#p#", "conv#-#-linear", "conv3-#", "LRN",
    "maxpool", "maxpool#/#", "avgpool", "FC-#", "FC#-#", "soft-max",
)  # fmt: skip
_LONGEST = 40  # characters of a text that may be a token with a slip in it
_NEAR = 0.85  # of difflib's ratio: conw#-# is near conv#-#, pool is not near maxpool


def nearest_token(text: str) -> str | None:
    """The token that a text was meant to be: conv3-64 for conv3_64. None if not clear.

    It is not clear where two tokens are equally near, nor where a padding would be lost.
    """
    from difflib import SequenceMatcher, get_close_matches

    if len(text) > _LONGEST:
        return None
    once = re.sub(r"([0-9]+)[x×]\1(?![0-9])", r"\1", text)  # 3x3 for 3
    numbers = re.findall("[0-9]+", once)
    looks = {look.lower(): look for look in _LOOKS if look.count("#") == len(numbers)}
    look = re.sub("[0-9]+", "#", once).lower().replace("#s#", "#/#")  # s for stride
    nearest = get_close_matches(look, looks, n=2, cutoff=_NEAR)
    ratios = [SequenceMatcher(None, near, look).ratio() for near in nearest]
    if not nearest or ratios[1:] == ratios[:1] or ("#p#" in look and "#p#" not in nearest[0]):
        return None
    token = looks[nearest[0]].replace("#", "{}").format(*numbers)
    return token if TOKEN.fullmatch(token) else None


class TooSmall(ValueError):
    """A picture that is too small for the layer of the token at this position."""

    def __init__(self, message: str, token: int) -> None:
        super().__init__(message)
        self.token = token


@dataclass(frozen=True)
class Layer:
    """One layer of a network at one input size.

    `kernel`, `stride` and `padding` are in pixels of the layer's input. A fully connected layer is
    the convolution whose kernel is its whole input map (7 for fc6 of the paper's nets).
    """

    name: str
    kind: Kind
    input: ActivationShape
    output: ActivationShape
    kernel: int = 1
    stride: int = 1
    padding: int = 0

    @property
    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the trained arrays, by the last part of their canonical name."""
        if self.kind == "conv":
            weight: tuple[int, ...] = (self.output[0], self.input[0], self.kernel, self.kernel)
        elif self.kind == "fc":
            channels, height, width = self.input
            weight = (self.output[0], channels * height * width)
        elif self.kind == "batchnorm":
            weight = (self.output[0],)
        else:
            return {}
        return {"weight": weight, "bias": (self.output[0],)}

    @property
    def buffer_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the arrays that are measured in training and not trained."""
        if self.kind != "batchnorm":
            return {}
        return {"running_mean": (self.output[0],), "running_var": (self.output[0],)}


@lru_cache(maxsize=256)
def spell_out(
    tokens: tuple[str, ...], height: int, width: int, batch_norm: bool, by_stage: bool
) -> tuple[Layer, ...]:
    """The layers for pictures of height x width pixels.

    Names count the convolutions of a stage, from pool to pool (conv3_2), or with `by_stage` False
    those of the net (conv4). Raises TooSmall for a picture that is too small for a layer.
    """
    layers: list[Layer] = []
    shape: ActivationShape = (3, height, width)
    stage, index, number = 1, 0, 0  # of the pool-to-pool stage, the convolution in it, the FC layer
    suffix = ""  # shared by a convolution and the layers that follow it

    def add(name: str, kind: Kind, channels: int = 0, kernel: int = 1, stride: int = 1,
            padding: int = 0) -> None:  # fmt: skip
        nonlocal shape
        rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in shape[1:])
        if min(rows, columns) < 1:
            raise TooSmall(
                f"a picture of {height} x {width} is too small: {name} takes {kernel} x {kernel} "
                f"and is given {shape[1]} x {shape[2]}",
                position,
            )
        output = (channels or shape[0], rows, columns)
        layers.append(Layer(name, kind, shape, output, kernel, stride, padding))
        shape = output

    for position, token in enumerate(tokens):
        match = TOKEN.fullmatch(token)
        assert match, token
        if token.startswith("conv"):
            index += 1
            suffix = f"{stage}_{index}" if by_stage else f"{index}"
            number = stage if by_stage else index
            kernel = int(match["kernel"])
            padding = kernel // 2 if match["padding"] is None else int(match["padding"])
            stride = int(match["stride"] or 1)
            add(f"conv{suffix}", "conv", int(match["channels"]), kernel, stride, padding)
            if batch_norm:
                add(f"bn{suffix}", "batchnorm")
            if not match["linear"]:
                add(f"relu{suffix}", "relu")
        elif token == "LRN":
            add(f"norm{suffix}", "lrn")
        elif token.startswith("maxpool"):
            name = f"pool{stage if by_stage else index}"
            add(name, "maxpool", 0, int(match["pool_kernel"] or 2), int(match["pool_stride"] or 2))
            stage, index = stage + 1, 0 if by_stage else index
        elif token == "avgpool":
            layers.append(Layer("avgpool", "avgpool", shape, (shape[0], 1, 1), shape[1]))
            shape = (shape[0], 1, 1)
        elif token.startswith("FC"):
            number += 1
            features = int(match["features"])
            if match["window"]:
                add(f"fc{number}", "conv", features, int(match["window"]))
            else:
                layers.append(Layer(f"fc{number}", "fc", shape, (features, 1, 1), shape[1]))
                shape = (features, 1, 1)
            if any(later.startswith("FC") for later in tokens[position + 1 :]):
                add(f"relu{number}", "relu")
                add(f"drop{number}", "dropout")
        else:
            add("prob", "softmax")
    counts = Counter(layer.name for layer in layers)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise ValueError(f"two layers would be named {', '.join(repeated)}")
    return tuple(layers)
