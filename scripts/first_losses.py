"""Says whether the embedded model's recorded command still gives the first losses of its log.

In: the folder of Tiny-ImageNet, by default the one that the command names; the metadata of the
embedded model; docs/tiny-imagenet/metrics.jsonl. Out: a line, and exit status 1 where losses
differ: in any bit of 50 steps on the device and the torch that it was trained with, by more than
0.2% in 20 steps in fp32 elsewhere, where rounding differs (0.08% was seen on a CPU). Takes minutes.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from vggnet.training.hardware import Hardware
from vggnet.training.record.provenance import provenance
from vggnet.weights.named import load_weights

LOG = Path(__file__).parent.parent / "docs" / "tiny-imagenet" / "metrics.jsonl"
WITHIN = 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", help="by default what the recorded command names")
    given = parser.parse_args().data
    training: Any = load_weights("tiny-imagenet").training
    _, _, data, *options = shlex.split(training["command"])
    data = given or data
    options = [option for option in options if option != "--resume"]
    alike = is_here(training)
    steps = 50 if alike else 20
    with tempfile.TemporaryDirectory() as folder:
        options += ["--out", folder, "--stop-after", str(steps)]  # the last of an option counts
        if alike:
            options += [
                "--threads", str(training["threads"]), "--device", training["device"],
                "--precision", training["precision"], "--convolutions", training["convolutions"],
            ]  # fmt: skip
        else:
            options += ["--precision", "fp32"]
        subprocess.run([sys.executable, "-m", "vggnet", "train", data, *options], check=True)
        found = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    logged = LOG.read_text().splitlines()[:steps]
    furthest = 0.0
    for step, (ours, theirs) in enumerate(zip(found, logged, strict=True), 1):
        mine, recorded = json.loads(ours)["loss"], json.loads(theirs)["loss"]
        furthest = max(furthest, abs(mine / recorded - 1))
        if ours != theirs if alike else furthest > WITHIN:
            sys.exit(f"step {step} differs: {ours} and, in {LOG}, {theirs}")
    how = "to the bit" if alike else f"within {furthest:.2%}, on another machine than it was"
    print(f"the first {steps} lines are those of {LOG}, {how}")


def is_here(training: dict[str, Any]) -> bool:
    """Whether the machine and the torch that the model was trained with are here."""
    if training["device"] != "cpu" and not torch.cuda.is_available():
        return False
    here = provenance(Hardware(training["device"], training["threads"], training["precision"]))
    return all(here[name] == training[name] for name in ("machine", "torch"))


if __name__ == "__main__":
    main()
