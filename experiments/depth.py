"""Claim: deeper is better, and local response normalisation does not help (Section 4.1, Table 3).

A, A-LRN, B, C, D and E, with and without batch norm, which the paper did not have.
"""

from harness.claims import Arm, Claim, Series
from harness.command import main
from harness.scales import Scale

CONFIGS = ("A", "A-LRN", "B", "C", "D", "E")
STEPS = (("A-LRN", "A"), ("B", "A"), ("C", "B"), ("D", "C"), ("D", "B"), ("E", "D"))


def claim(scale: Scale) -> Claim:
    plain = {config: f"{config} plain" for config in CONFIGS}
    return Claim(
        "depth",
        (
            *(Arm(config, {"config": config}) for config in CONFIGS),
            *(Arm(plain[each], {"config": each, "batch_norm": False}) for each in CONFIGS),
        ),
        (*STEPS, *((plain[one], plain[other]) for one, other in STEPS)),
        series=(
            Series("batch norm", {config: config for config in CONFIGS}),
            Series("plain", plain),
        ),
    )


if __name__ == "__main__":
    main(claim)
