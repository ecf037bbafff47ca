"""`vggnet benchmark`: how long this machine takes for an answer, engine by engine.

In: a model, a batch size. Out: milliseconds a picture for every engine that is there, measured in
turns, and what each computed in; with --layers where the native engine's time goes, against the
most that the machine does; with --train pictures a second of a training step.
"""

from __future__ import annotations

import statistics
import time
from math import prod
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich import box
from rich.table import Table

from vggnet.cli.options import Whole, command, format_option, precision_option, threads_option
from vggnet.cli.output import Format, note, print_json
from vggnet.cli.tables import standard_output

if TYPE_CHECKING:
    from vggnet.engines import Engine
    from vggnet.engines.native import NativeEngine
    from vggnet.spec import Spec
    from vggnet.weights.weights import State

_SLOW = 1.0  # seconds from which an engine is asked three times only
_MOST_BYTES = 4 << 30  # of the activations that --layers may hold


@command(
    "vggnet benchmark",
    "vggnet benchmark --weights vgg16 --batch 8 --precision bf16",
    "vggnet benchmark --weights vgg16 --layers",
    "vggnet benchmark --train --batch 64",
)
@click.option(
    "--weights",
    metavar="FILE|NAME",
    default="tiny-imagenet",
    help="tiny-imagenet, a weight file, or a configuration such as vgg16 with random weights.",
)
@click.option(
    "--batch",
    type=Whole(1, 1024),
    help="Pictures a call or step.  [default: 1; 32 with --train]",
)
@precision_option
@threads_option
@click.option("--repeats", type=Whole(1, 1000), default=20, help="Calls of each engine.")
@click.option(
    "--train",
    is_flag=True,
    help="Time steps of training by the native engine's convolutions and by torch's, all in the "
    "precisions that they have here.",
)
@click.option(
    "--layers",
    is_flag=True,
    help="Show the native engine step by step: each for the whole batch before the next begins, "
    "where an ordinary call takes a part of it through several steps.",
)
@format_option("table", "json")
def benchmark(
    weights: str,
    batch: int | None,
    precision: str,
    threads: int | None,
    repeats: int,
    train: bool,
    layers: bool,
    format: Format,
) -> None:
    """Time the engines on this machine.

    They answer random pictures in turns; medians are shown.
    """
    if train:
        _show_training(weights, batch or 32, precision, threads, repeats, layers, format)
        return
    batch = batch or 1
    spec, state = _network(weights)
    if layers:
        _check_memory(spec, batch)
    shape = (batch, 3, spec.input_size, spec.input_size)
    images_NCHW = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    if layers:
        _show_layers(_native(spec, state, precision, threads), images_NCHW, repeats, format)
        return
    engines = _engines(spec, state, precision, threads)
    if "numpy" not in engines:
        note("numpy is left out: it computes in fp32 with the threads of its library")
    seconds = _in_turns(engines, images_NCHW, repeats)
    report = {
        "weights": weights,
        "batch": batch,
        "repeats": repeats,
        "engines": {
            name: {
                "precision": engines[name].precision,
                "milliseconds_per_image": 1e3 * statistics.median(each) / batch,
            }
            for name, each in seconds.items()
        },
    }
    if format == "json":
        print_json(report)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("engine")
    table.add_column("precision")
    table.add_column("ms a picture", justify="right")
    for name, entry in report["engines"].items():  # type: ignore[attr-defined]
        table.add_row(name, entry["precision"], f"{entry['milliseconds_per_image']:.2f}")
    standard_output().print(table)


def _show_training(
    weights: str, batch: int, precision: str, threads: int | None, repeats: int, layers: bool,
    format: Format,
) -> None:  # fmt: skip
    from vggnet.cli.benchmark_training import show_training
    from vggnet.configurations import configuration
    from vggnet.weights import load

    if layers or precision != "fp32":
        what = "--layers" if layers else "--precision"
        raise ValueError(f"--train times whole steps in every precision: leave {what} out")
    try:
        spec = configuration(weights)
    except ValueError:
        spec = load(weights).spec
    show_training(spec, weights, batch, threads, repeats, format)


def _network(weights: str) -> tuple[Spec, State]:
    """Spec and state, batch norm folded; random weights for a configuration's name."""
    from vggnet.configurations import configuration
    from vggnet.weights import load
    from vggnet.weights.random_weights import random_state
    from vggnet.weights.rewrite import fold_batch_norm

    try:
        spec = configuration(weights)
    except ValueError:
        loaded = load(weights)
        return fold_batch_norm(loaded.spec, loaded.state)
    return fold_batch_norm(spec, random_state(spec))


