"""`vggnet find-lr DATA`: which learning rates a network can be trained at.

In: pictures and a recipe, as of `vggnet train`. Out: an interval and a suggestion with the curve
that they come from; or the same as JSON; perhaps a picture. Nothing of a run is touched.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vggnet.atomic import whole_path
from vggnet.cli.execution_options import execution_options
from vggnet.cli.options import PathOrName, Real, Whole, command, format_option
from vggnet.cli.output import Format, bold, note, print_json
from vggnet.cli.recipe_options import recipe_options
from vggnet.cli.small_chart import chart
from vggnet.cli.train import chosen_recipe, need_torch
from vggnet.data import open_dataset
from vggnet.image import picture_name
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
@click.argument("data", type=PathOrName(), metavar="DATA")
@click.option(
    "-o",
    "--out",
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
@format_option("table", "json")
@execution_options
@recipe_options()
def find_lr(
    data: str,
    changes: dict[str, Any],
    execution: dict[str, Any],
    out: Path | None,
    lowest: float,
    highest: float,
    steps: int,
    seeds: int,
    recipe: str,
    format: Format,
) -> None:
    """Find the learning rate to train a network at.

    The range test (Smith 2015): networks of the recipe are trained for some steps while the rate
    rises, and thrown away. DATA and the options are those of `vggnet train`; give the rate that is
    found to it as --lr.
    """
    refuse_several("vggnet find-lr")
    chosen = chosen_recipe(recipe, changes)
    dataset = open_dataset(data, "train")
    need_torch()
    from vggnet.training.find_rate import draw, find_rate, steps_in_all
    from vggnet.training.loop import TrainingOptions

    if out is not None:
        _check_can_be_drawn(out)
    options = TrainingOptions(Path(), reporter=_Notes(), **execution)
    with counting_bar("steps", steps_in_all(steps, seeds)) as progress:
        found = find_rate(
            dataset, chosen, options, lowest=lowest, highest=highest, num_steps=steps,
            num_seeds=seeds, progress=progress,
        )  # fmt: skip
    if format == "json":
        print_json(found.to_json())
    else:
        _show(found)
    if out is not None:
        with whole_path(out) as partial:
            draw(found, partial)
        if format != "json":
            print(f"written to {picture_name(out)}")


def _check_can_be_drawn(path: Path) -> None:
    """Before minutes of steps: raises ValueError where the curve cannot become this file."""
    from vggnet.training.find_rate import need_matplotlib

    name = picture_name(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{name}: the curve is drawn as a PNG: give a name that ends in .png")
    if not path.parent.is_dir():
        raise ValueError(f"{name}: the folder {path.parent} is missing; make it first")
    need_matplotlib()


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
