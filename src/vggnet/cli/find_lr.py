"""`vggnet find-lr DATA`: which learning rates a network can be trained at.

In: pictures and a recipe, as of `vggnet train`. Out: an interval and a suggestion with the curve
that they come from; or the same as JSON; perhaps a picture. Nothing of a run is touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vggnet.cli.options import Real, Whole, command, format_option
from vggnet.cli.output import Format, bold, note, print_json
from vggnet.cli.recipe_options import recipe_options
from vggnet.cli.small_chart import chart
from vggnet.cli.train import chosen_recipe, need_torch
from vggnet.data import open_dataset
from vggnet.progress import counting_bar
from vggnet.training.distributed import refuse_several
from vggnet.training.recipes import RECIPES
from vggnet.training.reporter import Silent

if TYPE_CHECKING:
    from vggnet.training.find_rate import RangeTest


@command(
    "vggnet find-lr DATA --config D --width 0.5 --batch-norm --input-size 64 --head average",
    "vggnet find-lr PHOTOGRAPHS --init tiny-imagenet -o rates.png",
)
@click.argument("data", metavar="DATA")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.png",
    help="Draw the curve, that of each seed beside the smoothed one.",
)
@click.option("--lowest", type=Real(1e-12, 1e3), default=1e-4, help="The first rate.")
@click.option("--highest", type=Real(1e-12, 1e3), default=10.0, help="The last rate.")
@click.option(
    "--steps", type=Whole(20, 10**6), default=100, help="Rates between them, a step each."
)
@click.option(
    "--seeds", type=Whole(1, 1000), default=3, help="Networks that are tried, one a seed."
)
@click.option(
    "--recipe",
    type=click.Choice(list(RECIPES)),
    default="modern",
    help="The recipe that options change.",
)
@click.option("--workers", type=Whole(0, 1024), default=1, help="Processes that prepare pictures.")
@click.option("--threads", type=Whole(1, 1024), help="Threads that compute.  [default: all]")
@click.option("--device", metavar="NAME", default="auto", help="auto, cpu, cuda, cuda:1.")
@format_option("table", "json")
@recipe_options
def find_lr(
    data: str,
    changes: dict[str, Any],
    output: Path | None,
    lowest: float,
    highest: float,
    steps: int,
    seeds: int,
    recipe: str,
    workers: int,
    threads: int | None,
    device: str,
    format: Format,
) -> None:
    """Find the learning rate to train a network at.

    The range test (Smith 2015): networks of the recipe are trained for some steps while the rate
    rises, and thrown away. DATA and the options are those of `vggnet train`; give the rate that is
    found to it as --lr.
    """
    refuse_several("vggnet find-lr")
    chosen = chosen_recipe(recipe, changes)
    if output is not None and output.suffix.lower() != ".png":
        raise ValueError(f"{output}: the curve is drawn as a PNG: give a name that ends in .png")
    dataset = open_dataset(data, "train")
    need_torch()
    from vggnet.training.find_rate import draw, find_rate, steps_in_all
    from vggnet.training.loop import TrainingOptions

    options = TrainingOptions(
        Path(), workers=workers, device=device, threads=threads, reporter=_Notes()
    )
    with counting_bar("steps", steps_in_all(steps, seeds)) as progress:
        found = find_rate(
            dataset, chosen, options, lowest=lowest, highest=highest, num_steps=steps,
            num_seeds=seeds, progress=progress,
        )  # fmt: skip
    if output is not None:
        draw(found, output)
    if format == "json":
        print_json(found.to_json())
    else:
        _show(found)


class _Notes(Silent):
    def note(self, text: str) -> None:
        note(text)


def _show(found: RangeTest) -> None:
    if found.losses:
        print(f"loss after a step, at rates from {found.rates[0]:.2g} to {found.rates[-1]:.2g}:")
        for line in chart(found.losses, lowest=min(found.losses)):
            print(line)
    if found.suggestion is None or found.interval is None:
        print(f"suggestion  {bold('none')}")
    else:
        low, high = found.interval
        print(f"suggestion  {bold(f'{found.suggestion:g}')}")
        print(f"interval    {low:g} to {high:g}")
    print(f"reason      {found.reason}")
