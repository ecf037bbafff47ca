"""Claim: FC1 holds most parameters and can go (Section 2.3 and Table 2 of the paper for its size).

The convolutions of D, without the last pools so that a map of 4x4 is left, as 7x7 is at 224 pixels;
on them FC-4096-4096, narrower ones, one FC layer, and the global average of later nets.
"""

from harness import nets
from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale


def claim(scale: Scale) -> Claim:
    body = nets.with_map_of(4, "D", scale.recipe.input_size)
    heads = {
        "FC-4096 FC-4096": "FC-4096 FC-4096 FC-1000 soft-max",
        "FC-512 FC-512": "FC-512 FC-512 FC-1000 soft-max",
        "one FC": "FC-1000 soft-max",
        "global average": "avgpool FC-1000 soft-max",
    }
    arms = [Arm(name, {"config": nets.text(body, head)}) for name, head in heads.items()]
    largest = arms[0].name
    return Claim(
        "head",
        tuple(arms),
        tuple((arm.name, largest) for arm in arms[1:]),
        measures=("loss", "calibration_error"),
    )


if __name__ == "__main__":
    main(claim)
