"""`vggnet describe`: what a network costs, layer by layer, and where it goes.

In: a configuration's name or a weight file, and how it is varied. Out: a table with bars for the
share of each layer in parameters and MACs, then the totals; or the same as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import click
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from vggnet.analysis import IN_PLACE, Analysis, LayerCost
from vggnet.cli.networks import NetworkChoice, network_options
from vggnet.cli.options import command, format_option, precision_option
from vggnet.cli.output import Format, print_json
from vggnet.cli.plan import show_plan
from vggnet.cli.side_by_side import dimensions, mebibytes, side_by_side
from vggnet.cli.tables import standard_output
from vggnet.drawing.quantities import short
from vggnet.variants import title_of

_SHORTEST_BAR, _LONGEST_BAR = 8, 20  # characters for the whole, of which a bar is a share
# From roomy to narrow: blanks beside each column, and whether there is one for activations.
_LAYOUTS = ((1, True), (1, False), (0, False))


@command(
    "vggnet describe D",
    "vggnet describe A B C D E             # side by side, as Table 1 of the paper",
    "vggnet describe vgg16 --head average --classes 10 --input-size 64",
    "vggnet describe vgg16 --plan",
)
@network_options
@click.option("--plan", is_flag=True, help="Show how the native engine runs it here, instead.")
@precision_option
@format_option("table", "json")
def describe(choice: NetworkChoice, plan: bool, precision: str, format: Format) -> None:
    """Show what a network costs, layer by layer.

    Shapes, parameters, MACs, receptive fields, and the share of each layer in the whole.

    CONFIG-OR-WEIGHTS is A, A-LRN, B, C, D, E, AlexNet, vgg11 to vgg19, each with _bn too; a net of
    your own in their tokens; tiny-imagenet, a weight file or the folder of a run. Several of them
    are shown side by side.
    """
    if plan:
        if len(choice.names) > 1:
            raise ValueError(f"--plan is of one network, not of {len(choice.names)}: give one name")
        show_plan(choice.specs()[0], choice.size(), precision, format)
        return
    analyses = choice.analyses()
    if format == "json":
        found = [analysis.to_json() for analysis in analyses]
        print_json(found if len(found) > 1 else found[0])
        return
    console = standard_output()
    if len(analyses) > 1:
        titles = [
            title_of(each.spec, name) for each, name in zip(analyses, choice.names, strict=True)
        ]
        console.print(side_by_side(analyses, titles, console))
        return
    console.print(_fitted(analyses[0], choice.names[0], console))
    console.print()
    for line in _totals(analyses[0]):
        console.print(line, soft_wrap=not console.is_terminal)


def _fitted(analysis: Analysis, name: str, console: Console) -> Table:
    """The roomiest table whose bars can be read, with bars as long as the terminal has room for.

    Where even the narrowest has no room, lines grow over the terminal's edge: no digit is cut off.
    """
    unbounded = console.options.update(max_width=1000)
    # The longest bar of each column, for bars of length 1.
    longest = max(layer.parameters for layer in analysis.layers) / analysis.parameters
    longest += max(layer.macs for layer in analysis.layers) / analysis.macs
    for padding, with_activations in _LAYOUTS:
        bare = _table(analysis, name, padding, with_activations, _Bars(0))
        needed = console.measure(bare, options=unbounded).maximum
        # Each column needs a blank before its bar, and a bar is rounded up to whole characters.
        length = min(_LONGEST_BAR, int((console.width - needed - 4) / longest))
        if length >= _SHORTEST_BAR:
            break
    console.width = max(console.width, needed)
    bars = _Bars(max(0, length), ascii_only=console.options.ascii_only)
    return _table(analysis, name, padding, with_activations, bars)


@dataclass(frozen=True)
class _Bars:
    """Draws shares of 1: a percentage, and a bar of which `length` characters are the whole."""

    length: int
    ascii_only: bool = False

    def draw(self, share: float) -> str:
        if not share:
            return ""
        eighths = round(8 * self.length * share)
        bar = "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8]
        if self.ascii_only:
            bar = "#" * round(eighths / 8)
        return f"{share:5.1%} {bar}".rstrip()


def _table(
    analysis: Analysis, name: str, padding: int, with_activations: bool, bars: _Bars
) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, padding, 0, 0),
        pad_edge=False,
        show_edge=False,
        title=Text(f"{title_of(analysis.spec, name)} on {dimensions(analysis.input[1:])} pixels\n"),
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
    column("MACs", short(analysis.macs))
    column("share", "", "left")
    if with_activations:
        column("activations", short(analysis.activations))
    column("field")
    column("jump")

    picture = [short(prod(analysis.input))] if with_activations else []
    table.add_row("input", "", dimensions(analysis.input), "", "", "", "", *picture, "1", "1")
    for layer in analysis.layers:
        if layer.type in IN_PLACE:
            continue
        table.add_row(
            layer.name,
            _kernel(layer),
            dimensions(layer.output),
            f"{layer.parameters:,}" if layer.parameters else "",
            bars.draw(layer.parameters / analysis.parameters),
            short(layer.macs) if layer.macs else "",
            bars.draw(layer.macs / analysis.macs),
            *([short(layer.activations)] if with_activations else []),
            str(layer.receptive_field),
            str(layer.jump),
        )
    return table


def _totals(analysis: Analysis) -> list[str]:
    """The sums to the unit, and where most of them lies."""
    heaviest = max(analysis.layers, key=lambda layer: layer.parameters)
    conv = analysis.of_type("conv")
    peak = f"{mebibytes(analysis.peak_activations)} live at most ({analysis.peak_layer.name})"
    return [
        f"parameters   {analysis.parameters:,}, {mebibytes(analysis.parameters)} in fp32; "
        f"{heaviest.name} holds {heaviest.parameters / analysis.parameters:.1%}",
        f"MACs         {analysis.macs:,}; convolutions do {conv.macs / analysis.macs:.1%}",
        f"FLOPs        {analysis.flops:,}, counted as 2 x MACs",
        f"activations  {peak}; training keeps {mebibytes(analysis.activations)} a picture",
    ]


def _kernel(layer: LayerCost) -> str:
    """The sides and, where it is not 1, the stride: 3x3, 11x11/4."""
    if layer.type in ("fc", "avgpool"):
        return dimensions(layer.input[1:])  # not square where the picture is not
    if layer.type not in ("conv", "maxpool"):
        return ""
    stride = f"/{layer.stride}" if layer.stride > 1 else ""
    return f"{layer.kernel}x{layer.kernel}{stride}"
