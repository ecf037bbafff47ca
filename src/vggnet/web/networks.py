"""Answers about networks by name or in tokens: what they cost, their drawing, kernels in a row.

In: what was asked. Out: what `vggnet describe`, `draw` and `stack` give.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from vggnet.analysis import Analysis, analyze
from vggnet.configurations import configuration, configuration_names, spelled_out
from vggnet.drawing.costs import costs_table
from vggnet.drawing.fonts import system_font
from vggnet.drawing.network import network_scene
from vggnet.drawing.svg import svg
from vggnet.layers import LARGEST, TOKEN, nearest_token
from vggnet.spec import MAX_TOKENS, Spec, SpecError
from vggnet.stacks import KernelStack, compose
from vggnet.variants import parse_size, title_of
from vggnet.web.endpoint import HTML, PNG, SVG, Asked, Endpoint, File
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem, checking, one_line

LOADED = "loaded"  # what the model that is served is called among the configurations
_TOLD = 80  # characters of a token that is none

_CONFIG = Parameter(
    "config",
    "Give a network's name, such as D or vgg16_bn, loaded for the one that is served, or tokens of "
    "Table 1, such as conv3-64 / maxpool / FC-10, with white space at the end where there is but "
    "one; several of it are several networks",
    required=True, most=8, longest=20 * MAX_TOKENS,
)  # fmt: skip
_VARIATION = (
    Parameter("input_size", "Give the picture's size in pixels, as 224 or 256x320",
              pattern="^ *[0-9]{1,7}([xX×][0-9]{1,7})? *$"),
    Parameter("width", "Factor for the channels of each layer", "number", low=0.01, high=100),
    Parameter("batch_norm", "Whether a batch norm follows each convolution", "boolean"),
    Parameter("head", "Three FC layers, or a global average and one", choices=("fc", "average")),
    Parameter("classes", "Number of classes", "integer", low=1, high=LARGEST),
)  # fmt: skip
_NETWORKS = (_CONFIG, *_VARIATION)


def _titles(asked: Asked) -> list[dict[str, str]]:
    named = [{"name": name, "title": title_of(configuration(name), name)}
             for name in configuration_names()]  # fmt: skip
    return [{"name": LOADED, "title": asked.service.name}, *named]


def _analyses(asked: Asked) -> list[Analysis]:
    values = asked.values
    size = None if values["input_size"] is None else parse_size(values["input_size"])
    return [_analysis(asked, text, size) for text in values["config"]]


def _analysis(asked: Asked, text: str, size: tuple[int, int] | None) -> Analysis:
    """Raises Problem, which says where in `text` the token stands that is at fault.

    The model that is served is described as it looks at pictures, by default.
    """
    values = asked.values
    is_loaded = text.strip() == LOADED
    try:
        spec = asked.model.spec if is_loaded else _spec(text)
        width = 1.0 if values["width"] is None else values["width"]
        varied = spec.scaled(
            width=width, num_classes=values["classes"], head=values["head"],
            batch_norm=values["batch_norm"],
        )  # fmt: skip
        crop = asked.model.preprocessing.crop
        if size is None and is_loaded and varied.any_size and crop is not None:
            size = (crop, crop)
        return analyze(varied, size)
    except SpecError as error:
        bad = error.code == "bad-token"
        told, place = _bad_tokens(text) if bad else _place(text, error.token)
        raise Problem(422, one_line(error), error.code, values=told, **place) from None
    except ValueError as error:
        raise Problem(422, one_line(error), "network") from None


def _spec(text: str) -> Spec:
    """A configuration; a text with white space, at its end too, that names none is tokens."""
    try:
        return configuration(text)
    except SpecError:
        raise
    except ValueError as error:
        if re.search(r"\s", text):
            return spelled_out(text)
        name = {"network": text}
        raise Problem(422, one_line(error), "unknown-network", values=name) from None


def _tokens(text: str) -> list[tuple[str, dict[str, int]]]:
    """Each token of the text with its line and column, from 1 on."""
    found = []
    for each in re.finditer(r"\S+", text):
        if each[0] != "/":
            before = text[: each.start()].split("\n")
            found.append((each[0], {"line": len(before), "column": len(before[-1]) + 1}))
    return found


def _place(text: str, token: int | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """A token that stands in the text, and where; or nothing."""
    tokens = _tokens(text)
    if token is None or token >= len(tokens):
        return {}, {}
    told, place = tokens[token]
    return {"token": told[:_TOLD]}, {**place}


def _bad_tokens(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is none of Table 1's, each with what may have been meant; where, the first first."""
    wrong = [(token, place) for token, place in _tokens(text) if not TOKEN.fullmatch(token)]
    told = [{"token": token[:_TOLD], "meant": nearest_token(token)} for token, _ in wrong]
    places = [place for _, place in wrong]
    # A "/" that parts nothing is no token of these, and all that is wrong then.
    return {"tokens": told}, {**places[0], "places": places} if places else {}


def _describe(asked: Asked) -> Any:
    found = [each.to_json() for each in _analyses(asked)]
    return found if len(found) > 1 else found[0]


