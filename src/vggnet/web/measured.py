"""Answers about the model that is served: what it is, and what is measured on it.

In: what was asked. Out: plain values.
"""

from __future__ import annotations

from typing import Any

from vggnet import __version__, engines
from vggnet.attribution import map_layer
from vggnet.explain import METHODS
from vggnet.web.endpoint import Asked, Endpoint


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


ENDPOINTS = (
    Endpoint("/api/model", "GET", "The model that is served", _model,
             members=("weights", "architecture", "tokens", "engine", "precision", "layers")),
)  # fmt: skip
