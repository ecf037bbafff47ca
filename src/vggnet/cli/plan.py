"""The native engine's plan as people and programs read it: `vggnet describe --plan`.

In: a Spec, a picture's size, a precision. Out: a table of steps with their algorithms, bytes and
expected operations; or the same as JSON.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

from rich import box
from rich.table import Table

from vggnet.cli.output import Format, print_json, standard_output
from vggnet.engines.plan import Plan, bytes_per_weight, make_plan
from vggnet.spec import Spec


def show_plan(spec: Spec, size: tuple[int, int] | None, precision: str, format: Format) -> None:
    """The plan that gives the class scores, or of a net without a head its deepest features.

    Batch norm is folded into the convolutions, as it is when a model is loaded.
    """
    spec = replace(spec, batch_norm=False)
    height, width = size or (spec.input_size, spec.input_size)
    plan = make_plan(spec, height, width, (spec.logits_layer,), precision)
    if format == "json":
        print_json(plan.to_json())
        return
    console = standard_output()
    console.print(_table(plan))
    products = sum(step.products for step in plan.steps)
    console.print(f"\nproducts  {products:,}, two operations each, for one picture")


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
