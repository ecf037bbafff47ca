"""`vggnet features IMAGE... --layer relu3_3`: activations by layer name.

In: picture files and folders. Out: a NumPy .npz file with one array a layer, N pictures first, and
the array `images` of their names. It is written as pictures come, and is there whole or not at all.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vggnet.cli.model_options import ModelChoice, model_options
from vggnet.cli.options import PathOrName, command, format_option
from vggnet.cli.output import note, print_json

if TYPE_CHECKING:
    from vggnet.streaming import Pool


@command(
    "vggnet features photographs/ --layer relu3_3 --layer fc6 --weights vgg16",
    "vggnet features photographs/ --layer relu5_3 --pool average --dtype fp16 --out vectors.npz",
)
@click.argument("images", type=PathOrName(), metavar="IMAGE-OR-FOLDER...", nargs=-1, required=True)
@click.option(
    "--layer",
    "layers",
    metavar="NAME",
    multiple=True,
    required=True,
    help="A layer such as relu3_3, pool5 or fc7; may be given again. conv3_3 is before its ReLU.",
)
@click.option(
    "--pool",
    type=click.Choice(["none", "average", "flatten"]),
    default="none",
    help="What becomes of a map: it stays (N, C, H, W); its mean over space, (N, C); or one row of "
    "all its numbers, (N, C x H x W).",
)
@click.option(
    "--dtype", type=click.Choice(["fp32", "fp16"]), default="fp32", help="Type of the numbers."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default=Path("features.npz"),
    help="The .npz file to write.",
)
@model_options
@format_option("table", "json")
def features(
    images: tuple[str, ...],
    layers: tuple[str, ...],
    pool: Pool,
    dtype: str,
    out: Path,
    choice: ModelChoice,
    format: str,
) -> int:
    """Write the activations of layers to a file.

    A picture that cannot be read is left out and named, and the exit status is 1. Without a single
    good picture no file is written.
    """
    from vggnet.cli.array_file import ArrayFile
    from vggnet.cli.pictures import batches, find, tally
    from vggnet.image import picture_name
    from vggnet.streaming import fitting, pooled

    if out.suffix.lower() == ".npy":
        raise ValueError(
            f"{picture_name(out)}: several arrays are written, which .npy cannot hold: name it .npz"
        )
    model = choice.load()
    names = model.spec.check_names(layers)
    pictures = find(images)
    most = partial(fitting, model.spec, names)
    with ArrayFile(out, "<f2" if dtype == "fp16" else "<f4") as file:
        with tally(len(pictures)) as count:
            for batch in batches(pictures, model.preprocessing, most):
                for name, fault in batch.pictures:
                    count.count(fault is not None)
                    if fault:
                        note(str(fault))
                    else:
                        file.add_text("images", name)
                if batch.images_CHW:
                    for name, array in model.features(batch.images_NCHW, names).items():
                        file.add_rows(name, pooled(array, pool))
        if count.faults == count.done:
            return count.status()
        file.write()
    if format == "json":
        print_json({"file": str(out), "images": count.done - count.faults, "layers": file.shapes})
    else:
        for name, shape in file.shapes.items():
            print(f"{name}  {' x '.join(map(str, shape))}")
        print(f"written to {picture_name(out)}")
    return count.status()
