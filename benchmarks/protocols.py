"""Which of the paper's ways of testing helps, by how much, and where it does not.

    python benchmarks/protocols.py DATA --weights tiny-imagenet --limit 1000
    python benchmarks/protocols.py DATA --weights tiny-imagenet --weights runs/fc --name small fc
    python benchmarks/protocols.py --docs

Each net under every protocol, on the same pictures, by `vggnet evaluate --save`; the scores stay in
--folder, so that what was cut off goes on and what is there already is taken from there. Of several
nets each pair's mean is reported too. Writes benchmarks/results/protocols_NAME.json and the tables
of docs/testing.md, which --docs alone writes again from the results.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import report
from machine import machine
from protocol_tables import write_docs

from vggnet.evaluation.intervals import gain_interval
from vggnet.evaluation.protocols import NAMES, training_scale
from vggnet.evaluation.reports import fused
from vggnet.evaluation.reports import report as report_of
from vggnet.evaluation.score import rank_of_target
from vggnet.evaluation.scores_file import ScoresTable, read_scores
from vggnet.weights.named import load_weights

DEFAULT_FOLDER = Path("runs/protocols")
BASE = "centre"
# Row -> the options of evaluate. ONE stands for the one test scale of the training scale.
ROWS: dict[str, list[str]] = {
    "centre": ["--protocol", "centre"],
    "centre, mirrored": ["--protocol", "centre", "--flip"],
    "single": ["--protocol", "single"],
    "single, softmax averaged": ["--protocol", "single", "--score-average", "softmax"],
    "multi-scale": ["--protocol", "multi-scale"],
    "multicrop, one scale": ["--protocol", "multicrop", "--scales", "ONE"],
    "multicrop": ["--protocol", "multicrop"],
}
FUSED_ROW = "both"  # the mean of multi-scale and multicrop, which need not be computed again


def scores(data: str, weights: str, limit: int | None, folder: Path) -> dict[str, ScoresTable]:
    """Every row's scores of one net."""
    folder.mkdir(parents=True, exist_ok=True)
    (one,) = training_scale(load_weights(weights)).test_scales(1)
    found = {}
    for row, options in ROWS.items():
        path = folder / f"{row.replace(', ', '_').replace(' ', '-')}.parquet"
        options = [str(one) if each == "ONE" else each for each in options]
        command = ["evaluate", data, "--weights", weights, *options]
        command += ["--save", str(path), "--resume"] + ["--limit", str(limit)] * bool(limit)
        print(f"{weights}: {row}", file=sys.stderr, flush=True)
        run(command)
        found[row] = read_scores(path)
    found[FUSED_ROW] = fused([found["multi-scale"], found["multicrop"]])
    return found


def run(command: list[str]) -> None:
    """`vggnet` with these arguments, in a process of its own, whose memory is then free again."""
    subprocess.run(
        [sys.executable, "-m", "vggnet", *command], check=True, stdout=subprocess.DEVNULL
    )


def rows_of(tables: dict[str, ScoresTable], bases: dict[str, ScoresTable]) -> list[dict[str, Any]]:
    """A row a table: accuracies, fractions of 1, and the gain over its base, with intervals."""
    rows = []
    for row, table in tables.items():
        found = report_of(table)
        ours, theirs = (fused([each]) for each in (table, bases[row]))  # in one order
        ranks = [rank_of_target(each.scores_NK, each.target) for each in (ours, theirs)]
        gain1, interval1 = gain_interval(ranks[0] < 1, ranks[1] < 1)
        gain5, interval5 = gain_interval(ranks[0] < 5, ranks[1] < 5)
        rows.append(
            {
                "row": row,
                "scales": scales_of(tables, row),
                "top1": found.top1,
                "top5": found.top5,
                "intervals": found.intervals,
                "gain": {"top1": gain1, "top5": gain5},
                "gain_intervals": {"top1": interval1, "top5": interval5},
                "calibration_error": found.calibration.error if found.calibration else None,
            }
        )
    return rows


def scales_of(tables: dict[str, ScoresTable], row: str) -> list[int]:
    record = tables["multicrop" if row == FUSED_ROW else row].record
    return list(record["nets"][0]["protocol"]["scales"])


def result(
    name: str,
    tables: dict[str, ScoresTable],
    bases: dict[str, ScoresTable],
    over: str,
    nets: list[dict[str, Any]],
) -> dict[str, Any]:
    record = tables[BASE].record
    return {
        "name": name,
        "nets": nets,
        "over": over,
        "data": record["data"]["name"],
        "split": record["split"],
        "pictures": len(tables[BASE].index),
        "of": record["data"]["pictures"],
        "engine": record["engine"],
        "precision": record["precision"],
        "commit": record["commit"],
        **machine(),
        "rows": rows_of(tables, bases),
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
    assert set(NAMES) >= {BASE, "multi-scale", "multicrop", FUSED_ROW}
    tables, nets = {}, {}
    for name, each in weights.items():
        start = time.perf_counter()
        folder = arguments.folder / f"{name}_{arguments.limit or 'all'}"
        tables[name] = scores(data, each, arguments.limit, folder)
        nets[name] = net_of(name, each, tables[name][BASE])
        over = dict.fromkeys(tables[name], tables[name][BASE])
        found = result(name, tables[name], over, "centre", [nets[name]])
        print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        print(report.write(f"protocols_{name}.json", found), file=sys.stderr)
    names = list(weights)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            pair = {row: fused([tables[first][row], tables[second][row]]) for row in tables[first]}
            name = f"{first}+{second}"
            found = result(name, pair, tables[first], first, [nets[first], nets[second]])
            print(report.write(f"protocols_{name}.json", found), file=sys.stderr)


if __name__ == "__main__":
    main()
