"""Whether a network trained by the native engine is as good as one trained by torch.

    python benchmarks/training_seeds.py DATA [--epochs 3] [--seeds 0 1 2]

Trains quarter-width D with batch norm on pictures of 32 x 32, by `vggnet train`, with each seed by
both engines in fp32, and compares the losses of the first 20 steps and the accuracies on 2,500
pictures that are held back. Writes what it saw to benchmarks/results/. Runs that have ended are not
done again while --folder keeps them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import report
from machine import machine

ENGINES = ("native", "torch")
FIRST = 20  # steps
OPTIONS = [
    "--config", "D", "--width", "0.25", "--batch-norm", "--input-size", "32", "--head", "average",
    "--holdout", "2500", "--precision", "fp32", "--average", "0",
]  # fmt: skip


def train(data: str, folder: Path, engine: str, seed: int, options: list[str]) -> None:
    """One run, to its end; it goes on where it was cut."""
    if (folder / "model.safetensors").exists():
        return
    command = [sys.executable, "-m", "vggnet", "train", data, "--out", str(folder)]
    begun = (folder / "checkpoint.pt").exists()
    new = [*OPTIONS, *options, "--seed", str(seed), "--convolutions", engine]
    subprocess.run([*command, *(["--resume"] if begun else new)], check=True)


def outcome(folder: Path) -> dict[str, Any]:
    """The first losses and the accuracy after the last epoch."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "step" in line][:FIRST]
    return {"losses": losses, "top1": [line["top1"] for line in lines if "epoch" in line][-1]}


def compare(found: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """By engine its outcomes, seed by seed: the largest difference of losses, means and spreads."""
    pairs = zip(found["native"], found["torch"], strict=True)
    differences = [
        abs(ours - theirs)
        for native, torch in pairs
        for ours, theirs in zip(native["losses"], torch["losses"], strict=True)
    ]
    top1 = {engine: [each["top1"] for each in outcomes] for engine, outcomes in found.items()}
    means = {engine: fmean(each) for engine, each in top1.items()}
    spreads = {engine: stdev(each) if len(each) > 1 else 0.0 for engine, each in top1.items()}
    return {
        "first_losses_differ_by": max(differences),
        "top1": top1,
        "mean": means,
        "deviation": spreads,
        "means_differ_by": abs(means["native"] - means["torch"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("runs/training_seeds"))
    arguments = parser.parse_args()
    options = ["--sizes", f"32x{arguments.epochs}", "--threads", str(arguments.threads)]
    found: dict[str, list[dict[str, Any]]] = {engine: [] for engine in ENGINES}
    for seed in arguments.seeds:
        for engine in ENGINES:
            folder = arguments.folder / f"{engine}_{seed}"
            train(arguments.data, folder, engine, seed, options)
            found[engine].append(outcome(folder))
    asked = {name: getattr(arguments, name) for name in ("epochs", "seeds", "threads")}
    result = asked | machine() | compare(found)
    print(f"losses of the first {FIRST} steps differ by at most "
          f"{result['first_losses_differ_by']:.1e}")  # fmt: skip
    for engine in ENGINES:
        each = ", ".join(f"{100 * top1:.2f}" for top1 in result["top1"][engine])
        print(f"{engine:7} top-1 {each}: mean {100 * result['mean'][engine]:.2f}, "
              f"deviation {100 * result['deviation'][engine]:.2f}")  # fmt: skip
    path = report.write(f"training_seeds_{result['date']}.json", result)
    print(f"written to {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
