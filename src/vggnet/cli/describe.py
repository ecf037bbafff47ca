"""`vggnet describe`: what a network costs, layer by layer, and where it goes.

In: a configuration's name or a weight file, and how it is varied. Out: a table with bars for the
share of each layer in parameters and MACs, then the totals; or the same as JSON.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from pathlib import Path
from reprlib import repr as short_repr

import click
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from vggnet.analysis import IN_PLACE, Analysis, LayerCost, analyze
from vggnet.cli.options import Real, Whole, command, format_option, precision_option
from vggnet.cli.output import Format, print_json
from vggnet.cli.plan import show_plan
from vggnet.cli.side_by_side import dimensions, mebibytes, short, side_by_side
from vggnet.cli.tables import standard_output
from vggnet.layers import LARGEST
from vggnet.spec import Head, Spec, configuration

_SHORTEST_BAR, _LONGEST_BAR = 8, 20  # characters for the whole, of which a bar is a share
# From roomy to narrow: blanks beside each column, and whether there is one for activations.
_LAYOUTS = ((1, True), (1, False), (0, False))


@command(
    "vggnet describe D",
    "vggnet describe A B C D E             # side by side, as Table 1 of the paper",
    "vggnet describe vgg16 --head average --classes 10 --input-size 64",
    "vggnet describe vgg16 --plan",
)
@click.argument("names", metavar="CONFIG-OR-WEIGHTS...", nargs=-1, required=True)
@click.option("--input-size", metavar="N|HxW", help="Size of the picture in pixels: 224, 256x320.")
@click.option("--width", type=Real(), default=1.0, help="Factor for the channels of each layer.")
@click.option("--classes", type=Whole(), help="Number of classes.")
@click.option(
    "--head",
    type=click.Choice(["fc", "average"]),
    help="Three FC layers, or a global average and one.",
)
@click.option("--batch-norm", is_flag=True, help="Put a batch norm after each convolution.")
@click.option("--plan", is_flag=True, help="Show how the native engine runs it here, instead.")
@precision_option
@format_option("table", "json")
def describe(
    names: tuple[str, ...],
    input_size: str | None,
    width: float,
    classes: int | None,
    head: Head | None,
    batch_norm: bool,
    plan: bool,
    precision: str,
    format: Format,
) -> None:
    """Show what a network costs, layer by layer.

    Shapes, parameters, MACs, receptive fields, and the share of each layer in the whole.

    CONFIG-OR-WEIGHTS is A, A-LRN, B, C, D, E, AlexNet, vgg11 to vgg19, each with _bn too; or
    whatever --weights takes elsewhere. Several of them are shown side by side.
    """
    specs = [
        _spec(name).scaled(
            width=width, num_classes=classes, head=head, batch_norm=True if batch_norm else None
        )
        for name in names
    ]
    size = None if input_size is None else _parse_size(input_size)
    if plan:
        if len(specs) > 1:
            raise ValueError(f"--plan is of one network, not of {len(specs)}: give one name")
        show_plan(specs[0], size, precision, format)
        return
    analyses = [analyze(spec, size) for spec in specs]
    if format == "json":
        found = [analysis.to_json() for analysis in analyses]
        print_json(found if len(found) > 1 else found[0])
        return
    console = standard_output()
    if len(analyses) > 1:
        console.print(side_by_side(analyses, console))
        return
    console.print(_fitted(analyses[0], names[0], console))
    console.print()
    for line in _totals(analyses[0]):
        console.print(line, soft_wrap=not console.is_terminal)


def _spec(name: str) -> Spec:
    """The configuration of that name, or the spec of an embedded model or of a weight file."""
    try:
        return configuration(name)
    except ValueError as error:
        from vggnet.weights.named import EMBEDDED, load_weights

        if name not in EMBEDDED and "://" not in name and not Path(name).exists():
            raise ValueError(f"{error}; nor is there a weight file of that name") from None
    return load_weights(name).spec


def _parse_size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,7})(?:x([0-9]{1,7}))?", text.strip(), re.IGNORECASE)
    if not match:
        raise ValueError(
            f"input size {short_repr(text)}: give a side or HEIGHTxWIDTH, as 224 or 256x320, "
            f"of at most {LARGEST:,}"
        )
    return int(match[1]), int(match[2] or match[1])


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
        title=Text(f"{_title(analysis.spec, name)} on {dimensions(analysis.input[1:])} pixels\n"),
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


def _title(spec: Spec, asked: str) -> str:
    """The paper's name, the one `asked` for where it is another configuration's name, and in what
    but the input size the spec differs from the paper's net.
    """
    try:
        paper = configuration(spec.name)
    except ValueError:
        return spec.name
    changes = [asked.strip()] if _is_other_name(asked, spec.name) else []
    if spec.batch_norm != paper.batch_norm:
        changes.append("batch norm" if spec.batch_norm else "no batch norm")
    head: Head | None = "average" if "avgpool" in spec.tokens else None
    width = _width(spec, paper.scaled(head=head, num_classes=spec.num_classes))
    if width is None:
        changes.append("other layers")
    elif width != 1:
        changes.append(f"width {width:.6g}")
    if head:
        changes.append("global average")
    if spec.num_classes != paper.num_classes:
        changes.append(f"{spec.num_classes:,} classes" if spec.num_classes else "no head")
    return f"{spec.name} ({', '.join(changes)})" if changes else spec.name


def _is_other_name(asked: str, name: str) -> bool:
    """Whether it is a configuration's name, and not only spelled in another case."""
    try:
        return configuration(asked).name == name and asked.strip().lower() != name.lower()
    except ValueError:
        return False


def _width(spec: Spec, paper: Spec) -> float | None:
    """A factor that makes the paper's channels the spec's, in the fewest digits; None: no such."""
    mine, papers = (
        [layer.output[0] for layer in each.layers if layer.kind in ("conv", "fc")]
        for each in (spec, paper)
    )
    if len(mine) != len(papers):
        return None
    pairs = list(zip(mine, papers, strict=True))[: -1 if spec.num_classes else None]
    # Each number was rounded, and none goes below 1.
    low = max(((count - 0.5) / of_paper for count, of_paper in pairs if count > 1), default=0.0)
    high = min((count + 0.5) / of_paper for count, of_paper in pairs)
    widths = (round((low + high) / 2, digits) for digits in range(1, 10))
    return next((w for w in widths if w > 0 and paper.scaled(w).tokens == spec.tokens), None)


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
