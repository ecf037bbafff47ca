"""`vggnet predict IMAGE...`: what is on a photograph.

In: picture files and folders. Out: the most probable classes of each, as a table or as JSON.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from vggnet.cli.model_options import (
    EngineOption,
    PrecisionOption,
    ThreadsOption,
    WeightsOption,
    load_model,
)
from vggnet.cli.output import Format, FormatOption, note, print_json, standard_output


def predict(
    images: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    weights: WeightsOption = "tiny-imagenet",
    top: Annotated[int, typer.Option(min=1, help="Classes to show for each picture.")] = 5,
    engine: EngineOption = "auto",
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = None,
    format: FormatOption = Format.table,
) -> None:
    """Name what is on each picture. A picture that cannot be read is reported; the rest go on."""
    from vggnet.image import PictureError, find_pictures

    model = load_model(weights, engine, precision, threads)
    answers: list[dict[str, Any]] = []
    faults = 0
    for given in images:
        try:
            for path in find_pictures([given]):
                try:
                    found = model.predict(path, top=top)
                except PictureError as error:
                    faults += 1
                    note(f"vggnet: {error}")
                    continue
                answers.append(
                    {
                        "image": str(path),
                        "engine": model.engine.name,
                        "weights": weights,
                        "predictions": [
                            {
                                "index": each.index,
                                "wnid": each.wnid,
                                "label": each.label,
                                "probability": each.probability,
                            }
                            for each in found
                        ],
                    }
                )
                if format is Format.table:
                    _print(answers[-1])
        except PictureError as error:
            faults += 1
            note(f"vggnet: {error}")
    if format is Format.json:
        print_json(answers)
    if faults:
        raise typer.Exit(2)


def _print(answer: dict[str, Any]) -> None:
    """One picture's classes, the probability as a figure and as a bar."""
    console = standard_output()
    console.print(answer["image"], markup=False, soft_wrap=True)
    for each in answer["predictions"]:
        bar = "█" * round(20 * each["probability"])
        console.print(
            f"  {each['probability']:6.1%}  {bar:20}  {each['label']}"
            + (f"  ({each['wnid']})" if each["wnid"] else ""),
            markup=False,
            soft_wrap=True,
        )
