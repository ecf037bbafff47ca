"""`vggnet describe`: what a network costs, layer by layer, and where it goes.

In: a configuration's name and how it is varied. Out: a table with bars for the share of each
layer in parameters and MACs, then the totals; or the same as JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from math import prod
from typing import Annotated

import typer
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from vggnet.analysis import BYTES_PER_ELEMENT, IN_PLACE, Analysis, LayerCost, analyze
from vggnet.cli.output import Format, FormatOption, print_json, standard_output
from vggnet.spec import Spec, configuration

_LONGEST_BAR = 20  # characters


class Head(str, Enum):
    fc = "fc"
    average = "average"


def describe(
    name: Annotated[str, typer.Argument(help="A, A-LRN, B, C, D, E, AlexNet, vgg16, vgg16_bn ...")],
    input_size: Annotated[
        str | None, typer.Option(metavar="N|HxW", help="Picture's size in pixels: 224, 256x320.")
    ] = None,
    width: Annotated[float, typer.Option(help="Factor for the channels of each layer.")] = 1.0,
    classes: Annotated[int | None, typer.Option(help="Number of classes.")] = None,
    head: Annotated[
        Head | None, typer.Option(help="Three FC layers, or global average and one.")
    ] = None,
    batch_norm: Annotated[bool, typer.Option("--batch-norm", help="With batch norm.")] = False,
    format: FormatOption = Format.table,
) -> None:
    """Show a network's layers: shapes, parameters, MACs, receptive fields, and their shares."""
    spec = _spec(name).scaled(
        width=width,
        num_classes=classes,
        head=None if head is None else head.value,
        batch_norm=True if batch_norm else None,
    )
    analysis = analyze(spec, None if input_size is None else _parse_size(input_size))
    if format is Format.json:
        print_json(analysis.to_json())
        return
    console = standard_output()
    console.print(_fitted(analysis, console))
    console.print()
    for line in _totals(analysis):
        console.print(line, soft_wrap=True)


def _spec(name: str) -> Spec:
    return configuration(name)


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]+)(?:x([0-9]+))?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(f"input size {text!r}: give a side or HEIGHTxWIDTH, as 224 or 256x320")
    return int(match[1]), int(match[2] or match[1])


def _fitted(analysis: Analysis, console: Console) -> Table:
    """The table with bars as long as the terminal has room for.

    Where it is too narrow even without bars, lines grow over its edge: no digit is cut off.
    """
    bare = _table(analysis, console, bar_width=0)
    needed = console.measure(bare, options=console.options.update(max_width=1000)).maximum
    if needed > console.width:
        console.width = needed
    bar_width = min(_LONGEST_BAR, max(0, (console.width - needed - 2) // 2))
    return _table(analysis, console, bar_width)


def _table(analysis: Analysis, console: Console, bar_width: int) -> Table:
    roomy = console.width >= 100  # a column more, and wider gaps
    bars = _Bars(bar_width, console.options.ascii_only)
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 2 if roomy else 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        title=Text(f"{analysis.spec.name} on {_dimensions(analysis.input[1:])} pixels\n"),
        title_justify="left",
        show_footer=True,
    )

    def column(header: str, footer: str = "", justify: JustifyMethod = "right") -> None:
        table.add_column(header, footer, justify=justify, no_wrap=True)

    column("layer", "total", "left")
    column("kernel", "", "left")
    column("output")
    column("parameters", f"{analysis.parameters:,}")
    column("share", "", "left")
    column("MACs", _short(analysis.macs))
    column("share", "", "left")
    if roomy:
        column("activations", _short(analysis.activations))
    column("field")
    column("jump")

    picture = [_short(prod(analysis.input))] if roomy else []
    table.add_row("input", "", _dimensions(analysis.input), "", "", "", "", *picture, "1", "1")
    for layer in analysis.layers:
        if layer.type in IN_PLACE:
            continue
        table.add_row(
            layer.name,
            _kernel(layer),
            _dimensions(layer.output),
            f"{layer.parameters:,}" if layer.parameters else "",
            bars.draw(layer.parameters / analysis.parameters),
            _short(layer.macs) if layer.macs else "",
            bars.draw(layer.macs / analysis.macs),
            *([_short(layer.activations)] if roomy else []),
            str(layer.receptive_field),
            str(layer.jump),
        )
    return table


@dataclass(frozen=True)
class _Bars:
    """Draws shares of 1: a percentage, and a bar of which `width` characters are the whole."""

    width: int
    ascii_only: bool

    def draw(self, share: float) -> str:
        if not share:
            return ""
        eighths = round(8 * self.width * share)
        bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8]
        if self.ascii_only:
            bar = "#" * round(eighths / 8)
        return f"{share:6.1%} {bar}".rstrip()


def _totals(analysis: Analysis) -> list[str]:
    """The sums to the unit, and where most of them lies."""
    heaviest = max(analysis.layers, key=lambda layer: layer.parameters)
    conv = analysis.of_type("conv")
    peak = f"{_mebibytes(analysis.peak_activations)} at most ({analysis.peak_layer.name})"
    return [
        f"parameters   {analysis.parameters:,}, {_mebibytes(analysis.parameters)} in fp32; "
        f"{heaviest.name} holds {heaviest.parameters / analysis.parameters:.1%}",
        f"MACs         {analysis.macs:,}; convolutions do {conv.macs / analysis.macs:.1%}",
        f"FLOPs        {analysis.flops:,}, counted as 2 x MACs",
        f"activations  {peak}; training keeps {_mebibytes(analysis.activations)} a picture",
    ]


def _kernel(layer: LayerCost) -> str:
    """The side and, where it is not 1, the stride: 3x3, 11x11/4."""
    if layer.type not in ("conv", "maxpool", "avgpool", "fc"):
        return ""
    stride = f"/{layer.stride}" if layer.stride > 1 else ""
    return f"{layer.kernel}x{layer.kernel}{stride}"


def _dimensions(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def _short(count: int) -> str:
    """Three digits and G, M or K: 1.85 G, 925 M, 86.7 M."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if count >= unit:
            scaled = count / unit
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {letter}"
    return str(count)


def _mebibytes(elements: int) -> str:
    return f"{elements * BYTES_PER_ELEMENT / 2**20:,.1f} MiB"
