"""The layers of a Caffe net as a chain.

In: the layers of a file, in its order, what is set in them, and its arrays. Out: a Drawing. Layers
in which nothing is set may have been kept for their weights alone: they are taken for a VGG's.
Source: caffe.proto of BVLC/caffe and the layers' documentation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.recognition.graphs.chain import Chain, Drawing, Source, near, square_side
from vggnet.weights.recognition.naming import Unfit

Layer = Mapping[str, Any]

_INERT = {"Accuracy", "Data", "Dropout", "DummyData", "Flatten", "HDF5Data", "ImageData", "Input",
          "MemoryData", "Silence", "SoftmaxWithLoss", "Split", "WindowData"}  # fmt: skip

# Settings: what they must be, and what they are where a layer does not give them.
_CONVOLUTION: dict[str, object] = {"stride": 1, "dilation": 1, "group": 1}
_POOL: dict[str, object] = {"pool": "MAX", "kernel_size": 2, "stride": 2, "pad": 0}
_UNSET_POOL: dict[str, object] = {"pool": "MAX", "stride": 1, "pad": 0}
_PRODUCT: dict[str, object] = {"axis": 1, "transpose": 0}
_POWER: dict[str, object] = {"power": 1, "shift": 0}


def caffe_net(contents: Contents) -> Drawing:
    """Raises Unfit where the layers are no VGG's."""
    metadata: Any = contents.metadata
    layers, shape = metadata["layers"], metadata.get("input_shape", ())
    chain = Chain(square_side(shape[2:]) if len(shape) == 4 else None)
    last = max((i for i, each in enumerate(layers) if each["type"] == "Convolution"), default=-1)
    for place in range(len(layers)):
        try:
            _step(chain, layers, place, contents.arrays)
        except Unfit as fault:
            if place <= last or last < 0:
                raise
            return chain.drawing(str(fault))
    return chain.drawing()


def _step(
    chain: Chain, layers: Sequence[Layer], place: int, arrays: Mapping[str, StoredArray]
) -> None:
    layer, before = layers[place], layers[place - 1]["type"] if place else ""
    after = next((each for each in layers[place + 1 : place + 2] if each["type"] == "Power"), None)
    kind, name, settings = layer["type"], layer["name"], layer["settings"]
    blobs = [f"{name}/{index}" for index in range(3) if f"{name}/{index}" in arrays]
    if kind in ("Convolution", "InnerProduct") and len(blobs) != 2:
        raise Unfit(f"{name} lacks weights or biases")
    if kind == "Convolution":
        _check(layer, _CONVOLUTION, _CONVOLUTION)
        sides = arrays[blobs[0]].shape[2:]
        chain.convolve(name, sides, _padding(settings, sides), *blobs)
    elif kind == "InnerProduct":
        _check(layer, _PRODUCT, _PRODUCT)
        chain.multiply(name, "OIHW", *blobs)
    elif kind == "BatchNorm" and len(blobs) == 3:
        parts = {"running_mean": blobs[0], "running_var": blobs[1]}
        chain.normalise(parts, settings.get("eps", 1e-5), divisor=blobs[2])
    elif kind == "Scale" and before == "BatchNorm" and len(blobs) == 2:
        for blob, part in zip(blobs, ("weight", "bias"), strict=True):
            chain.put(chain.norms[chain.linear], part, Source(blob, "OIHW"))
    elif kind == "ReLU":
        _check(layer, {"negative_slope": 0}, {"negative_slope": 0})
        chain.rectify()
    elif kind == "Pooling" and settings.get("global_pooling") and settings.get("pool") == "AVE":
        chain.mean()
    elif kind == "Pooling":
        if settings:
            _check(layer, _POOL, _UNSET_POOL)
        chain.rounds_up |= not settings.get("round_mode")
        chain.pool()
    elif kind == "LRN":
        _check_lrn(layer, after)
        chain.respond()
    elif kind == "Power":
        scale = {} if before == "LRN" else {"scale": 1}
        _check(layer, _POWER | scale, _POWER | scale)
    elif kind in ("Sigmoid", "Softmax") and chain.matrices and not blobs:
        chain.answers(str(name), kind == "Sigmoid")
    elif blobs or kind not in _INERT:
        raise Unfit(f"{name} is a layer of type {kind}, which no VGG has")


def _padding(settings: Mapping[str, Any], sides: Sequence[int]) -> list[Any]:
    """Of rows and columns; where nothing is set, as if a kernel of 3 x 3 alone had any."""
    if not settings:
        return [1 if side == 3 else 0 for side in sides]
    return _both(settings, "pad", 0)


def _both(settings: Mapping[str, Any], name: str, unset: object) -> list[Any]:
    """A setting for rows and columns: one value, two, or each under its own name."""
    found = settings.get(name, unset)
    pair = found if isinstance(found, list) and len(found) == 2 else [found, found]
    stem = name.removesuffix("_size")
    return [settings.get(f"{stem}_{axis}", value) for axis, value in zip("hw", pair, strict=True)]


def _check(layer: Layer, expected: Mapping[str, object], unset: Mapping[str, object]) -> None:
    """Raises Unfit where a setting is another."""
    for name, value in expected.items():
        found = _both(layer["settings"], name, unset.get(name))
        if found != [value, value]:
            shown = found[0] if found[0] == found[1] else found
            raise Unfit(f"the {name} of {layer['name']} is {shown}, not {value}")


def _check_lrn(layer: Layer, power: Layer | None) -> None:
    """(2 + 5e-4 / 5 s)^-0.75, from which 2^-0.75 may be taken out into a Power layer."""
    settings = layer["settings"]
    if not settings and not (power and power["settings"]):
        return
    constant = settings.get("k", 1.0)
    outside = power["settings"].get("scale", 1.0) if power else 1.0
    known = (
        settings.get("local_size", 5) == 5
        and not settings.get("norm_region")
        and near(settings.get("beta", 0.75), 0.75)
        and any(near(constant, k) and near(outside, (k / 2) ** 0.75) for k in (1, 2))
        and near(settings.get("alpha", 1.0), 5e-4 / 2 * constant)
    )
    if not known:
        raise Unfit(f"{layer['name']} is not the LRN of Krizhevsky et al. 2012")
