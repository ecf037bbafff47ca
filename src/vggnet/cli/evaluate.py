"""`vggnet evaluate DATA`: top-1 and top-5 accuracy on labelled pictures.

In: a folder of class folders or Parquet, a model. Out: the accuracies, as one line or as JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vggnet.cli.model_options import ModelChoice, model_options
from vggnet.cli.options import Whole, command, format_option
from vggnet.cli.output import Format, note, print_json

if TYPE_CHECKING:
    from vggnet.data import Dataset


@command(
    "vggnet evaluate DATA --weights runs/vggnet",
    "vggnet evaluate /data/imagenet --weights vgg16 --limit 5000",
)
@click.argument("data", metavar="DATA")
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "train"]),
    default="validation",
    help="Which part of the data, where it has parts.",
)
@click.option("--batch-size", type=Whole(1), default=64, help="Pictures at a time.")
@click.option(
    "--limit", type=Whole(1), metavar="N", help="Test the first N pictures only.  [default: all]"
)
@click.option("--strict", is_flag=True, help="End with status 1 where a picture cannot be read.")
@model_options
@format_option("table", "json")
def evaluate(
    data: str,
    split: str,
    batch_size: int,
    limit: int | None,
    strict: bool,
    choice: ModelChoice,
    format: Format,
) -> int:
    """Test a model on labelled pictures.

    One centre crop of each is tested.

    DATA is a folder of class folders, or Parquet in the Hugging Face layout. Pictures that cannot
    be read are left out and named.
    """
    from vggnet import evaluation
    from vggnet.data import classes_without_pictures, open_dataset
    from vggnet.progress import counting_bar

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
        print(score)
    return int(strict and bool(score.broken))


def _counted(num_pictures: int, num_all: int) -> str:
    if num_pictures < num_all:
        return f"the first {num_pictures:,} of {num_all:,} pictures"
    return f"{num_all:,} pictures"


def _origin(dataset: Dataset, data: str, split: str) -> str:
    """Where the pictures come from, for whoever thinks that they were kept apart."""
    if dataset.split is None:
        return f" of {data}, which has no {split} split of its own: all of it is taken"
    return f" of the {dataset.split} split, {dataset.name}"
