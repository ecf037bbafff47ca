"""`vggnet evaluate DATA`: top-1 and top-5 accuracy on labelled pictures.

In: a folder of class folders or Parquet, one or several models. Out: the accuracies, as one line or
as JSON. Without an option of a protocol one centre crop of each picture is tested, here; all else
is in protocols.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vggnet.cli.model_options import ModelChoice, several_models_options
from vggnet.cli.options import PathOrName, Whole, command, format_option
from vggnet.cli.output import Format, note, print_json
from vggnet.cli.protocol_options import Asked, protocol_options

if TYPE_CHECKING:
    from vggnet.data import Dataset


@command(
    "vggnet evaluate DATA --weights runs/vggnet",
    "vggnet evaluate /data/imagenet --weights vgg16 --limit 5000",
    "vggnet evaluate DATA --protocol multi-scale --save scores.parquet",
    "vggnet evaluate DATA --weights one --weights two --protocol dense",
    "vggnet evaluate /data/imagenet --weights vgg16 --expect published",
)
@click.argument("data", type=PathOrName(), metavar="DATA")
@click.option(
    "--split",
    type=click.Choice(["validation", "test", "train"]),
    default="validation",
    help="Which part of the data, where it has parts.",
)
@click.option("--batch-size", type=Whole(1), default=64, help="Pictures at a time.")
@click.option(
    "--limit",
    type=Whole(1),
    metavar="N",
    help="Test N pictures only, drawn at random, the same ones each time.  [default: all]",
)
@click.option("--strict", is_flag=True, help="End with status 1 where a picture cannot be read.")
@protocol_options
@several_models_options
@format_option("table", "json")
def evaluate(
    data: str,
    split: str,
    batch_size: int,
    limit: int | None,
    strict: bool,
    asked: Asked,
    choices: tuple[ModelChoice, ...],
    format: Format,
) -> int:
    """Test a model on labelled pictures.

    One centre crop of each is tested, or what --protocol says: the paper's ways of testing
    (docs/testing.md). Several models are averaged.

    DATA is a folder of class folders, or Parquet in the Hugging Face layout. Pictures that cannot
    be read are left out and named.
    """
    from vggnet import evaluation
    from vggnet.data import classes_without_pictures, doubts, open_dataset
    from vggnet.evaluation.score import drawn_indices
    from vggnet.progress import counting_bar

    dataset = open_dataset(data, split)
    for doubt in doubts(dataset):
        note(doubt)
    models = [choice.load() for choice in choices]
    model, choice = models[0], choices[0]
    class_index = evaluation.class_indices(model.labels, dataset.classes, dataset.labels)
    num_all = len(dataset.labels)
    indices = drawn_indices(num_all, limit)
    note(f"{_counted(len(indices), num_all)}{_origin(dataset, data, split)}")
    empty = classes_without_pictures(dataset)
    if empty:
        note(f"without pictures, and so not tested: class {empty}")
    if asked.anything or len(models) > 1:
        from vggnet.cli.protocols import Job, run

        job = Job(data, dataset, indices, limit, class_index, batch_size, models, choices)
        return run(job, asked, strict, format)
    with counting_bar("pictures", len(indices)) as advance:
        score = evaluation.evaluate(
            model.logits,
            dataset,
            model.preprocessing,
            indices=indices,
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
        return f"{num_pictures:,} of {num_all:,} pictures, drawn at random,"
    return f"{num_all:,} pictures"


def _origin(dataset: Dataset, data: str, split: str) -> str:
    """Where the pictures come from, for whoever thinks that they were kept apart."""
    if dataset.split is None:
        return f" of {data}, which has no {split} split of its own: all of it is taken"
    return f" of the {dataset.split} split, {dataset.name}"
