"""The native engine's plan as people and programs read it: `vggnet describe --plan`.

In: a Spec, a picture's size, a precision. Out: a table of steps with their algorithms, bytes and
expected operations, and what this machine does with them; or the same as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from vggnet.cli.output import Format, note, print_json
from vggnet.cli.tables import standard_output
from vggnet.engines import available
from vggnet.engines.plan import Plan, bytes_per_weight, make_plan
from vggnet.machine import usable_cores
from vggnet.spec import Spec

if TYPE_CHECKING:
    from vggnet._native import Kernels


def show_plan(spec: Spec, size: tuple[int, int] | None, precision: str, format: Format) -> None:
    """The plan that gives the class scores, or of a net without a head its deepest features.

    Batch norm is folded into the convolutions, as it is when a model is loaded. The plan is in fp32
    where bf16 is asked for and this machine lacks it, as an engine's would be.
    """
    spec = replace(spec, batch_norm=False)
    height, width = size or (spec.input_size, spec.input_size)
    kernels = _kernels()
    if precision == "bf16" and kernels and not kernels.has_bf16:
        note(f"this machine has no products in bf16 ({kernels.name}); fp32 is used instead")
        precision = "fp32"
    plan = make_plan(spec, height, width, (spec.logits_layer,), precision)
    if format == "json":
        print_json({**plan.to_json(), "instruction_set": kernels.name if kernels else None})
        return
    console = standard_output()
    console.print(_table(plan))
    for line in _remarks(plan, kernels):
        console.print(line, soft_wrap=not console.is_terminal)


def _kernels() -> Kernels | None:
    """What the engine computes with here; None where it was not built."""
    if available()["native"] is not None:
        return None
    from vggnet.native_kernels import find_kernels

    return find_kernels()


def _remarks(plan: Plan, kernels: Kernels | None) -> Iterator[str]:
    """What the table's words mean, and what this machine makes of them."""
    products = sum(step.products for step in plan.steps)
    yield f"\nproducts  {products:,}, two operations each, for one picture"
    if kernels:
        yield f"here      {kernels.name}, {plan.precision}, {usable_cores()} threads"
    else:
        yield f"here      the native engine is absent: {available()['native']}"
    tiles = sorted({step.tile for step in plan.steps if step.operation == "winograd"})
    if tiles:
        m = tiles[-1]
        yield (
            f"F({m}x{m}, 3x3)  Winograd's algorithm: {m}x{m} outputs of a 3x3 convolution from "
            f"{(m + 2) ** 2} products, where the definition takes {9 * m * m}"
        )


def _table(plan: Plan) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        title=f"plan of {plan.spec.name} on {plan.height}x{plan.width} pixels, {plan.precision}\n",
        title_justify="left",
    )
    for header in ("layers", "algorithm"):
        table.add_column(header, no_wrap=True)
    for header in ("output", "products", "weights", "activations"):
        table.add_column(header, justify="right", no_wrap=True)
    for step in plan.steps:
        table.add_row(
            " ".join(step.layers),
            step.algorithm,
            "x".join(map(str, step.output)),
            f"{step.products / 1e6:,.1f} M" if step.products else "",
            _mebibytes(step.weights * bytes_per_weight(step, plan.precision)),
            _mebibytes((2 if step.half else 4) * prod(step.output)),
        )
    return table


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:,.1f} MiB" if count else ""
