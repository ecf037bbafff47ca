"""Which of the paper's ways of testing helps, by how much, and where it does not.

    python benchmarks/paper_protocols.py DATA --weights tiny-imagenet --limit 1000
    python benchmarks/paper_protocols.py DATA --weights tiny-imagenet --weights FC --name small fc
    python benchmarks/paper_protocols.py --docs

Each net under every protocol, on the same pictures. `vggnet evaluate --save` computes each scale
once; the scores stay in --folder, so that what was cut off goes on and what is there already is
taken from there, and rows of several scales are the means of files. Of several nets each pair's
mean is reported too. Writes benchmarks/results/protocols_NAME.json and the tables of
docs/testing.md, which --docs alone writes again from the results.

A picture costs 161 passes through the net, of which 150 are crops. The embedded model takes about
1.1 s of one Zen 4 core for it: 9 minutes for 500 pictures, 36 for 2,000.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import report
from machine import machine
from numpy.typing import NDArray
from protocol_tables import write_docs

from vggnet.evaluation.intervals import SAMPLES, Interval, percentile_interval
from vggnet.evaluation.protocols import scale_step, training_scale
from vggnet.evaluation.reports import fused
from vggnet.evaluation.reports import report as report_of
from vggnet.evaluation.score import rank_of_target
from vggnet.evaluation.scores_file import ScoresTable, read_scores
from vggnet.weights.named import load_weights

DEFAULT_FOLDER = Path("runs/protocols")
BASE = "centre"
# What is computed -> the options of evaluate, and at which of the three test scales; None: its own
PARTS: dict[str, tuple[list[str], int | None]] = {
    "centre": (["--protocol", "centre"], None),
    "mirrored": (["--protocol", "centre", "--flip"], None),
    "softmax": (["--protocol", "single", "--score-average", "softmax"], 1),
    **{f"dense {i}": (["--protocol", "single"], i) for i in range(3)},
    **{f"multicrop {i}": (["--protocol", "multicrop"], i) for i in range(3)},
}
# Row -> the parts whose mean it is; all views weigh the same in the paper's protocols.
ROWS: dict[str, list[str]] = {
    "centre": ["centre"],
    "centre, mirrored": ["mirrored"],
    "single": ["dense 1"],
    "single, softmax averaged": ["softmax"],
    "multi-scale": [f"dense {i}" for i in range(3)],
    "multicrop, one scale": ["multicrop 1"],
    "multicrop": [f"multicrop {i}" for i in range(3)],
    "both": [f"{name} {i}" for name in ("dense", "multicrop") for i in range(3)],
}


@dataclass(frozen=True)
class Row:
    """The scores of one way of testing, and the scales that it takes."""

    table: ScoresTable
    scales: list[int]


def scores(data: str, weights: str, limit: int | None, folder: Path) -> dict[str, Row]:
    """Every row's scores of one net."""
    folder.mkdir(parents=True, exist_ok=True)
    loaded = load_weights(weights)
    three = training_scale(loaded).test_scales(3, scale_step(loaded.spec.input_size))
    parts = {}
    for part, (options, place) in PARTS.items():
        size = [] if place is None else [str(three[place])]
        path = folder / f"{'_'.join([part.split()[0], *size])}.parquet"
        command = ["evaluate", data, "--weights", weights, *options]
        command += ["--scales", *size] if size else []
        command += ["--save", str(path), "--resume"] + ["--limit", str(limit)] * bool(limit)
        print(f"{weights}: {path.stem}", file=sys.stderr, flush=True)
        run(command)
        parts[part] = read_scores(path)
    return {row: mean([parts[name] for name in names]) for row, names in ROWS.items()}


def mean(tables: Sequence[ScoresTable]) -> Row:
    scales = {size for table in tables for size in table.record["nets"][0]["protocol"]["scales"]}
    return Row(fused(tables), sorted(scales))


def run(command: list[str]) -> None:
    """`vggnet` with these arguments, in a process of its own, whose memory is then free again."""
    subprocess.run(
        [sys.executable, "-m", "vggnet", *command], check=True, stdout=subprocess.DEVNULL
    )


