"""Short equal runs at a grid of learning rates, for three nets, beside what `vggnet find-lr` says.

In: Tiny-ImageNet as Parquet. Out: in the folder a run each, found again when the script is run
again; results.json with held-back accuracies; learning-rate.png, the figure of
docs/learning-rate.md.

    python benchmarks/learning_rates.py DATA FOLDER

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
from vggnet.training.find_rate import RangeTest, find_rate, read_curves
from vggnet.training.loop import TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import MODERN
from vggnet.training.record.history import read
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
FIRST = "A with batch norm"
RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
TOO_SMALL, RIGHT, TOO_LARGE = 0.001, 0.03, 1.0
SCHEDULES = {
    "one cycle": {"schedule": "one-cycle"},
    "cosine": {"schedule": "cosine"},
    "plateau": {"schedule": "plateau", "patience": 1},
    "constant": {"schedule": "constant"},
}
TESTED = np.geomspace(1e-4, 10, 100)  # rates of the range test


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    folder = given.folder
    dataset = some_classes(given.data, folder / "data")
    results: dict[str, Any] = {}
    tests: dict[str, RangeTest] = {}
    for name, recipe in NETS.items():
        tests[name] = range_test(dataset, recipe, folder / f"range of {name}.json")
        suggestion = tests[name].suggestion
        rates = [*RATES, *[TOO_SMALL] * (name == FIRST), *filter(None, [suggestion])]
        results[name] = {
            "suggestion": suggestion,
            "interval": tests[name].interval,
            "top1": {
                f"{rate:g}": result(
                    dataset, replace(recipe, learning_rate=rate), run_folder(folder, name, rate)
                )
                for rate in sorted(rates)
            },
        }
        print(json.dumps({name: results[name]}), flush=True)
    longer = replace(NETS[FIRST], sizes="32x8", learning_rate=RIGHT)
    results["schedules"] = {
        name: result(dataset, replace(longer, **changes), folder / name)
        for name, changes in SCHEDULES.items()
    }
    print(json.dumps(results["schedules"]), flush=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1))
    draw(folder, tests, results)


def run_folder(folder: Path, name: str, rate: float) -> Path:
    return folder / f"{name}, {rate:g}, seed 0"


def range_test(dataset: Dataset, recipe: Recipe, path: Path) -> RangeTest:
    """That of two seeds, from the losses in the file where they are there."""
    if not path.exists():
        options = TrainingOptions(path.parent, workers=0, threads=1)
        found = find_rate(dataset, recipe, options, num_steps=len(TESTED), num_seeds=2)
        path.write_text(json.dumps(found.by_seed))
    return read_curves(TESTED, json.loads(path.read_text()))


def draw(folder: Path, tests: dict[str, RangeTest], results: dict[str, Any]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7.2), layout="constrained")
    (loss, grid), (test, schedule) = figure.subplots(2, 2)
    for rate, word in ((TOO_SMALL, "too small"), (RIGHT, "right"), (TOO_LARGE, "too large")):
        lines = read(run_folder(folder, FIRST, rate) / "metrics.jsonl")
        losses = [line["loss"] for line in lines if "step" in line]
        smooth = np.convolve(losses, np.ones(15) / 15, "valid")
        loss.plot(np.arange(len(smooth)) + 8, smooth, label=f"{rate:g}: {word}")
    loss.set(title=f"{FIRST}, 4 epochs: loss", xlabel="step", ylim=(1.5, 3.2))
    for number, (name, found) in enumerate(tests.items()):
        colour = f"C{number}"
        top1 = {float(rate): 100 * (score or 0) for rate, score in results[name]["top1"].items()}
        grid.plot(list(top1), list(top1.values()), marker=".", color=colour, label=name)
        test.plot(found.rates, found.losses, color=colour, label=name)
        if found.suggestion is not None:
            grid.axvline(found.suggestion, color=colour, linestyle=":")
            test.axvline(found.suggestion, color=colour, linestyle=":")
    grid.set(title="4 epochs: held-back top-1, % (dotted: suggested)", xscale="log",
             xlabel="highest rate of one cycle", ylim=(-2, 68))  # fmt: skip
    test.set(title="range test: loss after a step (dotted: suggested)", xscale="log",
             xlabel="rate", ylim=(2.35, 3))  # fmt: skip
    for name in SCHEDULES:
        lines = [line for line in read(folder / name / "metrics.jsonl") if "epoch" in line]
        scores = [100 * line["top1"] for line in lines]
        schedule.plot(range(1, len(scores) + 1), scores, marker=".", label=name)
    schedule.set(title=f"{FIRST}, {RIGHT:g}, 8 epochs: held-back top-1, %", xlabel="epoch")
    for axes, place in ((loss, "best"), (grid, "upper right"), (test, "best"), (schedule, "best")):
        axes.legend(loc=place)
    figure.savefig(folder / "learning-rate.png", dpi=80)


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
