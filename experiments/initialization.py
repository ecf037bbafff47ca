"""Claim: deep nets do not train from N(0, variance 1e-2), but do from Glorot's (Section 3.1).

A, B, D and E without batch norm, from the paper's variance, Glorot's and He's. One seed.
"""

from typing import get_args

from harness.claims import Arm, Claim, Series
from harness.command import main
from harness.scales import Scale

from vggnet.torch_network import Initialization

CONFIGS = ("A", "B", "D", "E")


def claim(scale: Scale) -> Claim:
    def name(config: str, how: str) -> str:
        return f"{config} plain" if how == "he" else f"{config} plain {how}"

    arms = tuple(
        Arm(name(config, how), {"config": config, "batch_norm": False, "initialization": how})
        for config in CONFIGS
        for how in get_args(Initialization)
    )
    differences = tuple(
        (name(config, "he"), name(config, how)) for config in CONFIGS for how in ("glorot", "paper")
    )
    series = tuple(
        Series(how, {config: name(config, how) for config in CONFIGS})
        for how in get_args(Initialization)
    )
    return Claim("initialization", arms, differences, seeds=1, series=series)


if __name__ == "__main__":
    main(claim)
