"""Says whether the embedded model's recorded command still gives the first losses of its log.

In: the folder of Tiny-ImageNet, by default the one that the command names; the metadata of the
embedded model; docs/tiny-imagenet/metrics.jsonl. Out: a line, and exit status 1 where a loss
differs in any bit. Takes a minute or two: all pictures are decoded first.
"""

import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from vggnet.weights.named import load_weights

LOG = Path(__file__).parent.parent / "docs" / "tiny-imagenet" / "metrics.jsonl"
STEPS = 50


def main() -> None:
    training: Any = load_weights("tiny-imagenet").training
    _, _, data, *options = shlex.split(training["command"])
    data = sys.argv[1] if len(sys.argv) > 1 else data
    options = [option for option in options if option != "--resume"]
    with tempfile.TemporaryDirectory() as folder:
        options += [  # the last of an option counts
            "--out", folder, "--stop-after", str(STEPS),
            "--threads", str(training["threads"]), "--device", training.get("device", "cpu"),
            "--precision", training.get("precision", training["recipe"]["precision"]),
            "--convolutions", training.get("convolutions", "torch"),
        ]  # fmt: skip
        subprocess.run([sys.executable, "-m", "vggnet", "train", data, *options], check=True)
        found = (Path(folder) / "metrics.jsonl").read_text().splitlines()
    logged = LOG.read_text().splitlines()[:STEPS]
    pairs = zip(found, logged, strict=True)
    differing = [step for step, (ours, theirs) in enumerate(pairs, 1) if ours != theirs]
    if differing:
        step = differing[0]
        sys.exit(f"step {step} differs: {found[step - 1]} and, in {LOG}, {logged[step - 1]}")
    print(f"the first {STEPS} lines are those of {LOG}")


if __name__ == "__main__":
    main()
