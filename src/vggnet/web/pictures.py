"""Answers about pictures: what is on them, and what the network computed on the way.

In: pictures and what was asked. Out: plain values, or a picture.
"""

from __future__ import annotations

import asyncio
import time
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.class_lists import find_class, in_language
from vggnet.drawing.maps import png
from vggnet.explain import METHODS, explain, in_pixels
from vggnet.image import PictureError, open_picture
from vggnet.layers import LARGEST, Layer
from vggnet.model import Model, Prediction
from vggnet.preprocess import Preprocess
from vggnet.units import Field, field_of, most_exciting, unit_sum
from vggnet.web import problems
from vggnet.web.endpoint import JSON, PNG, Asked, Endpoint, File, Service
from vggnet.web.matrices import matrix
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem
from vggnet.web.uploads import Upload

_SHOWN_CHANNELS = 8  # of a convolution's input, those that add most to a unit
_SIZE = Parameter("size", "Side in pixels of what the network is given", "integer", low=1, high=448)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the network is given of a picture, and where that lies in the picture."""

    image_CHW: NDArray[np.float32]
    photograph: tuple[int, int]  # width and height in pixels
    crop: tuple[float, float, float, float]  # left, top, width, height


def prepared(service: Service, preprocessing: Preprocess, upload: Upload) -> Prepared:
    """Raises PictureError for a picture that cannot be used, before it is decoded if possible."""
    rgb = open_picture(upload.data, upload.name, service.limits.pixels)
    image_CHW = preprocessing(rgb, upload.name)
    try:
        service.model.spec.layers_at(*image_CHW.shape[1:])
    except ValueError as error:
        raise PictureError(f"{upload.name}: {error}") from None
    return Prepared(image_CHW, rgb.size, preprocessing.seen(*rgb.size))


def view(model: Model, size: int | None) -> Preprocess:
    """The model's view in `size` pixels, by default its own.

    Raises Problem for another size of a net that has only one, and for one that is too small.
    """
    own = model.preprocessing
    if size is None or size == own.crop:
        return own
    spec = model.spec
    if not spec.any_size:
        raise Problem(422, f"parameter size, {size}: this network takes {own.crop} pixels only")
    if size < spec.minimum_size:
        raise Problem(422, f"parameter size, {size}: give {spec.minimum_size} pixels or more")
    return in_pixels(own, size)


async def predictions(service: Service, uploads: tuple[Upload, ...], top: int) -> Any:
    """The classes of each picture, those of many requests computed together.

    A picture that cannot be used has its fault instead; where it is the only one, that is raised.
    """
    if service.model.spec.num_classes is None:
        raise Problem(422, "this network has no class scores, only features")
    start = time.perf_counter()
    found = await asyncio.gather(
        *(_predicted(service, each, top) for each in uploads), return_exceptions=True
    )
    answers = []
    for upload, each in zip(uploads, found, strict=True):
        if isinstance(each, PictureError) and len(uploads) > 1:
            answers.append(
                {"image": upload.name, "error": str(each), "status": problems.of(each).status}
            )
        elif isinstance(each, BaseException):
            raise each
        else:
            answers.append(each)
    milliseconds = 1000 * (time.perf_counter() - start)
    return [each if "error" in each else {**each, "milliseconds": milliseconds} for each in answers]


async def _predicted(service: Service, upload: Upload, top: int) -> dict[str, Any]:
    model = service.model
    ready = await service.quick.run(lambda _: prepared(service, model.preprocessing, upload))
    classes: list[Prediction] = await service.batcher.answer(ready.image_CHW)
    width, height = ready.photograph
    return {
        "image": upload.name,
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "weights": service.name,
        "predictions": [service.answer_json(each) for each in classes[:top]],
        "size": list(ready.image_CHW.shape[1:]),
        "photograph": {"width": width, "height": height},
        "crop": dict(zip(("left", "top", "width", "height"), ready.crop, strict=True)),
    }


def _view(asked: Asked) -> File:
    upload = asked.picture
    rgb = open_picture(upload.data, upload.name, asked.service.limits.pixels)
    preprocessing = view(asked.model, asked.values["size"])
    return File(png(preprocessing.rescale_and_crop(rgb, upload.name)), PNG)


def _prepared(asked: Asked, upload: Upload) -> Prepared:
    return prepared(asked.service, view(asked.model, asked.values["size"]), upload)


def _layer(asked: Asked, image_CHW: NDArray[np.float32]) -> Layer:
    """The layer that was asked for, for such a picture. Raises ValueError for none."""
    name = asked.values["layer"]
    asked.model.spec.check_names([name])
    return next(
        each for each in asked.model.spec.layers_at(*image_CHW.shape[1:]) if each.name == name
    )


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
    field = field_of(asked.model.spec, layer.name, row, column, size)
    if channel >= layer.output[0]:
        raise Problem(422, f"parameter channel, {channel}: {layer.name} has {layer.output[0]}")
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


def _explain(asked: Asked) -> Any:
    values, upload = asked.values, asked.picture
    rgb = open_picture(upload.data, upload.name, asked.service.limits.pixels)
    model = asked.model
    if values["size"] is not None:
        preprocessing = view(model, values["size"])
        model = copy(model)
        model.weights = replace(model.weights, preprocessing=preprocessing)
    target = None if values["class"] is None else _class(asked.service, values["class"])
    found = explain(model, rgb, values["method"], target=target, name=upload.name)
    if values["format"] == "png":
        return File(png(found.picture()), PNG)
    (shown,) = found.maps
    return {
        "method": shown.method,
        **shown.details,
        "positions": list(shown.values_HW.shape),
        "size": list(shown.size),
        "answer_size": list(found.size),
        "target": asked.service.answer_json(found.target),
        "probability_there": shown.probability,
        "values": matrix(shown.values_HW, shown.scale == "signed"),
        "signed": shown.scale == "signed",
        "empty": shown.emptiness if shown.empty else None,
        "caption": shown.caption,
    }


def _class(service: Service, text: str) -> int:
    """The index of a class, by its own or its Chinese name."""
    try:
        return find_class(service.labels, text)
    except ValueError:
        chinese = in_language(service.labels, "zh")
        if text.strip() not in [label.name for label in chinese]:
            raise
        return find_class(chinese, text)


def _predict(asked: Asked) -> Any:
    raise AssertionError("the application computes it in batches")


_LAYER = Parameter("layer", "Name of a layer, such as conv3_3", required=True)
_CHANNEL = Parameter("channel", "Channel, from 0 on", "integer", required=True, low=0, high=LARGEST)
_AT = tuple(
    Parameter(
        name, f"Position in the map, from 0 on: its {name}", "integer", 0, low=0, high=LARGEST
    )
    for name in ("row", "column")
)
PREDICT = Endpoint(
    "/api/predict", "POST", "What is on pictures", _predict,
    (Parameter("top", "Classes for each picture", "integer", 5, low=1, high=1000),), "pictures",
    members=("image",),
)  # fmt: skip
ENDPOINTS = (
    PREDICT,
    Endpoint("/api/view", "POST", "What the network is given of a picture", _view, (_SIZE,),
             "picture", (PNG,)),
    Endpoint(
        "/api/features", "POST", "The maps of a layer", _features,
        (_LAYER, _SIZE,
         Parameter("channels", "First and last channel, as 0:64", default="0:64",
                   pattern="^[0-9]{1,7}:[0-9]{1,7}$")),
        "picture", members=("layer", "channels", "height", "width", "maps"),
    ),
    Endpoint(
        "/api/unit", "POST", "One value of a layer, what it sees and how it comes about", _unit,
        (_LAYER, _CHANNEL, *_AT, _SIZE),
        "picture", members=("layer", "channel", "row", "column", "value", "field"),
    ),
    Endpoint(
        "/api/excite", "POST", "Where in pictures a channel is largest", _excite,
        (_LAYER, _CHANNEL, _SIZE,
         Parameter("top", "Places", "integer", 9, low=1, high=64)),
        "pictures", members=("patches",), slow=True,
    ),
    Endpoint(
        "/api/explain", "POST", "What on a picture made the network say so", _explain,
        (Parameter("method", "How to find out; gradient needs torch", default="grad-cam",
                   choices=METHODS),
         Parameter("class", "Name, WordNet id or index of a class; by default the first answer"),
         _SIZE,
         Parameter("format", "Numbers, or a picture", default="json", choices=("json", "png"))),
        "picture", (JSON, PNG), ("method", "positions", "size", "target", "values", "caption"),
        slow=True,
    ),
)  # fmt: skip
