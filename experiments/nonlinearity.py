"""Claim: the ReLUs between the kernels of a stack are part of its gain (Section 2.3).

The stacks of B and D without the ReLUs between, which then compute no more than one large kernel
does, beside the stacks themselves and the single kernels.
"""

from harness import nets
from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale


def claim(scale: Scale) -> Claim:
    arms, differences = [], []
    for config, single in (("B", "B 5x5"), ("D", "D 7x7")):
        linear = f"{config} without inner ReLUs"
        arms += [
            Arm(config, {"config": config}),
            Arm(linear, {"config": nets.linear_between(config)}),
            Arm(single, {"config": nets.single_kernels(config)}),
        ]
        differences += [(config, linear), (linear, single)]
    return Claim("nonlinearity", tuple(arms), tuple(differences))


if __name__ == "__main__":
    main(claim)
