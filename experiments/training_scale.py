"""Claim: a training scale that is jittered is better than a fixed one (Section 4.1, Table 3).

D with S fixed, as to the paper's 256 and 384, and drawn from as to 256 to 512. One seed.
"""

from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale


def claim(scale: Scale) -> Claim:
    low, middle, high = (round(scale.recipe.input_size * s / 224) for s in (256, 384, 512))
    arms = (
        Arm("D", {"config": "D"}),
        Arm("D, larger S", {"config": "D", "short_side": str(middle)}),
        Arm("D, jittered S", {"config": "D", "short_side": f"{low}-{high}"}),
    )
    differences = (("D, jittered S", "D"), ("D, jittered S", "D, larger S"))
    return Claim("training_scale", arms, differences, seeds=1)


if __name__ == "__main__":
    main(claim)
