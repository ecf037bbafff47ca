"""The plain statement of what a network computes, in NumPy: every other engine is tested by it.

In: a Spec, its canonical state, images_NCHW. Out: logits_NK or named activations. Everything is
computed in the type of the state: float32, or float64 as the oracle. Source: Section 2.1 of the
paper; Krizhevsky et al. 2012, Section 3.3 (LRN); Ioffe and Szegedy 2015 (batch norm).
Shapes: N pictures, C channels in, O channels out, H and W rows and columns, P their product, Y
and X of a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vggnet.engines.checks import check_head, check_images
from vggnet.layers import BATCH_NORM_EPSILON, Layer
from vggnet.spec import Spec
from vggnet.weights.weights import State

Array = NDArray[np.floating]
_MAX_COLUMN_NUMBERS = 1 << 22  # written out at a time by a convolution: 16 MiB of float32


class ReferenceEngine:
    """Runs the layers one after the other, as they are written."""

    name = "numpy"

    def __init__(self, spec: Spec, state: State) -> None:
        self.spec, self.state = spec, state
        self.dtype = np.result_type(np.float32, *(state[name].dtype for name in spec.state_shapes))
        self.precision = "fp64" if self.dtype == np.float64 else "fp32"

    def __call__(self, images_NCHW: Array) -> NDArray[np.float32]:
        """logits_NK in the type of the state; see `Engine`."""
        check_head(self.spec)
        layer = self.spec.logits_layer
        return self.features(images_NCHW, (layer,))[layer]

    def features(self, images_NCHW: Array, names: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        """Named activations in the type of the state; see `Engine`."""
        wanted = self.spec.check_names(names)
        x = check_images(self.spec, images_NCHW, self.dtype)
        found: dict[str, NDArray[np.float32]] = {}
        for layer in self.spec.layers_at(*x.shape[2:]):
            x = self._run(layer, x)
            if layer.name in wanted:
                found[layer.name] = x
                if len(found) == len(set(wanted)):
                    break
        return {name: found[name] for name in wanted}

    def _run(self, layer: Layer, x: Array) -> Array:
        arrays = [
            self.state[f"{layer.name}.{part}"]
            for part in (layer.parameter_shapes | layer.buffer_shapes)
        ]
        if layer.kind == "conv":
            return convolution(x, arrays[0], arrays[1], layer.stride, layer.padding)
        if layer.kind == "batchnorm":
            return batch_norm(x, *arrays)
        if layer.kind == "relu":
            return np.maximum(x, 0)
        if layer.kind == "lrn":
            return local_response_norm(x)
        if layer.kind == "maxpool":
            return max_pool(x, layer.kernel, layer.stride)
        if layer.kind == "avgpool":
            return np.asarray(x.mean(axis=(2, 3), keepdims=True))
        if layer.kind == "fc":
            logits_NK: Array = x.reshape(len(x), math.prod(layer.input)) @ arrays[0].T + arrays[1]
            return logits_NK
        if layer.kind == "softmax":
            return softmax(x)
        return x  # dropout does nothing outside training


def convolution(
    x_NCHW: Array, weight_OCYX: Array, bias_O: Array, stride: int, padding: int
) -> Array:
    """Each output is the sum, over channels and the kernel's taps, of input times weight.

    Every window of the zero-padded input is written out as a column of C x Y x X numbers, then one
    matrix product with the kernels does a band of rows: bands, so that memory stays bounded.
    """
    num_out, _, rows, columns = weight_OCYX.shape
    padded = np.pad(x_NCHW, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    windows_NCHWYX = np.lib.stride_tricks.sliding_window_view(padded, (rows, columns), (2, 3))
    windows_NCYXHW = windows_NCHWYX[:, :, ::stride, ::stride].transpose(0, 1, 4, 5, 2, 3)
    height, width = windows_NCYXHW.shape[4:]
    kernels = weight_OCYX.reshape(num_out, -1)
    band = max(1, _MAX_COLUMN_NUMBERS // (kernels.shape[1] * width))
    y_NOHW = np.empty((len(x_NCHW), num_out, height, width), x_NCHW.dtype)
    for windows_CYXHW, y_OHW in zip(windows_NCYXHW, y_NOHW, strict=True):
        for top in range(0, height, band):
            written_out = windows_CYXHW[..., top : top + band, :].reshape(kernels.shape[1], -1)
            y_OHW[:, top : top + band] = (kernels @ written_out).reshape(num_out, -1, width)
    y_NOHW += bias_O[:, None, None]
    return y_NOHW


def batch_norm(x_NCHW: Array, weight: Array, bias: Array, mean: Array, variance: Array) -> Array:
    """Normalise each channel by statistics that training measured, then scale and shift it."""
    factor = weight / np.sqrt(variance + BATCH_NORM_EPSILON)
    normalised: Array = (x_NCHW - mean[:, None, None]) * factor[:, None, None]
    return normalised + bias[:, None, None]


def local_response_norm(x_NCHW: Array) -> Array:
    """x / (k + alpha * sum of squares over n neighbouring channels) ^ beta.

    Krizhevsky's k 2, n 5, alpha 1e-4, beta 0.75; alpha is not divided by n.
    """
    channels = x_NCHW.shape[1]
    squares = np.pad(x_NCHW**2, ((0, 0), (2, 2), (0, 0), (0, 0)))
    total = sum(squares[:, shift : shift + channels] for shift in range(5))
    return x_NCHW / (2 + 1e-4 * total) ** 0.75


def max_pool(x_NCHW: Array, kernel: int, stride: int) -> Array:
    """The largest value of each window; windows that would leave the map are left out."""
    height, width = ((side - kernel) // stride + 1 for side in x_NCHW.shape[2:])
    bottom, right = (height - 1) * stride + 1, (width - 1) * stride + 1
    largest: Array = x_NCHW[:, :, :bottom:stride, :right:stride].copy()
    for top, left in np.ndindex(kernel, kernel):
        shifted = x_NCHW[:, :, top : top + bottom : stride, left : left + right : stride]
        np.maximum(largest, shifted, out=largest)
    return largest


def softmax(logits_NK: Array) -> Array:
    """Probabilities over axis 1; the largest logit is taken off first, so that none overflows."""
    powers = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    probabilities: Array = powers / powers.sum(axis=1, keepdims=True)
    return probabilities
