"""The same function from another spec and state: done once here, not by each engine.

In: a Spec and its canonical state. Out: another Spec and the state that belongs to it.
Source: Section 3.2 of the paper for FC layers as convolutions; folding batch norm is arithmetic.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vggnet.layers import BATCH_NORM_EPSILON
from vggnet.spec import Spec
from vggnet.weights.weights import State


def fold_batch_norm(spec: Spec, state: State) -> tuple[Spec, dict[str, NDArray[np.floating]]]:
    """The net without batch norm whose convolutions do what convolution and batch norm did.

    In inference a batch norm is y = (x - mean) / sqrt(variance + epsilon) * weight + bias for each
    channel, which the convolution before it can take in. Computed in float64, rounded once to the
    type of the state. `conv3_3` of the result is thus what `bn3_3` was. A net without batch norm is
    given as it is.
    """
    if not spec.batch_norm:
        return spec, dict(state)
    folded = replace(spec, batch_norm=False)
    arrays = {name: state[name] for name in folded.state_shapes}
    for layer in spec.layers:
        if layer.kind != "batchnorm":
            continue
        gamma, beta, mean, variance = (
            state[f"{layer.name}.{part}"].astype(np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        weight, bias = (
            f"conv{layer.name.removeprefix('bn')}.{part}" for part in ("weight", "bias")
        )
        factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        arrays[weight] = (state[weight] * factor[:, None, None, None]).astype(state[weight].dtype)
        arrays[bias] = ((state[bias] - mean) * factor + beta).astype(state[bias].dtype)
    return folded, arrays


def fully_convolutional(spec: Spec, state: State) -> tuple[Spec, dict[str, NDArray[np.floating]]]:
    """`fully_convolutional_spec` and its arrays, which are views of those of `state`."""
    dense = fully_convolutional_spec(spec)
    return dense, {name: state[name].reshape(shape) for name, shape in dense.state_shapes.items()}


def fully_convolutional_spec(spec: Spec) -> Spec:
    """The net whose FC layers are convolutions, so that it gives a map of class scores.

    The first FC layer becomes a convolution over windows of the map's side at the spec's own size
    (7 for the paper's nets), the others 1x1. Of a net that ends in a global average, the average is
    left out, so that each position of the last map is scored: one FC layer is linear, and the mean
    of its scores is what the net itself answers; with ReLUs between several it is not.
    """
    side = next((layer.input[1] for layer in spec.layers if layer.kind == "fc"), 1)
    rows = []
    for row in spec.rows:
        tokens = []
        for token in row.split():
            if token.startswith("FC-"):
                token, side = token.replace("FC-", f"FC{side}-"), 1
            if token != "avgpool":
                tokens.append(token)
        if tokens:
            rows.append(" ".join(tokens))
    return replace(spec, rows=tuple(rows))
