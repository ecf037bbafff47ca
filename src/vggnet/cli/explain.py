"""`vggnet explain PHOTO -o out.png`: what on a photograph made a network say so.

In: a picture and a model. Out: a picture of the photograph, a map for each method and the answers;
or the same as JSON, the numbers of the maps among it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vggnet.cli.model_options import ModelChoice, model_options
from vggnet.cli.options import PathOrName, Whole, command, format_option, language_option
from vggnet.cli.output import Format, bold, note, print_json
from vggnet.printable import printable

if TYPE_CHECKING:
    from vggnet.explain import Explanation, Method


@command(
    "vggnet explain cat.jpg -o why.png",
    "vggnet explain cat.jpg -o why.png --method grad-cam --method occlusion --weights vgg16",
    "vggnet explain cat.jpg --class tabby --format json > why.json",
)
@click.argument("image", type=PathOrName(), metavar="PHOTO")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="The .png file to write."
)
@click.option(
    "--method",
    "methods",
    type=click.Choice(["grad-cam", "occlusion", "gradient"]),
    multiple=True,
    default=("grad-cam",),
    help="How to find out; may be given again, for maps side by side. gradient needs torch.",
)
@click.option(
    "--class",
    "target",
    metavar="CLASS",
    help="The class to explain: its name, WordNet id or index.  [default: the first answer]",
)
@click.option(
    "--patch",
    type=Whole(1),
    help="Side of occlusion's patch in pixels of the net's input.  [default: a quarter of it]",
)
@click.option(
    "--stride",
    type=Whole(1),
    help="Pixels from patch to patch.  [default: a third of the patch]",
)
@language_option
@model_options
@format_option("table", "json")
def explain(
    image: str,
    out: Path | None,
    methods: tuple[Method, ...],
    target: str | None,
    patch: int | None,
    stride: int | None,
    language: str | None,
    choice: ModelChoice,
    format: Format,
) -> None:
    """Show what on a photograph made a network say so.

    grad-cam weighs the last convolution's maps by how much each speaks for the class; occlusion
    hides one place after another and looks how far the probability falls; gradient is how strongly
    the class score depends on each pixel.

    PHOTO is a file, or - for a picture on standard input.
    """
    import vggnet.explain
    from vggnet.atomic import whole_path
    from vggnet.class_lists import find_class
    from vggnet.drawing.fonts import check_font
    from vggnet.image import picture_name

    if out is None and format != "json":
        raise ValueError("say which file to write, as -o why.png, or --format json")
    if out is not None and out.suffix.lower() != ".png":
        raise ValueError(f"{picture_name(out)}: name a file that ends with .png")
    if out is not None:
        check_font(language, "or leave --language zh out")
    model = choice.load(language)
    index = None if target is None else find_class(model.labels, target)
    picture = sys.stdin.buffer.read() if image == "-" else image
    found = vggnet.explain.explain(
        model, picture, methods, target=index, patch=patch, stride=stride, name=image
    )
    if out is not None:
        with whole_path(out) as partial:
            found.picture().save(partial, "PNG")
    for each in found.maps:
        if each.empty:
            note(f"{each.method}: {each.emptiness}")
    if format == "json":
        shown = {
            "image": image,
            "engine": model.engine.name,
            "precision": model.engine.precision,
            "weights": choice.weights,
        }
        print_json({**shown, **found.to_json()}, indent=None)
        return
    _print(found, picture_name(image))
    assert out is not None
    print(f"written to {picture_name(out)}")


def _print(found: Explanation, name: str) -> None:
    """The class and a line for each map."""
    height, width = found.size
    print(bold(name))
    label = printable(found.target.label)
    print(f"  {label}: {found.target.probability:.1%} at {height}x{width} pixels")
    for each in found.maps:
        low, high = each.range
        print(f"  {each.method:9}  {each.caption}: {low:.3g} to {high:.3g}")
