"""Answers about the model that is served: what it is, and what is measured on it.

In: what was asked. Out: plain values.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any

import numpy as np

from vggnet import __version__, engines
from vggnet.analysis import analyze
from vggnet.attribution import map_layer
from vggnet.drawing.maps import filter_pixels
from vggnet.explain import METHODS
from vggnet.layer_times import layer_times
from vggnet.model import Model
from vggnet.units import check_has_map, effective_field
from vggnet.web.endpoint import Asked, Endpoint
from vggnet.web.given import check_layer, check_torch, view
from vggnet.web.matrices import matrix
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem, checking

_EXAMPLE = Path(__file__).parent / "examples" / "cat.jpg"
_MOST_BLOCKS = 12  # a side of the field, so that it takes seconds
_MOST_PIXELS = 256  # of a side on which a field is measured; larger fields are seen in part


def _model(asked: Asked) -> Any:
    service = asked.service
    model, spec = service.model, service.model.spec
    try:
        explained = map_layer(spec).name
    except ValueError:
        explained = None
    without_torch = engines.available()["torch"] is not None
    methods = [each for each in METHODS if not (each == "gradient" and without_torch)]
    if explained is None:
        methods = [each for each in methods if each != "grad-cam"]
    return {
        "weights": service.name,
        "architecture": spec.name,
        "tokens": list(spec.tokens),
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "threads": getattr(model.engine, "threads", None),
        "input_size": model.preprocessing.crop or spec.input_size,
        "minimum_size": spec.minimum_size,
        "any_size": spec.any_size,
        "classes": spec.num_classes,
        "layers": [
            {"name": layer.name, "type": layer.kind, "channels": layer.output[0]}
            for layer in spec.layers
        ],
        "methods": methods if spec.num_classes is not None else [],
        "explain_layer": explained,
        "version": __version__,
        "instruction_sets": list(engines.instruction_sets()),
    }


def _filters(asked: Asked) -> Any:
    """The kernels over a picture's colours."""
    model = asked.model
    first = model.spec.layers[0]
    if first.kind != "conv":
        raise Problem(422, f"the first layer of this network is {first.kind} and has no kernels")
    weights_OCYX = np.asarray(model.weights.state[f"{first.name}.weight"])
    pixels_OYXC, _ = filter_pixels(weights_OCYX, model.preprocessing.colour_order)
    return {
        "layer": first.name,
        "height": first.kernel,
        "width": first.kernel,
        "filters": [b64encode(each.tobytes()).decode("ascii") for each in pixels_OYXC],
    }


def _effective_field(asked: Asked) -> Any:
    """Measured on a photograph, with a side that the field just fits into, and kept."""
    layer, method = asked.values["layer"], asked.values["method"]
    kept = asked.service.kept
    key = ("effective field", layer, method)
    if key not in kept:
        model = asked.model
        check_layer(model.spec, layer)
        with checking():
            check_has_map(model.spec, layer)
        check_torch(method)
        side = _side_for(model, layer)
        images_NCHW = view(model, side)(_EXAMPLE.read_bytes(), _EXAMPLE.name)[np.newaxis]
        found = effective_field(model, images_NCHW, layer, method, _MOST_BLOCKS)
        kept[key] = {
            "layer": layer,
            "method": method,
            "receptive_field": found.theoretical,
            "effective_field": found.effective,
            "field": {
                "left": found.field.left,
                "top": found.field.top,
                "width": found.theoretical,
                "height": found.theoretical,
            },
            "values": matrix(found.values_HW, signed=False),
            "picture_side": found.values_HW.shape[0],
        }
    return kept[key]


def _side_for(model: Model, layer: str) -> int | None:
    """Pixels for the field of the unit in the middle; None for a net that has one size only."""
    if not model.spec.any_size:
        return None
    cost = next(each for each in analyze(model.spec).layers if each.name == layer)
    step = max(each.jump for each in analyze(model.spec).layers if each.type != "avgpool")
    needed = max(model.spec.minimum_size, cost.receptive_field + 2 * cost.jump)
    return min(_MOST_PIXELS, -(-needed // step) * step)


def _times(asked: Asked) -> Any:
    service = asked.service
    # Of the native engine itself the steps can be timed, not of what looks whether it is wanted.
    model = service.model if service.model.engine.name == "native" else asked.model
    image_CHW = model.preprocess(_EXAMPLE.read_bytes())[0]
    found = layer_times(model, image_CHW[np.newaxis])
    return {
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "input_size": image_CHW.shape[1],
        "config": model.spec.name,
        "layers": [
            {
                "name": each.layers[0],
                "computed_together": list(each.layers),
                "seconds": each.seconds,
                "macs": each.macs,
            }
            for each in found
        ],
    }


ENDPOINTS = (
    Endpoint("/api/model", "GET", "The model that is served", _model,
             members=("weights", "architecture", "tokens", "engine", "precision", "layers")),
    Endpoint("/api/filters", "GET", "The first layer's kernels as pictures", _filters,
             members=("layer", "filters", "height", "width")),
    Endpoint(
        "/api/effective-field", "GET", "What a unit does see of what it can see", _effective_field,
        (Parameter("layer", "Name of a layer with maps, such as conv4_3", required=True),
         Parameter("method", "How to measure; gradient needs torch", default="blocks",
                   choices=("blocks", "gradient"))),
        members=("layer", "receptive_field", "values", "picture_side"), threads="slow",
    ),
    Endpoint("/api/times", "GET", "How long each layer takes, measured now", _times,
             members=("engine", "precision", "layers"), threads="slow"),
)  # fmt: skip
