"""`vggnet features IMAGE... --layer relu3_3`: activations by layer name.

In: picture files and folders. Out: a NumPy .npz file with one array a layer, N pictures first, and
the array `images` of their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from vggnet.cli.model_options import (
    EngineOption,
    PrecisionOption,
    ThreadsOption,
    WeightsOption,
    load_model,
)
from vggnet.cli.output import Format, FormatOption, print_json, standard_output


def features(
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    layer: Annotated[
        list[str], typer.Option(help="A layer's name, such as relu3_3; may be given again.")
    ],
    out: Annotated[Path, typer.Option(help="The .npz file to write.")] = Path("features.npz"),
    weights: WeightsOption = "tiny-imagenet",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = None,
    format: FormatOption = Format.table,
) -> None:
    """Write the activations of named layers for each picture."""
    from vggnet.image import find_pictures

    model = load_model(weights, engine, precision, threads)
    names = model.spec.check_names(layer)
    paths = find_pictures(images)
    rows = [model.features(model.preprocess(path), names) for path in paths]
    arrays = {name: np.concatenate([row[name] for row in rows]) for name in names}
    with out.open("wb") as file:  # a file, since NumPy would add a suffix to a name
        np.savez(file, images=np.array([str(path) for path in paths]), **arrays)  # type: ignore[arg-type]
    summary = {name: list(array.shape) for name, array in arrays.items()}
    if format is Format.json:
        print_json({"file": str(out), "images": len(paths), "layers": summary})
        return
    for name, shape in summary.items():
        standard_output().print(f"{name}  {' x '.join(map(str, shape))}")
    standard_output().print(f"written to {out}", soft_wrap=True)
