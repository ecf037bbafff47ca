"""`vggnet draw CONFIG-OR-WEIGHTS... -o net.svg`: networks as a drawing.

In: names of configurations or weight files, and how they are varied. Out: one file, whose suffix
says what it is: an SVG, a PNG, or a page of HTML with the drawing and the table of costs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from vggnet.analysis import Analysis
from vggnet.cli.networks import NetworkChoice, network_options
from vggnet.cli.options import command
from vggnet.drawing.language import Language
from vggnet.drawing.network import network_scene
from vggnet.drawing.scene import Scene
from vggnet.drawing.svg import svg
from vggnet.variants import title_of


@command(
    "vggnet draw D -o vgg16.svg",
    "vggnet draw A E -o a-and-e.html        # one beneath the other, differences marked",
    "vggnet draw D --language zh -o net.svg",
    "vggnet draw D --head average --classes 10 --input-size 64 -o small.png",
)
@network_options
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), metavar="FILE", required=True,
    help="The file to write: .svg, .png, or .html, which needs no other file.",
)  # fmt: skip
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", help="Of the drawing's words."
)
def draw(choice: NetworkChoice, out: Path, language: Language) -> None:
    """Draw networks as SVG, PNG or a page of HTML.

    Columns of layers: their height is the side of the map and their width the channels, both on a
    log scale. Of several networks equal layers stand beneath each other and those that differ are
    marked.
    """
    from vggnet.atomic import whole_path
    from vggnet.image import picture_name

    write = _WRITERS.get(out.suffix.lower())
    if write is None:
        raise ValueError(
            f"{picture_name(out)}: name a file that ends with {', '.join(_WRITERS)}, which says "
            "what to write"
        )
    analyses = choice.analyses()
    drawn = [
        analysis.drawn(title_of(analysis.spec, name))
        for analysis, name in zip(analyses, choice.names, strict=True)
    ]
    scene = network_scene(drawn, language)
    with whole_path(out) as partial:
        write(partial, scene, analyses, language)
    print(f"written to {picture_name(out)}")


def _write_svg(path: Path, scene: Scene, _: Sequence[Analysis], __: Language) -> None:
    path.write_text(svg(scene), encoding="utf-8")


def _write_png(path: Path, scene: Scene, _: Sequence[Analysis], language: Language) -> None:
    from vggnet.drawing.fonts import check_font
    from vggnet.drawing.raster import raster

    check_font(language, "or write .svg or .html")
    raster(scene).save(path, "PNG")


def _write_html(path: Path, scene: Scene, analyses: Sequence[Analysis], language: Language) -> None:
    from vggnet.drawing.page import page

    text = page(svg(scene), [each.to_json() for each in analyses], language)
    path.write_text(text, encoding="utf-8")


_WRITERS: dict[str, Callable[[Path, Scene, Sequence[Analysis], Language], None]] = {
    ".svg": _write_svg,
    ".png": _write_png,
    ".html": _write_html,
}
