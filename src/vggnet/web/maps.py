"""What the network computed of pictures on the way: maps, one value, where a channel is large.

In: pictures, and which layer. Out: plain values.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.layers import LARGEST, Layer
from vggnet.units import Field, field_of, most_exciting, unit_sum
from vggnet.web.endpoint import Asked, Endpoint
from vggnet.web.given import SIZE, Prepared, check_layer, prepared, view
from vggnet.web.matrices import matrix
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem, checking
from vggnet.web.uploads import Upload

_SHOWN_CHANNELS = 8  # of a convolution's input, those that add most to a unit


def _prepared(asked: Asked, upload: Upload) -> Prepared:
    preprocessing = view(asked.model, asked.values["size"])
    if asked.values["viewed"]:
        preprocessing = replace(preprocessing, resize=None)  # and its crop cuts nothing off
    return prepared(asked.service, preprocessing, upload)


def _layer(asked: Asked, image_CHW: NDArray[np.float32]) -> Layer:
    """The layer that was asked for, for such a picture; its channel too, if one was asked for."""
    name, channel = asked.values["layer"], asked.values.get("channel", 0)
    check_layer(asked.model.spec, name)
    layer = next(
        each for each in asked.model.spec.layers_at(*image_CHW.shape[1:]) if each.name == name
    )
    if channel >= layer.output[0]:
        raise Problem(422, f"parameter channel, {channel}: {name} has {layer.output[0]}")
    return layer


def _features(asked: Asked) -> Any:
    """A part of a layer's maps, no more than there is room for in an answer."""
    image_CHW = _prepared(asked, asked.picture).image_CHW
    layer = _layer(asked, image_CHW)
    channels, height, width = layer.output
    first, last = _range(asked.values["channels"], channels)
    most = max(1, asked.service.limits.numbers // (height * width))
    if last - first > most:
        raise Problem(
            422, f"parameter channels, {first}:{last}: ask for {most} maps of {height}x{width} or "
            "fewer at a time",
        )  # fmt: skip
    maps_CHW = asked.model.features(image_CHW[np.newaxis], [layer.name])[layer.name][0]
    maps_CHW = maps_CHW.reshape(layer.output)[first:last]
    return {
        "layer": layer.name,
        "channels": channels,
        "height": height,
        "width": width,
        "size": list(image_CHW.shape[1:]),
        "first": first,
        "signed": bool((maps_CHW < 0).any()),
        "largest": float(np.abs(maps_CHW).max()),
        "maps": [matrix(each) for each in maps_CHW],
    }


def _range(text: str, channels: int) -> tuple[int, int]:
    """First and last of "0:64", of which the last is not among them and may be beyond the end."""
    first, _, last = text.partition(":")
    start, end = int(first), min(int(last), channels)
    if start >= end:
        raise Problem(422, f"parameter channels, {text}: the layer has 0:{channels}")
    return start, end


def _unit(asked: Asked) -> Any:
    """One value, and of a convolution how it comes about."""
    values = asked.values
    image_CHW = _prepared(asked, asked.picture).image_CHW
    layer = _layer(asked, image_CHW)
    channel, row, column = values["channel"], values["row"], values["column"]
    size = (image_CHW.shape[1], image_CHW.shape[2])
    with checking():
        field = field_of(asked.model.spec, layer.name, row, column, size)
    found: dict[str, Any] = {
        "layer": layer.name, "type": layer.kind, "channel": channel, "row": row, "column": column,
        "field": _field(field, size), "size": list(size), "bias": None, "sum_of_products": None,
        "shown": [], "patch": [], "kernel": [], "products_by_channel": [],
    }  # fmt: skip
    if layer.kind != "conv":
        maps_CHW = asked.model.features(image_CHW[np.newaxis], [layer.name])[layer.name][0]
        return {**found, "value": float(maps_CHW.reshape(layer.output)[channel, row, column])}
    unit = unit_sum(asked.model, image_CHW, layer.name, channel, row, column)
    sums_C = unit.products_CYX.sum(axis=(1, 2), dtype=np.float64)
    order = np.argsort(-np.abs(sums_C), kind="stable")
    shown = [int(each) for each in order[:_SHOWN_CHANNELS]]
    return {
        **found,
        "value": unit.value,
        "bias": unit.bias,
        "sum_of_products": unit.value - unit.bias,
        "shown": shown,
        "patch": unit.patch_CYX[shown].tolist(),
        "kernel": unit.kernel_CYX[shown].tolist(),
        "products_by_channel": [
            {"channel": int(each), "sum": float(sums_C[each])} for each in order
        ],
    }


def _field(field: Field, size: tuple[int, int]) -> dict[str, Any]:
    """What lies within the picture, in pixels of the view."""
    part = field.cut(*size)
    return {
        "left": part.left,
        "top": part.top,
        "width": max(0, part.right - part.left),
        "height": max(0, part.bottom - part.top),
        "cut": part != field,
        "receptive_field": field.bottom - field.top,
    }


def _excite(asked: Asked) -> Any:
    values = asked.values
    images = [_prepared(asked, upload).image_CHW for upload in asked.pictures]
    _layer(asked, images[0])
    found = most_exciting(asked.model, images, values["layer"], values["channel"], values["top"])
    size = (images[0].shape[1], images[0].shape[2])
    return {
        "layer": values["layer"],
        "channel": values["channel"],
        "size": list(size),
        "patches": [
            {
                "image": each.image,
                "name": asked.pictures[each.image].name,
                "value": each.value,
                "row": each.row,
                "column": each.column,
                "field": _field(each.field, size),
            }
            for each in found
        ],
    }


_LAYER = Parameter("layer", "Name of a layer, such as conv3_3", required=True)
_VIEWED = Parameter("viewed", "The picture is an answer of /api/view at this size: it is not "
                    "rescaled again", "boolean", default=False)  # fmt: skip
_CHANNEL = Parameter("channel", "Channel, from 0 on", "integer", required=True, low=0, high=LARGEST)
_AT = tuple(
    Parameter(
        name, f"Position in the map, from 0 on: its {name}", "integer", 0, low=0, high=LARGEST
    )
    for name in ("row", "column")
)
ENDPOINTS = (
    Endpoint(
        "/api/features", "POST", "The maps of a layer", _features,
        (_LAYER, SIZE, _VIEWED,
         Parameter("channels", "First and last channel, as 0:64", default="0:64",
                   pattern="^[0-9]{1,7}:[0-9]{1,7}$")),
        "picture", members=("layer", "channels", "height", "width", "maps"), threads="pictures",
    ),
    Endpoint(
        "/api/unit", "POST", "One value of a layer, what it sees and how it comes about", _unit,
        (_LAYER, _CHANNEL, *_AT, SIZE, _VIEWED),
        "picture", members=("layer", "channel", "row", "column", "value", "field"),
        threads="pictures",
    ),
    Endpoint(
        "/api/excite", "POST", "Where in pictures a channel is largest", _excite,
        (_LAYER, _CHANNEL, SIZE, _VIEWED,
         Parameter("top", "Places", "integer", 9, low=1, high=64)),
        "pictures", members=("patches",), threads="slow",
    ),
)  # fmt: skip
