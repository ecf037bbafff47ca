"""`vggnet evaluate DATA`: top-1 and top-5 accuracy on labelled pictures.

In: a folder of class folders or Parquet, a model. Out: the accuracies, as one line or as JSON.
"""

from __future__ import annotations

from typing import Annotated

import typer

from vggnet.cli.model_options import (
    EngineOption,
    PrecisionOption,
    ThreadsOption,
    WeightsOption,
    load_model,
)
from vggnet.cli.output import Format, FormatOption, note, print_json, progress_bar, standard_output


def evaluate(
    data: Annotated[str, typer.Argument(help="Folder of class folders, or Parquet.")],
    weights: WeightsOption = "tiny-imagenet",
    split: Annotated[str, typer.Option(help="validation or train.")] = "validation",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at a time.")] = 64,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Test the first pictures only, this many.")
    ] = None,
    engine: EngineOption = "auto",
    precision: PrecisionOption = "fp32",
    threads: ThreadsOption = None,
    format: FormatOption = Format.table,
) -> None:
    """Test a model on labelled pictures: one centre crop each."""
    from vggnet import evaluation
    from vggnet.data import open_dataset

    model = load_model(weights, engine, precision, threads)
    dataset = open_dataset(data, split)
    num_pictures = min(limit or len(dataset.labels), len(dataset.labels))
    with progress_bar("pictures", num_pictures) as advance:
        score = evaluation.evaluate(
            model.logits,
            dataset,
            model.preprocessing,
            indices=range(num_pictures),
            class_index=evaluation.class_indices(model.labels, dataset.classes),
            batch_size=batch_size,
            progress=advance,
        )
    for fault in score.broken:
        note(f"left out: {fault}")
    if format is Format.json:
        print_json(
            {
                "top1": score.top1,
                "top5": score.top5,
                "images": score.images,
                "protocol": score.protocol,
                "images_per_second": score.images_per_second,
                "broken": len(score.broken),
                "engine": model.engine.name,
                "weights": weights,
            }
        )
    else:
        standard_output().print(str(score))