def _table(asked: Asked) -> Any:
    found = [each.to_json() for each in _analyses(asked)]
    language = asked.values["language"]
    tables = (costs_table(each, number, language) for number, each in enumerate(found))
    return {"html": "\n".join(tables)}


def _draw(asked: Asked) -> File:
    analyses = _analyses(asked)
    names, kind = asked.values["config"], asked.values["format"]
    language = asked.values["language"]
    if kind == "png" and language == "zh" and system_font(1) is None:
        language = "en"  # rather than question marks
    drawn = [
        analysis.drawn(title_of(analysis.spec, name))
        for analysis, name in zip(analyses, names, strict=True)
    ]
    scene = network_scene(drawn, language, bool(asked.values["legend"]))
    # A page with scripts of its own is saved: here none may run but those of the explorer.
    saved = asked.values["download"] or kind == "html"
    name = f"{_file_name(analyses)}.{kind}" if saved else None
    if kind == "png":
        from vggnet.drawing.maps import png
        from vggnet.drawing.raster import raster

        with checking():
            picture = raster(scene)
        return File(png(picture), PNG, name)
    if kind == "html":
        from vggnet.drawing.page import page

        text = page(svg(scene), [each.to_json() for each in analyses], language)
        return File(text.encode(), HTML, name)
    return File(svg(scene).encode(), SVG, name)


def _file_name(analyses: list[Analysis]) -> str:
    names = "-and-".join(each.spec.name for each in analyses)
    return re.sub(r"[^A-Za-z0-9_-]+", "-", names)[:80].strip("-") or "network"


def _stack(asked: Asked) -> Any:
    values = asked.values
    side = values["size"]
    with checking():
        stack = KernelStack(
            tuple(values["kernels"]), values["channels"], values["out_channels"],
            values["mid_channels"], (side, side),
        )  # fmt: skip
    return stack.to_json()


def _compose(asked: Asked) -> Any:
    """Kernels of one channel, of normal numbers, and the one that they equal."""
    generator = np.random.default_rng(asked.values["seed"])
    kernels = [
        generator.standard_normal((1, 1, side, side)) / side for side in asked.values["kernels"]
    ]
    composed = compose(kernels)
    return {
        "kernels": [kernel[0, 0].tolist() for kernel in kernels],
        "composed": composed[0, 0].tolist(),
    }


_FORMAT = Parameter("format", "What is drawn: svg, png or html", default="svg",
                    choices=("svg", "png", "html"))  # fmt: skip
_LANGUAGE = Parameter("language", "Of the words: en, or zh; a png is in English where the server "
                      "has no font for zh", default="en", choices=("en", "zh"))  # fmt: skip
_LEGEND = Parameter("legend", "Whether what the colours mean stands beneath", "integer", default=1,
                    low=0, high=1)  # fmt: skip
_DESCRIBED = ("name", "input", "parameters", "macs", "layers")
ENDPOINTS = (
    Endpoint("/api/networks", "GET", "All networks that have a name", _titles,
             members=("name", "title")),
    Endpoint("/api/describe", "GET", "What networks cost, layer by layer", _describe, _NETWORKS,
             members=_DESCRIBED),
    Endpoint("/api/describe", "POST", "The same, of an object of JSON", _describe, _NETWORKS,
             "object", members=_DESCRIBED),
    Endpoint("/api/table", "GET", "What networks cost, as a table of HTML", _table,
             (*_NETWORKS, _LANGUAGE), members=("html",)),
    Endpoint("/api/table", "POST", "The same, of an object of JSON", _table,
             (*_NETWORKS, _LANGUAGE), "object", members=("html",)),
    Endpoint(
        "/api/draw", "GET", "Networks as a drawing", _draw,
        (*_NETWORKS, _FORMAT, _LANGUAGE, _LEGEND,
         Parameter("download", "Whether it is to be saved", "integer", default=0, low=0, high=1)),
        gives=(SVG, PNG, HTML),
    ),
    Endpoint(
        "/api/stack", "GET", "Several kernels against the one of equal field", _stack,
        (
            Parameter("kernels", "Sides of the kernels, as 3,3,3", "integer", required=True, low=1,
                      high=LARGEST, most=64, joined=True),
            Parameter("channels", "Channels that go in", "integer", 512, low=1, high=LARGEST),
            Parameter("out_channels", "Channels that come out", "integer", low=1, high=LARGEST),
            Parameter("mid_channels", "Channels between", "integer", low=1, high=LARGEST),
            Parameter("size", "Side of the map in pixels", "integer", 14, low=1, high=LARGEST),
        ),
        members=("kernels", "channels", "receptive_field", "weights", "single"),
    ),
    Endpoint(
        "/api/compose", "GET", "The kernel that a stack without ReLU equals", _compose,
        (
            Parameter("kernels", "Sides of the kernels, as 3,3", "integer", required=True, low=1,
                      high=15, most=8, joined=True),
            Parameter("seed", "Which random kernels", "integer", 0, low=0, high=2**31 - 1),
        ),
        members=("kernels", "composed"),
    ),
)  # fmt: skip
