"""Claim: more views of a picture are better, and dense maps and crops are so together (Table 5).

B trained at jittered S, tested by each of the protocols of `vggnet evaluate`. One seed.
"""

from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale
from training_scale import scales

PROTOCOLS = ("centre", "single", "multi-scale", "multicrop", "both")


def claim(scale: Scale) -> Claim:
    changes = {"config": "B", "short_side": scales(scale)[-1]}
    arms = tuple(Arm(each, changes, protocol=each) for each in PROTOCOLS)
    differences = (
        ("single", "centre"),
        ("multi-scale", "single"),
        ("multicrop", "multi-scale"),
        ("both", "multi-scale"),
        ("both", "multicrop"),
    )
    return Claim("protocols", arms, differences, seeds=1, measures=("loss", "calibration_error"))


if __name__ == "__main__":
    main(claim)
