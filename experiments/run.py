"""Run the experiments of several claims, one after the other, the most important first.

In: Tiny-ImageNet. Out: results/SCALE.jsonl, a line a run; what is there is not run again, and what
was begun goes on.
"""

import argparse
import importlib
import sys

from harness.command import ClaimOf, parser_of, run

CLAIMS = (
    "kernels", "nonlinearity", "head", "depth", "training_scale", "protocols", "learning_rate",
    "initialization", "levers",
)  # fmt: skip


def claims(names: str) -> tuple[ClaimOf, ...]:
    """The claims of these names, joined by commas."""
    unknown = [name for name in names.split(",") if name not in CLAIMS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}: there are {','.join(CLAIMS)}")
    return tuple(importlib.import_module(name).claim for name in names.split(","))


if __name__ == "__main__":
    parser = parser_of("Run the experiments of several claims, the most important first.")
    parser.add_argument(
        "--claims", type=claims, default=",".join(CLAIMS), help="some of them, joined by commas"
    )
    options = parser.parse_args()
    sys.exit(run(options.claims, options))
