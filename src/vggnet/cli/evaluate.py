"""`vggnet evaluate DATA`: top-1 and top-5 accuracy on labelled pictures.

In: a folder of class folders or Parquet, a model. Out: the accuracies, as one line or as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vggnet.cli.model_options import ModelChoice, with_model_options
from vggnet.cli.output import FormatOption, note, print_json, standard_output
from vggnet.progress import counting_bar

if TYPE_CHECKING:
    from vggnet.data import Dataset


@with_model_options
def evaluate(
    data: Annotated[str, typer.Argument(help="Folder of class folders, or Parquet.")],
    choice: ModelChoice,
    *,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "validation",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at a time.")] = 64,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Test the first pictures only, this many.")
    ] = None,
    format: FormatOption = "table",
) -> None:
    """Test a model on labelled pictures: one centre crop each."""
    from vggnet import evaluation
    from vggnet.data import classes_without_pictures, open_dataset

    dataset = open_dataset(data, split)
    model = choice.load()
    class_index = evaluation.class_indices(model.labels, dataset.classes, dataset.labels)
    num_all = len(dataset.labels)
    num_pictures = min(limit or num_all, num_all)
    note(f"{_counted(num_pictures, num_all)}{_origin(dataset, data, split)}")
    empty = classes_without_pictures(dataset)
    if empty:
        note(f"without pictures, and so not tested: class {empty}")
    with counting_bar("pictures", num_pictures) as advance:
        score = evaluation.evaluate(
            model.logits,
            dataset,
            model.preprocessing,
            indices=range(num_pictures),
            class_index=class_index,
            batch_size=batch_size,
            progress=advance,
        )
    for fault in score.broken:
        note(f"left out: {fault}")
    if format == "json":
        print_json(
            {
                "top1": score.top1,
                "top5": score.top5,
                "images": score.images,
                "split": dataset.split,
                "protocol": score.protocol,
                "images_per_second": score.images_per_second,
                "broken": len(score.broken),
                "engine": model.engine.name,
                "precision": model.engine.precision,
                "weights": choice.weights,
            }
        )
    else:  # as torchvision's and timm's scripts print it, for those who read it by a program
        standard_output().print(
            f" * Acc@1 {100 * score.top1:.3f} Acc@5 {100 * score.top5:.3f}", soft_wrap=True
        )


def _counted(num_pictures: int, num_all: int) -> str:
    if num_pictures < num_all:
        return f"the first {num_pictures:,} of {num_all:,} pictures"
    return f"{num_all:,} pictures"


def _origin(dataset: Dataset, data: str, split: str) -> str:
    """Where the pictures come from, for whoever thinks that they were kept apart."""
    if dataset.split is None:
        return f" of {data}, which has no {split} split of its own: all of it is taken"
    return f" of the {dataset.split} split, {dataset.name}"
