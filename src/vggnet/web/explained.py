"""What on a picture made the network say so.

In: a picture, and a class. Out: plain values, or a picture.
"""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import Any

from vggnet.attribution import check_classes, map_layer
from vggnet.class_lists import find_class, in_language
from vggnet.drawing.maps import png
from vggnet.explain import METHODS, explain
from vggnet.web.endpoint import JSON, PNG, Asked, Endpoint, File, Service
from vggnet.web.given import SIZE, check_torch, decoded, view
from vggnet.web.matrices import matrix
from vggnet.web.parameters import Parameter
from vggnet.web.problems import checking


def _explain(asked: Asked) -> Any:
    values, upload = asked.values, asked.picture
    model = asked.model
    if values["size"] is not None:
        preprocessing = view(model, values["size"])
        model = copy(model)
        model.weights = replace(model.weights, preprocessing=preprocessing)
    with checking():
        check_classes(model.spec, ())
        if values["method"] == "grad-cam":
            map_layer(model.spec)
    check_torch(values["method"])
    target = None
    if values["class"] is not None:
        with checking("unknown-class", **{"class": values["class"]}):
            target = _class(asked.service, values["class"])
            check_classes(model.spec, (target,))
    with decoded(asked.service, upload) as photograph:
        rgb = photograph  # others may be decoded while this is explained
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


ENDPOINTS = (
    Endpoint(
        "/api/explain", "POST", "What on a picture made the network say so", _explain,
        (Parameter("method", "How to find out; gradient needs torch", default="grad-cam",
                   choices=METHODS),
         Parameter("class", "Name, WordNet id or index of a class; by default the first answer"),
         SIZE,
         Parameter("format", "Numbers, or a picture", default="json", choices=("json", "png"))),
        "picture", (JSON, PNG), ("method", "positions", "size", "target", "values", "caption"),
        threads="slow",
    ),
)  # fmt: skip
