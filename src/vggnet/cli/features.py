"""`vggnet features IMAGE... --layer relu3_3`: activations by layer name.

In: picture files and folders. Out: a NumPy .npz file with one array a layer, N pictures first, and
the array `images` of their names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from vggnet.cli.model_options import ModelChoice, with_model_options
from vggnet.cli.output import FormatOption, note, print_json, standard_output


@with_model_options
def features(
    images: Annotated[list[str], typer.Argument(help="Pictures, or folders of pictures.")],
    choice: ModelChoice,
    *,
    layer: Annotated[
        list[str], typer.Option(help="A layer's name, such as relu3_3; may be given again.")
    ],
    out: Annotated[Path, typer.Option(help="The .npz file to write.")] = Path("features.npz"),
    format: FormatOption = "table",
) -> None:
    """Write the activations of named layers. A picture that cannot be read is left out, and named.

    Without a single good picture no file is written.
    """
    from vggnet.cli.pictures import batches
    from vggnet.image import picture_name

    model = choice.load()
    names = model.spec.check_names(layer)
    pictures: list[str] = []
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    faults = 0
    for batch in batches(images, model.preprocessing):
        for name, fault in batch.pictures:
            if fault:
                faults += 1
                note(f"vggnet: {fault}")
            else:
                pictures.append(name)
        if batch.images_CHW:
            for name, array in model.features(batch.images_NCHW, names).items():
                rows[name].append(array)
    if not pictures:
        raise typer.Exit(2)
    arrays = {name: _joined(name, parts) for name, parts in rows.items()}
    with out.open("wb") as file:  # a file, since NumPy would add a suffix to a name
        np.savez(file, images=np.array(pictures), **arrays)  # type: ignore[arg-type]
    summary = {name: list(array.shape) for name, array in arrays.items()}
    if format == "json":
        print_json({"file": str(out), "images": len(pictures), "layers": summary})
    else:
        console = standard_output()
        for name, shape in summary.items():
            console.print(f"{name}  {' x '.join(map(str, shape))}")
        console.print(f"written to {picture_name(out)}", soft_wrap=True)
    if faults:
        raise typer.Exit(2)


def _joined(name: str, parts: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """One array of all batches. Raises ValueError for pictures whose activations differ in size."""
    shapes = sorted({part.shape[1:] for part in parts})
    if len(shapes) > 1:
        listed = " and ".join(" x ".join(map(str, shape)) for shape in shapes[:2])
        raise ValueError(f"{name} is {listed} for these pictures: give pictures of one size")
    return np.concatenate(parts)
