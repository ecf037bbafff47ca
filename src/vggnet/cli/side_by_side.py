"""Several networks beside each other, as Table 1 of the paper has them, and how sizes are written.

In: Analyses. Out: a table with a column a network: its layers, stage by stage, then its sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, zip_longest

from rich import box
from rich.console import Console
from rich.table import Table

from vggnet.analysis import BYTES_PER_ELEMENT, Analysis
from vggnet.drawing.quantities import short


def side_by_side(analyses: Sequence[Analysis], titles: Sequence[str], console: Console) -> Table:
    """Rows of the stages and of the sums; where the terminal is too narrow, lines grow over it."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("", no_wrap=True)
    for title in titles:  # a long one beneath the paper's name
        table.add_column(title.replace(" (", "\n(").replace(", ", ",\n"), no_wrap=True)
    stages = [_stages(analysis) for analysis in analyses]
    for number, cells in enumerate(zip_longest(*stages, fillvalue="")):
        table.add_row("" if number else "layers", *cells)
    table.add_section()
    for name, values in (
        ("input", [dimensions(each.input[1:]) for each in analyses]),
        ("weight layers", [str(_weight_layers(each)) for each in analyses]),
        ("parameters", [f"{each.parameters:,}" for each in analyses]),
        ("in fp32", [mebibytes(each.parameters) for each in analyses]),
        ("MACs", [short(each.macs) for each in analyses]),
        ("activations", [mebibytes(each.activations) for each in analyses]),
        ("field", [str(_field(each)) for each in analyses]),
    ):
        table.add_row(name, *values)
    unbounded = console.options.update(max_width=1000)
    console.width = max(console.width, console.measure(table, options=unbounded).maximum)
    return table


def _stages(analysis: Analysis) -> list[str]:
    """What stands between two pools in one cell, a line a layer; a pool in a cell of its own."""
    cells = []
    for pools, group in groupby(analysis.spec.tokens, lambda token: "pool" in token):
        tokens = list(group)
        cells += tokens if pools else ["\n".join(tokens)]
    return cells


def _weight_layers(analysis: Analysis) -> int:
    return sum(layer.type in ("conv", "fc") for layer in analysis.layers)


def _field(analysis: Analysis) -> int:
    """Of the last feature map, whose units see part of the picture."""
    seen = [layer for layer in analysis.layers if layer.type in ("conv", "maxpool")]
    return seen[-1].receptive_field


def dimensions(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def mebibytes(elements: int) -> str:
    """Of elements in fp32."""
    return f"{elements * BYTES_PER_ELEMENT / 2**20:,.1f} MiB"
