"""The losses of three equal runs at three rates: the curves of the explorer's question about rates.

In: Tiny-ImageNet as Parquet. Out: in the folder a run each, found again when the script is run
again; at OUT, JSON of the smoothed losses. Three of the runs of learning_rates.py, 248 steps each.

    python benchmarks/loss_curves.py DATA FOLDER OUT
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from learning_rates import (
    FIRST,
    NETS,
    NUM_CLASSES,
    RIGHT,
    TOO_LARGE,
    TOO_SMALL,
    result,
    run_folder,
    some_classes,
)

from vggnet.training.record.history import read

SMOOTHED = 15  # steps, of which a point is the mean
EVERY = 4  # steps from one point to the next


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    dataset = some_classes(given.data, given.folder / "data")
    recipe = NETS[FIRST]
    runs = []
    for rate in (TOO_SMALL, RIGHT, TOO_LARGE):
        folder = run_folder(given.folder, FIRST, rate)
        top1 = result(dataset, replace(recipe, learning_rate=rate), folder)
        losses = [line["loss"] for line in read(folder / "metrics.jsonl") if "step" in line]
        smooth = np.convolve(losses, np.ones(SMOOTHED) / SMOOTHED, "valid")[::EVERY]
        runs.append({"rate": rate, "top1": top1, "losses": np.round(smooth, 3).tolist()})
    found = {
        "command": "python benchmarks/loss_curves.py DATA FOLDER OUT",
        "net": f"{FIRST}, a quarter of the width, {recipe.input_size} x {recipe.input_size} pixels",
        "classes": NUM_CLASSES,
        "steps": len(losses),
        "first": SMOOTHED // 2 + 1,
        "every": EVERY,
        "runs": runs,
    }
    given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
