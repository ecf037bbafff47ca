"""Short equal runs at a grid of learning rates, for three nets, beside what `vggnet find-lr` says.

In: Tiny-ImageNet as Parquet. Out: in the folder a run each, found again when the script is run
again, and results.json: held-back accuracy by net, rate and seed, and the suggestion's own run.

    python benchmarks/learning_rates.py DATA FOLDER [--seeds 1]

14 of the classes, 4,000 pictures to learn from and 3,000 held back, 32 x 32 pixels, quarter width,
4 epochs in batches of 64, one cycle: 248 steps a run.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.dataset as arrow_dataset
import pyarrow.parquet as parquet

from vggnet.data import Dataset, open_dataset
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import MODERN
from vggnet.training.run import Diverged
from vggnet.training.train import resume, train
from vggnet.weights import own_file

NUM_CLASSES = 14
SHORT = replace(
    MODERN,
    width=0.25,
    input_size=32,
    sizes="32x4",
    batch_size=64,
    holdout=3_000,
    weight_average=0.0,
    precision="fp32",
)
NETS = {
    "A with batch norm": replace(SHORT, config="A"),
    "B with batch norm": replace(SHORT, config="B"),
    "A without batch norm": replace(SHORT, config="A", batch_norm=False),
}
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    given = parser.parse_args()
    dataset = some_classes(given.data, given.folder / "data")
    results: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        for name, recipe in NETS.items():
            for rate in RATES:
                accuracy = result(dataset, replace(recipe, seed=seed, learning_rate=rate),
                                  given.folder / f"{name}, {rate:g}, seed {seed}")  # fmt: skip
                results.append({"net": name, "rate": rate, "seed": seed, "top1": accuracy})
                print(f"{name:22} rate {rate:<6g} seed {seed}  {accuracy}", flush=True)
    (given.folder / "results.json").write_text(json.dumps(results, indent=1))


def some_classes(data: Path, folder: Path) -> Dataset:
    """The first classes of the data, as Parquet of its own."""
    path = folder / "train-00000-of-00001.parquet"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        files = sorted(data.glob("train-*.parquet"))
        table = arrow_dataset.dataset(files).to_table(
            filter=arrow.compute.field("label") < NUM_CLASSES
        )
        metadata = dict(table.schema.metadata)
        info = json.loads(metadata[b"huggingface"])
        label = info["info"]["features"]["label"]
        label["names"] = label["names"][:NUM_CLASSES]
        metadata[b"huggingface"] = json.dumps(info).encode()
        parquet.write_table(table.replace_schema_metadata(metadata), path, row_group_size=100)
    return open_dataset(folder, "train")


def result(dataset: Dataset, recipe: Recipe, folder: Path) -> float | None:
    """Held-back accuracy of the run in `folder`, done or carried on if need be; None: diverged."""
    weights = folder / "model.safetensors"
    try:
        if not weights.exists():
            options = TrainingOptions(folder, workers=0, threads=1)
            begun = (folder / "checkpoint.pt").exists()
            resume(dataset, options) if begun else train(dataset, recipe, options)
    except Diverged:
        return None
    metrics: Any = own_file.load(weights).training["metrics"]
    return float(np.round(metrics["held_back"][str(recipe.input_size)]["top1"], 4))


if __name__ == "__main__":
    main()
