"""The command of every claim's script, and of run.py for several claims.

In: claims, the command line. Out: results in a file, a line for each run on standard error.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import made_up, pictures
from harness.claims import Claim
from harness.jobs import Job, all_jobs, distinct, to_do
from harness.one_run import Place
from harness.results import RANGE_TEST, Results, accuracy
from harness.scales import SCALES, Scale
from harness.side_by_side import carry_out
from vggnet.analysis import analyze
from vggnet.cli.stopping import StopRequest
from vggnet.machine import usable_cores
from vggnet.training.batches.pictures import steps_per_epoch
from vggnet.training.hardware import choose
from vggnet.training.record import provenance

EXPERIMENTS = Path(__file__).parent.parent
ClaimOf = Callable[[Scale], Claim]


def main(claim: ClaimOf) -> None:
    """Run one claim as the command line says; its script's docstring says what it is about."""
    description = (sys.modules["__main__"].__doc__ or "").partition("\n\n")[0]
    sys.exit(run((claim,), parser_of(description).parse_args()))


def parser_of(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "data", nargs="?", type=Path, help="Tiny-ImageNet, as `vggnet train` takes it"
    )
    parser.add_argument(
        "--scale", choices=[*SCALES], default="small", help="how large nets and data are"
    )
    parser.add_argument(
        "--quick", action="store_true", help="scale quick, on pictures made up for it"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be run, and end")
    parser.add_argument("--seeds", type=int, help="fewer seeds than each claim asks for")
    parser.add_argument("--jobs", type=int, default=1, help="runs side by side")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, help="of a run; by default its share of the cores")
    parser.add_argument("--workers", type=int, default=1, help="processes a run that crop pictures")
    parser.add_argument("--seconds", type=float, help="end in order after so long; again goes on")
    parser.add_argument(
        "--out", type=Path, default=EXPERIMENTS / "results", help="folder of the results"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("runs/experiments"), help="folder of pictures and runs"
    )
    parser.add_argument("--commit", help="that of the code, where it is no checkout")
    return parser


def run(claims: tuple[ClaimOf, ...], options: argparse.Namespace) -> int:
    """The exit status: 0, 1 where runs failed, 2 for a user's mistake, 128 + a signal's number."""
    begun = time.monotonic()
    try:
        if not options.quick:
            return _run(claims, options, begun)
        with tempfile.TemporaryDirectory() as folder:
            return _run(claims, _quick(options, Path(folder)), begun)
    except (ValueError, OSError) as error:
        _say(f"Error: {error}")
        return 2


def recorded(words: Sequence[str], data: Path) -> str:
    """A command line as results keep it: without the folders, which are of one machine only."""
    folders = argparse.ArgumentParser(add_help=False)
    for name in ("--work", "--out"):
        folders.add_argument(name)
    _, left = folders.parse_known_args(list(words[1:]))
    named = ["DATA" if word == str(data) else word for word in left]
    return shlex.join([Path(words[0]).name, *named])


def _quick(options: argparse.Namespace, folder: Path) -> argparse.Namespace:
    """The same options for the scale quick; results go to --out only where that was given."""
    data = made_up.write(folder / "data")
    changed = {"scale": "quick", "data": data, "work": folder / "work", "threads": 1, "workers": 0}
    if options.out == EXPERIMENTS / "results":
        changed["out"] = folder / "results"
    return argparse.Namespace(**{**vars(options), **changed})


def _run(claims: tuple[ClaimOf, ...], options: argparse.Namespace, begun: float) -> int:
    scale = SCALES[options.scale]
    results = Results(options.out / f"{scale.name}.jsonl", scale)
    chosen = [claim(scale) for claim in claims]
    jobs = all_jobs(chosen, results, options.seeds)
    left = to_do(jobs, results)
    _say(f"{len(left)} runs are to be done, {len(distinct(jobs, results))} asked for")
    if options.dry_run:
        _plan(chosen, scale, left)
        return 0
    if options.data is None:
        raise ValueError("where are the pictures? Give the folder of Tiny-ImageNet, or --quick")
    if options.jobs < 1:
        raise ValueError(f"--jobs {options.jobs} must be 1 or more")
    threads = options.threads or max(1, usable_cores() // options.jobs)
    hardware = choose(options.device, threads, "fp32")
    place = Place(options.work, scale.name, hardware.device, hardware.threads, options.workers)
    digests = set()
    for side in sorted({side for job in left for side in job.sides(scale)}):
        path = pictures.prepare(options.data, scale, side, options.work)
        digests.add(pictures.part(path, "training").digest)
    other = {each["pictures"]["digest"] for each in results} - digests
    if left and other:
        raise ValueError(f"{results.path}: its results are of other pictures than {options.data}")
    _say(f"pictures are ready after {time.monotonic() - begun:.1f} s")
    record = {
        "commit": options.commit or provenance.commit_of(Path(provenance.__file__)),
        "command": recorded(sys.argv, options.data),
        "side_by_side": options.jobs,
    }
    with StopRequest() as request:

        def should_stop() -> bool:
            over = options.seconds is not None and time.monotonic() - begun > options.seconds
            return request.requested() or over

        def report(job: Job, result: dict[str, Any], num_left: int) -> None:
            found = _shown(job, result)
            elapsed = time.monotonic() - begun
            _say(f"{elapsed:6.0f} s  {job.name}: {found} in {result['seconds']} s, {num_left} left")

        faults = carry_out(jobs, results, place, options.jobs, record, should_stop, report)
    for fault in faults:
        _say(fault)
    _say(f"{len(to_do(jobs, results))} runs are left after {time.monotonic() - begun:.0f} s")
    return request.exit_status or (1 if faults else 0)


def _shown(job: Job, result: dict[str, Any]) -> str:
    if job.what == RANGE_TEST:
        return f"suggestion {result['find_lr']['suggestion']}"
    if "diverged" in result:
        return "diverged"
    return f"{accuracy(result, 'choosing' if job.rate else 'tested'):.1%}"


def _plan(claims: list[Claim], scale: Scale, left: list[Job]) -> None:
    """What the arms cost, on standard output, and what is left of each claim."""
    recipe, classes = scale.recipe, scale.classes or 200
    pictures = classes * (500 - scale.choosing - scale.kept_apart)
    steps = steps_per_epoch(recipe, pictures)
    print(f"{scale.name}: {len(recipe.epoch_sizes)} epochs of {steps} steps; {asdict(recipe)}")
    for claim in claims:
        runs = [job for job in left if job.arm in (*claim.arms, *claim.range_tests)]
        macs = pictures * sum(
            analyze(job.arm_recipe(scale).spec(classes)).macs * job.epochs(scale) for job in runs
        )
        seeds = f"{claim.seeds} seed{'s' * (claim.seeds > 1)}"
        print(f"\n{claim.name}, {seeds}: {len(runs)} runs left, {macs / 1e12:.0f} TMACs forward")
        for arm in claim.arms:
            cost = analyze(Job(arm).arm_recipe(scale).spec(classes))
            print(f"  {arm.name:28} {cost.parameters:>12,} parameters {cost.macs:>14,} MACs")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