def _check_memory(spec: Spec, batch: int) -> None:
    """Raises ValueError where timing step by step would hold too much.

    The native code then has the input and the output of a step for the whole batch, and a third map
    for the answer, each as large as the largest one; pixels have 16 channels or more.
    """
    largest = max(max(16, layer.output[0]) * prod(layer.output[1:]) for layer in spec.layers)
    bytes_per_picture = 3 * 4 * largest
    if batch * bytes_per_picture > _MOST_BYTES:
        most = _MOST_BYTES // bytes_per_picture
        what = f"--batch {most} or less" if most else "smaller pictures"
        raise ValueError(
            f"--layers with {batch} pictures would hold {batch * bytes_per_picture / 2**30:.1f} "
            f"GiB of activations, and may hold {_MOST_BYTES >> 30}; take {what}"
        )


def _native(spec: Spec, state: State, precision: str, threads: int | None) -> NativeEngine:
    from vggnet import engines

    return engines.create("native", spec, state, precision=precision, threads=threads)  # type: ignore[return-value]


def _engines(spec: Spec, state: State, precision: str, threads: int | None) -> dict[str, Engine]:
    """All that are there; NumPy knows neither bf16 nor a number of threads."""
    from vggnet import engines

    found = {}
    for name, absence in engines.available().items():
        if absence is None and (name != "numpy" or (precision == "fp32" and threads is None)):
            found[name] = engines.create(name, spec, state, precision=precision, threads=threads)
    return found


def _in_turns(engines: dict[str, Engine], images_NCHW: Any, repeats: int) -> dict[str, list[float]]:
    """Seconds of every call. Each engine is called once before; a slow one three times only."""
    first = {name: _seconds(engine, images_NCHW) for name, engine in engines.items()}
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for repeat in range(repeats):
        for name, engine in engines.items():
            if repeat < 3 or first[name] < _SLOW:
                time.sleep(0.02)  # the threads of the one before spin for a while
                _seconds(engine, images_NCHW)
                seconds[name].append(_seconds(engine, images_NCHW))
    return seconds


def _seconds(engine: Engine, images_NCHW: Any) -> float:
    start = time.perf_counter()
    engine(images_NCHW)
    return time.perf_counter() - start


def _show_layers(engine: NativeEngine, images_NCHW: Any, repeats: int, format: str) -> None:
    """The least seconds of each step, timed by itself for all the pictures of the batch.

    For a batch that is another order than that of an ordinary call, so the steps need not add up
    to its time.
    """
    batch = len(images_NCHW)
    # Before and after, since a clock that changes, or a neighbour, would put steps above the peak.
    peaks = [engine.peak()]
    timed = engine.time_steps(images_NCHW, repeats)
    peaks.append(engine.peak())
    peak = max(*peaks, *(step.products * batch / seconds for step, seconds in timed))
    rows = [
        {
            "layers": list(step.layers),
            "algorithm": step.algorithm,
            "milliseconds_per_image": 1e3 * seconds / batch,
            "gflops": 2 * step.products * batch / seconds / 1e9,
            "share_of_peak": step.products * batch / seconds / peak,
        }
        for step, seconds in timed
    ]
    if format == "json":
        made_for = {
            "batch": batch,
            "precision": engine.precision,
            "instruction_set": engine.kernels.name,
            "threads": engine.threads,
        }
        print_json({**made_for, "peak_gflops": 2 * peak / 1e9, "steps": rows})
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in ("layers", "algorithm"):
        table.add_column(header, no_wrap=True)
    for header in ("ms a picture", "GFLOP/s", "of the peak"):
        table.add_column(header, justify="right")
    for row in rows:
        products = row["gflops"] > 0  # type: ignore[operator]
        table.add_row(
            " ".join(row["layers"]),  # type: ignore[arg-type]
            str(row["algorithm"]),
            f"{row['milliseconds_per_image']:.3f}",
            f"{row['gflops']:.1f}" if products else "",
            f"{row['share_of_peak']:.0%}" if products else "",
        )
    console = standard_output()
    console.print(table)
    console.print(
        f"\npeak {2 * peak / 1e9:.0f} GFLOP/s with {engine.threads} threads "
        f"({engine.kernels.name}, {engine.precision}): products alone, in the nearest "
        "cache, or the fastest step",
        soft_wrap=True,
    )
