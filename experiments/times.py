"""What a picture takes in each net of the claims that ask for it: run it on a quiet machine.

In: this machine's engines. Out: results/times.json, milliseconds a picture by net and engine. The
weights are random, which no engine minds; batch norm is folded, as in a file that is saved.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from harness.one_run import net_text
from harness.scales import SCALES, recipe
from run import CLAIMS, claims

from vggnet import engines
from vggnet.machine import instruction_set, processor_name, usable_cores
from vggnet.spec import Spec
from vggnet.weights.random_weights import random_state
from vggnet.weights.rewrite import fold_batch_norm

BATCH = 16


def nets() -> dict[str, Spec]:
    """The nets to be timed, by their text."""
    scale = SCALES["small"]
    specs = [
        recipe(scale, arm.changes, 0.1, 0).spec(scale.classes or 200)
        for claim in claims(",".join(CLAIMS))
        if claim(scale).timed
        for arm in claim(scale).arms
    ]
    return {net_text(spec): spec for spec in specs}


def caller(spec: Spec, engine: str, threads: int) -> Callable[[], object]:
    """A call of the engine with a batch."""
    run = engines.create(engine, *fold_batch_norm(spec, random_state(spec)), threads=threads)
    shape = (BATCH, 3, spec.input_size, spec.input_size)
    images_NCHW = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return lambda: run(images_NCHW)


def milliseconds(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """The median of each over the rounds, divided by a batch's pictures.

    They are called in turns, so that what slows the machine for a while slows all of them.
    """
    seconds: dict[str, list[float]] = {text: [] for text in calls}
    for repeat in range(repeats + 1):
        for text, call in calls.items():
            begun = time.perf_counter()
            call()
            if repeat:
                seconds[text].append(time.perf_counter() - begun)
    return {text: 1e3 * statistics.median(found) / BATCH for text, found in seconds.items()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--engines", default="native,torch", help="joined by commas")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--repeats", type=int, default=500)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results")
    options = parser.parse_args(arguments)
    specs, found = nets(), {}
    for engine in options.engines.split(","):  # whose idle threads may spin beside the next one's
        calls = {text: caller(spec, engine, options.threads) for text, spec in specs.items()}
        found[engine] = milliseconds(calls, options.repeats)
    by_net = {text: {engine: round(found[engine][text], 4) for engine in found} for text in specs}
    where = {
        "machine": processor_name(),
        "instruction_set": instruction_set(),
        "threads": options.threads,
        "batch": BATCH,
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "times.json").write_text(json.dumps({**where, "nets": by_net}, indent=1) + "\n")


if __name__ == "__main__":
    main()
