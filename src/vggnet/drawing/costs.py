"""What a network costs, as an HTML table: one row a layer, with shares and sums.

In: what `Analysis.to_json` gives. Out: a <table> that reads well alone, in a page or a notebook;
page/sorting.js sorts it and page/selection.js joins it with the drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import prod
from typing import Any

from vggnet.drawing.language import Language, said
from vggnet.drawing.quantities import dimensions, grouped, short
from vggnet.drawing.theme import LIGHT, MEANINGS, ROLES

_IN_PLACE = ("relu", "dropout")
_BAR = 120  # pixels of a share of 1
_HEADERS = (  # with the class of the column
    ("layer", "name"), ("kernel", "name"), ("output", "name"), ("parameters", "number"),
    ("share", "share"), ("MACs", "number"), ("share", "share"), ("activations", "number"),
    ("field", "number"), ("jump", "number"),
)  # fmt: skip


def costs_table(described: Mapping[str, Any], network: int = 0, language: Language = "en") -> str:
    """The table of the network that is drawn as number `network`."""
    headers = "".join(
        f'<th scope="col" class="{kind}">{said(name, language)}</th>' for name, kind in _HEADERS
    )
    rows = [
        _row(layer, network, language)
        for layer in described["layers"]
        if layer["type"] not in _IN_PLACE
    ]
    total = [
        f'<td class="name">{said("total", language)}</td>', "<td></td>", "<td></td>",
        _number(described["parameters"]), "<td></td>",
        _number(described["macs"], short), "<td></td>",
        _number(described["activations"], short), "<td></td>", "<td></td>",
    ]  # fmt: skip
    return "\n".join(
        [
            f"<table><thead><tr>{headers}</tr></thead>",
            "<tbody>", _picture(described["input"], network, language), *rows, "</tbody>",
            f"<tfoot><tr>{''.join(total)}</tr></tfoot></table>",
        ]
    )  # fmt: skip


def _picture(shape: Sequence[int], network: int, language: Language) -> str:
    """The row of the input."""
    details = said(f"input: a picture of {dimensions(shape)}", language)
    cells = [_name(said("input", language), "input", language), _text(""),
             _text(dimensions(shape), prod(shape)), _number(0), _share(0), _number(0), _share(0),
             _number(prod(shape), short), _number(1), _number(1)]  # fmt: skip
    return _tr("input", network, details, cells)


def _row(layer: Mapping[str, Any], network: int, language: Language) -> str:
    output = dimensions(layer["output"])
    cells = [
        _name(layer["name"], ROLES[layer["type"]], language),
        _text(_kernel(layer)),
        _text(output, prod(layer["output"])),
        _number(layer["parameters"]),
        _share(layer["parameter_share"]),
        _number(layer["macs"], short),
        _share(layer["mac_share"]),
        _number(layer["activations"], short),
        _number(layer["receptive_field"]),
        _number(layer["jump"]),
    ]
    return _tr(layer["name"], network, said(_details(layer), language), cells)


def _tr(name: str, network: int, details: str, cells: Sequence[str]) -> str:
    return (
        f'<tr tabindex="-1" data-layers="{escape(name)}" data-network="{network}" '
        f'data-details="{escape(details)}">{"".join(cells)}</tr>'
    )


def _details(layer: Mapping[str, Any]) -> str:
    """All of a layer in a line: its shapes, its parameters and MACs as products written out."""
    parts = [f"{layer['name']}: {dimensions(layer['input'])} to {dimensions(layer['output'])}"]
    channels, positions = layer["output"][0], [side for side in layer["output"][1:] if side > 1]
    if layer["weights"] and layer["type"] in ("conv", "fc"):
        sides = [layer["kernel"]] * 2 if layer["type"] == "conv" else layer["input"][1:]
        product = _product([*sides, layer["input"][0], channels])
        biases, parameters = layer["biases"], grouped(layer["parameters"])
        parts.append(
            f"{product} + {biases} = {parameters} parameters ({layer['parameter_share']:.1%})"
        )
        product = _product([*sides, layer["input"][0], channels, *positions])
        parts.append(f"{product} = {grouped(layer['macs'])} MACs ({layer['mac_share']:.1%})")
    elif layer["parameters"]:
        parts.append(f"{grouped(layer['parameters'])} parameters ({layer['parameter_share']:.1%})")
    field = grouped(layer["receptive_field"])
    parts.append(f"a unit sees {field} × {field} pixels, {layer['jump']} from its neighbour's")
    return "; ".join(parts)


def _product(factors: Sequence[int]) -> str:
    return " × ".join(map(str, factors))


def _kernel(layer: Mapping[str, Any]) -> str:
    if layer["type"] in ("fc", "avgpool"):
        return dimensions(layer["input"][1:])
    if layer["type"] not in ("conv", "maxpool"):
        return ""
    stride = f" /{layer['stride']}" if layer["stride"] > 1 else ""
    return f"{layer['kernel']}×{layer['kernel']}{stride}"


def _name(name: str, role: str, language: Language) -> str:
    """With a square in the colour of the drawing."""
    meaning = said(MEANINGS[role], language)
    square = (
        f'<svg class="kind" width="10" height="10" role="img" aria-label="{meaning}">'
        f'<rect width="10" height="10" fill="{LIGHT[role]}"/></svg>'
    )
    return f'<td class="name">{square}{escape(name)}</td>'


def _text(text: str, value: int | None = None) -> str:
    given = "" if value is None else f' data-value="{value}"'
    return f'<td class="name"{given}>{text}</td>'


def _number(count: int, shown: Any = grouped) -> str:
    exact = f' title="{grouped(count)}"' if shown is short and count >= 1000 else ""
    return f'<td data-value="{count}"{exact}>{shown(count) if count else ""}</td>'


def _share(share: float) -> str:
    if not share:
        return '<td class="share" data-value="0"></td>'
    bar = (
        f'<svg class="of-one" width="{_BAR}" height="10" viewBox="0 0 {_BAR} 10" '
        f'preserveAspectRatio="none" aria-hidden="true"><rect class="bar" fill="#0072B2" '
        f'width="{_BAR * share:.1f}" height="10"/></svg>'
    )
    percent = f'<span class="percent">{share:.1%}</span>'
    return f'<td class="share" data-value="{share:.6f}">{percent} {bar}</td>'
