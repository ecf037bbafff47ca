"""`vggnet stack`: several kernels against the one of equal field (Section 2.3 of the paper).

In: kernel sides and channel counts. Out: field, weights, non-linearities and MACs of both ways.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich import box
from rich.table import Table

from vggnet.cli.output import Format, FormatOption, print_json, standard_output
from vggnet.stacks import KernelStack


def stack(
    kernels: Annotated[
        list[int], typer.Argument(metavar="KERNEL...", help="Sides, in the order applied: 3 3 3.")
    ],
    channels: Annotated[int, typer.Option(help="Channels in, and out too by default.")] = 512,
    out_channels: Annotated[int | None, typer.Option(help="Channels out.")] = None,
    mid_channels: Annotated[
        int | None, typer.Option(help="Channels between the kernels; channels out by default.")
    ] = None,
    size: Annotated[int, typer.Option(help="Side of the map in pixels, for the MACs.")] = 14,
    format: FormatOption = Format.table,
) -> None:
    """Compare a stack of small kernels with the one large kernel that sees as much."""
    result = KernelStack(tuple(kernels), channels, out_channels, mid_channels, (size, size))
    if format is Format.json:
        print_json(result.to_json())
        return
    console = standard_output()
    console.print(_table(result))
    console.print()
    for line in _conclusions(result):
        console.print(line, soft_wrap=not console.is_terminal)


def _table(result: KernelStack) -> Table:
    formula, single_formula = result.symbolic()
    field = result.receptive_field
    ends = (result.channels[0], result.channels[-1])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("")
    table.add_column("stack", justify="right", overflow="fold")
    table.add_column("single", justify="right", overflow="fold")
    table.add_row("kernels", " ".join(f"{k}x{k}" for k in result.kernels), f"{field}x{field}")
    table.add_row("channels", *(" > ".join(map(str, chain)) for chain in (result.channels, ends)))
    table.add_row("receptive field", str(field), str(field))
    table.add_row("weights", f"{result.weights:,}", f"{result.single_weights:,}")
    table.add_row("", formula, single_formula)
    table.add_row("non-linearities", str(result.nonlinearities), "1")
    height, width = result.size
    table.add_row(f"MACs at {height} x {width}", f"{result.macs:,}", f"{result.single_macs:,}")
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