def rows_of(tested: dict[str, Row], bases: dict[str, Row]) -> list[dict[str, Any]]:
    """Of each row accuracies, fractions of 1, and the gain over its base, with intervals."""
    rows = []
    for row, each in tested.items():
        found = report_of(each.table)
        ours, theirs = each.table, bases[row].table
        ranks = [rank_of_target(each.scores_NK, each.target) for each in (ours, theirs)]
        gain1, interval1 = gain_interval(ranks[0] < 1, ranks[1] < 1)
        gain5, interval5 = gain_interval(ranks[0] < 5, ranks[1] < 5)
        rows.append(
            {
                "row": row,
                "scales": each.scales,
                "top1": found.top1,
                "top5": found.top5,
                "intervals": found.intervals,
                "gain": {"top1": gain1, "top5": gain5},
                "gain_intervals": {"top1": interval1, "top5": interval5},
                "calibration_error": found.calibration.error if found.calibration else None,
            }
        )
    return rows


def gain_interval(
    hits_N: NDArray[np.bool_], base_N: NDArray[np.bool_], seed: int = 0
) -> tuple[float, Interval]:
    """By how much the first accuracy is above the second, on the same pictures, and its interval.

    Pictures are drawn with both of their answers, so that what is hard for both does not count.
    """
    number, random = len(hits_N), np.random.default_rng(seed)
    won, lost = int((hits_N & ~base_N).sum()), int((base_N & ~hits_N).sum())
    # Of counts: 1 - 36/39 - 3/39 is below 0.
    shares = [count / number for count in (won, lost, number - won - lost)]
    drawn = random.multinomial(number, shares, SAMPLES)
    return won / number - lost / number, percentile_interval((drawn[:, 0] - drawn[:, 1]) / number)


def result(
    name: str,
    tested: dict[str, Row],
    bases: dict[str, Row],
    over: str,
    nets: list[dict[str, Any]],
) -> dict[str, Any]:
    base = tested[BASE].table
    record = base.record
    return {
        "name": name,
        "nets": nets,
        "over": over,
        "data": record["data"]["name"],
        "split": record["split"],
        "pictures": len(base.index),
        "of": record["data"]["pictures"],
        "engine": record["engine"],
        "precision": record["precision"],
        "commit": record["commit"],
        **machine(),
        "rows": rows_of(tested, bases),
    }


def net_of(name: str, weights: str, table: ScoresTable) -> dict[str, Any]:
    loaded = load_weights(weights)
    net = table.record["nets"][0]
    return {
        "name": name,
        "weights": Path(weights).name,
        "sha256": net["sha256"],
        "network": loaded.spec.name,
        "input_size": loaded.spec.input_size,
        "head": "average" if "avgpool" in loaded.spec.tokens else "fc",
        "training_scale": net["training_scale"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?")
    parser.add_argument("--weights", action="append", help="may be given again")
    parser.add_argument("--name", nargs="*", help="what the nets are called in docs and files")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER, help="of the scores")
    parser.add_argument("--docs", action="store_true", help="only write the tables of the docs")
    arguments = parser.parse_args()
    if not arguments.docs:
        if not arguments.data:
            parser.error("give DATA, or --docs")
        weights = arguments.weights or ["tiny-imagenet"]
        names = arguments.name or [Path(each).name for each in weights]
        if len(names) != len(weights) or len(set(names)) < len(names):
            parser.error("give as many names as weights, all different")
        measure(arguments.data, dict(zip(names, weights, strict=True)), arguments)
    for path in write_docs():
        print(f"tables of {path}", file=sys.stderr)


def measure(data: str, weights: dict[str, str], arguments: argparse.Namespace) -> None:
    """Every net, and every pair of them, each with a file of results."""
    tested: dict[str, dict[str, Row]] = {}
    nets = {}
    for name, each in weights.items():
        start = time.perf_counter()
        folder = arguments.folder / f"{name}_{arguments.limit or 'all'}"
        tested[name] = scores(data, each, arguments.limit, folder)
        base = tested[name][BASE]
        nets[name] = net_of(name, each, base.table)
        over = dict.fromkeys(tested[name], base)
        found = result(name, tested[name], over, "centre", [nets[name]])
        seconds = time.perf_counter() - start
        a_picture = seconds / len(base.table.index)
        print(f"{name}: {seconds:.0f} s, {a_picture:.2f} s a picture", file=sys.stderr)
        print(report.write(f"protocols_{name}.json", found), file=sys.stderr)
    names = list(weights)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            pair = {
                row: Row(fused([ours.table, tested[second][row].table]), ours.scales)
                for row, ours in tested[first].items()
            }
            name = f"{first}+{second}"
            found = result(name, pair, tested[first], first, [nets[first], nets[second]])
            print(report.write(f"protocols_{name}.json", found), file=sys.stderr)


if __name__ == "__main__":
    main()
