"""Claim: deep nets do not train from N(0, variance 1e-2), but do from Glorot's, or from layers of A
(Section 3.1).

A and E without batch norm, from the paper's variance, Glorot's and He's; and E from the four
convolutions and the FC layer of the A that was drawn with the paper's variance, as its other
layers are here. Trials of a rate take twice as long as elsewhere, since such nets learn late. One
seed. At full width the printed variance leaves A no finite loss (docs/training.md), so that none
can start from it there.
"""

from typing import get_args

from harness.claims import Arm, Claim, Series
from harness.command import main
from harness.scales import Scale

from vggnet.torch_network import Initialization

CONFIGS, DEEPER = ("A", "E"), ("E",)


def claim(scale: Scale) -> Claim:
    def arm(config: str, how: str) -> Arm:
        changes = {"config": config, "batch_norm": False, "initialization": how}
        return Arm(f"{config} plain {how}", changes, rate_epochs=2 * scale.rate_epochs)

    def from_a(config: str) -> Arm:
        changes = {"config": config, "batch_norm": False, "initialization": "paper"}
        return Arm(
            f"{config} plain from A",
            changes,
            rate_epochs=2 * scale.rate_epochs,
            weights_of={"init_from": arm("A", "paper")},
        )

    ways = get_args(Initialization)
    arms = [arm(config, how) for how in ways for config in CONFIGS]
    arms += [from_a(config) for config in DEEPER]
    differences = [
        (f"{config} plain he", f"{config} plain {how}")
        for config in CONFIGS
        for how in ("glorot", "paper")
    ]
    differences += [(f"{each} plain from A", f"{each} plain paper") for each in DEEPER]
    series = [Series(how, {config: f"{config} plain {how}" for config in CONFIGS}) for how in ways]
    series.append(Series("from A", {each: f"{each} plain from A" for each in DEEPER}))
    return Claim("initialization", tuple(arms), tuple(differences), seeds=1, series=tuple(series))


if __name__ == "__main__":
    main(claim)
