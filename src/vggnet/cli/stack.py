"""`vggnet stack`: several kernels against the one of equal field (Section 2.3 of the paper).

In: kernel sides and channel counts. Out: field, weights, non-linearities and MACs of both ways.
"""

from __future__ import annotations

import re
from reprlib import repr as short_repr

import click
from rich import box
from rich.console import Console, JustifyMethod
from rich.table import Table

from vggnet.cli.options import Whole, command, format_option
from vggnet.cli.output import Format, print_json
from vggnet.cli.tables import standard_output
from vggnet.stacks import KernelStack


@command(
    "vggnet stack 3 3 3                   # three 3x3 against one 7x7",
    "vggnet stack 5 5 --channels 64 --size 56",
)
@click.argument("kernels", metavar="KERNEL...", nargs=-1, required=True)
@click.option("--channels", type=Whole(), default=512, help="Channels that go in.")
@click.option("--out-channels", type=Whole(), help="Channels that come out.  [default: as go in]")
@click.option(
    "--mid-channels", type=Whole(), help="Channels between the kernels.  [default: as come out]"
)
@click.option("--size", type=Whole(), default=14, help="Side of the map in pixels, for the MACs.")
@format_option("table", "json")
def stack(
    kernels: tuple[str, ...],
    channels: int,
    out_channels: int | None,
    mid_channels: int | None,
    size: int,
    format: Format,
) -> None:
    """Compare a stack of small kernels with the one that sees as much.

    KERNEL is a side in pixels; several are applied one after the other.
    """
    sides = tuple(map(_side, kernels))
    result = KernelStack(sides, channels, out_channels, mid_channels, (size, size))
    if format == "json":
        print_json(result.to_json())
        return
    console = standard_output()
    console.print(_fitted(_table(result), console))
    console.print()
    for line in _conclusions(result):
        console.print(line, soft_wrap=not console.is_terminal)


def _side(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(
            f"kernel {short_repr(text)}: kernel sizes are whole numbers such as 3, which stands "
            "for 3x3"
        )
    return int(text)


def _fitted(table: Table, console: Console) -> Table:
    """The table, for which lines grow over the terminal's edge before a number would be broken."""
    unbounded = console.options.update(max_width=1000)
    console.width = max(console.width, console.measure(table, options=unbounded).minimum)
    return table


def _table(result: KernelStack) -> Table:
    formula, single_formula = result.symbolic()
    field = result.receptive_field
    ends = (result.channels[0], result.channels[-1])
    height, width = result.size
    rows = [
        ("kernels", " ".join(f"{k}x{k}" for k in result.kernels), f"{field}x{field}"),
        ("channels", *(" > ".join(map(str, chain)) for chain in (result.channels, ends))),
        ("receptive field", str(field), str(field)),
        ("weights", f"{result.weights:,}", f"{result.single_weights:,}"),
        ("", formula, single_formula),
        ("non-linearities", str(result.nonlinearities), "1"),
        (f"MACs at {height} x {width}", f"{result.macs:,}", f"{result.single_macs:,}"),
    ]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header, cells in zip(("", "stack", "single"), zip(*rows, strict=True), strict=True):
        words = [word for cell in cells for word in (cell.split() if header else [cell])]
        justify: JustifyMethod = "right" if header else "left"
        table.add_column(header, justify=justify, min_width=max(map(len, words)))
    for row in rows:
        table.add_row(*row)
    return table


def _conclusions(result: KernelStack) -> list[str]:
    if result.ratio < 1:
        verdict = f"the single one has {1 / result.ratio - 1:.0%} more"
    elif result.ratio > 1:
        verdict = f"the stack has {result.ratio - 1:.0%} more"
    else:
        verdict = "both have the same"
    lines = [f"stack / single = {result.ratio:.3f} in weights and MACs: {verdict}"]
    mid, out = result.crossover_mid_channels, result.crossover_out_channels
    before, after = result.channels[0], result.channels[-1]
    if mid is not None:
        lines.append(
            f"{before} > {after} channels: the stack costs less with fewer than {mid:,.1f} between"
        )
    if out is not None:
        lines.append(
            f"{before} channels widened by the first kernel: the stack costs less with fewer than "
            f"{out:,.1f} out"
            if out
            else "widened by the first kernel, the stack never costs less"
        )
    return lines
