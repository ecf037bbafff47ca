"""The OpenAPI document, made of the declarations that requests are parsed by.

In: endpoints. Out: a document of OpenAPI 3.1 as plain values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vggnet import __version__
from vggnet.web.endpoint import JSON, Endpoint
from vggnet.web.parameters import Parameter
from vggnet.web.problems import MEDIA_TYPE

_REASONS = {
    "400": "The request cannot be read",
    "401": "The bearer token is missing or wrong",
    "403": "A request of another site",
    "408": "The body took too long",
    "413": "Too many bytes, pixels or pictures",
    "415": "Not a type that is taken",
    "421": "For another host",
    "422": "A parameter or a picture that cannot be used",
    "503": "Too much is asked for at the moment; Retry-After says when to try again",
}
_PICTURE = {"type": "string", "contentMediaType": "image/*"}
_ONE = {"image/*": {"schema": _PICTURE}, "application/octet-stream": {"schema": _PICTURE}}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, Any] = {}
    for each in endpoints:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "vggnet",
            "version": __version__,
            "description": "Networks of the VGG family: what they cost, answer and see.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


_PROBLEM = {
    "type": "object",
    "description": "RFC 9457: what went wrong, in one sentence.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "The name of a mistake, such as bad-token"},
        "values": {"type": "object", "description": "The words and numbers in its sentence"},
        "line": {"type": "integer", "description": "Of the token at fault, from 1 on"},
        "column": {"type": "integer", "description": "In characters, from 1 on"},
        "places": {
            "type": "array",
            "description": "Of all tokens that are none, where they are to be marked",
            "items": {
                "type": "object",
                "properties": {"line": {"type": "integer"}, "column": {"type": "integer"}},
            },
        },
    },
}


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.method.lower()}_{endpoint.path.strip('/').replace('/', '_')}",
        "responses": {
            "200": {"description": "The answer", "content": _content(endpoint)},
            **{status: _problem(reason) for status, reason in _REASONS.items()},
        },
    }
    if endpoint.takes == "object":
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": {
            "type": "object",
            "additionalProperties": False,
            "required": [each.name for each in endpoint.parameters if each.required],
            "properties": {each.name: each.schema() for each in endpoint.parameters},
        }}}}  # fmt: skip
        return operation
    operation["parameters"] = [_parameter(each) for each in endpoint.parameters]
    if endpoint.takes != "nothing":
        form = {
            "type": "object",
            "required": ["images"],
            "properties": {"images": {"type": "array", "minItems": 1, "items": _PICTURE}},
        }
        content: dict[str, Any] = {**_ONE, "multipart/form-data": {"schema": form}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(parameter: Parameter) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": parameter.name,
        "in": "query",
        "description": parameter.meaning,
        "required": parameter.required,
        "schema": parameter.schema(),
    }
    if parameter.most > 1:
        found |= {"style": "form", "explode": not parameter.joined}
    return found


def _content(endpoint: Endpoint) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for media_type in endpoint.gives:
        content[media_type] = {}
        if media_type == JSON:
            one = {"type": "object", "required": list(endpoint.members)}
            content[media_type]["schema"] = {"anyOf": [one, {"type": "array", "items": one}]}
    return content


def _problem(reason: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": reason, "content": {MEDIA_TYPE: {"schema": schema}}}
