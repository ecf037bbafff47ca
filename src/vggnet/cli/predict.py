"""`vggnet predict IMAGE...`: what is on a photograph.

In: picture files and folders. Out: the most probable classes of each, as a table or as JSON.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console

from vggnet.cli.model_options import ModelChoice, with_model_options
from vggnet.cli.output import FormatOption, note, print_json, standard_output
from vggnet.printable import printable


@with_model_options
def predict(
    images: Annotated[list[str], typer.Argument(help="Pictures, or folders of pictures.")],
    choice: ModelChoice,
    *,
    top: Annotated[int, typer.Option(min=1, help="Classes to show for each picture.")] = 5,
    format: FormatOption = "table",
) -> None:
    """Name what is on each picture. A picture that cannot be read is reported; the rest go on."""
    from vggnet.cli.pictures import batches

    model = choice.load()
    shown = {
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "weights": choice.weights,
    }
    answers: list[dict[str, Any]] = []
    faults = 0
    for batch in batches(images, model.preprocessing):
        found = iter(model.classify(batch.images_NCHW, top) if batch.images_CHW else ())
        for name, fault in batch.pictures:
            if fault:
                faults += 1
                note(f"vggnet: {fault}")
                continue
            predictions = [asdict(each) for each in next(found)]
            answer = {"image": name, **shown, "predictions": predictions}
            if format == "json":
                answers.append(answer)
            else:
                _print(answer, standard_output())
    if format == "json":
        print_json(answers)
    if faults:
        raise typer.Exit(2)


def _print(answer: dict[str, Any], console: Console) -> None:
    """One picture's classes, the probability as a figure and as a bar."""
    from vggnet.image import picture_name

    console.print(picture_name(answer["image"]), soft_wrap=True)
    block = "#" if console.options.ascii_only else "█"
    for each in answer["predictions"]:
        bar = block * round(20 * each["probability"])
        wnid = f"  ({each['wnid']})" if each["wnid"] else ""
        label = printable(each["label"] + wnid)
        console.print(f"  {each['probability']:6.1%}  {bar:20}  {label}", soft_wrap=True)
