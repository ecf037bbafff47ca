"""Claim: deeper is better, and local response normalisation does not help (Section 4.1, Table 3).

A, A-LRN, B, C, D and E, with and without batch norm, which the paper did not have. At the scale
`small` rates of the nets without are tried and no more: most of them are still near chance when a
trial ends, which then tells how soon they begin to learn and not how good they become.
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
            *(
                Arm(
                    plain[each],
                    {"config": each, "batch_norm": False},
                    only_tried=scale.name == "small",
                )
                for each in CONFIGS
            ),
        ),
        (*STEPS, *((plain[one], plain[other]) for one, other in STEPS)),
        series=(
            Series("batch norm", {config: config for config in CONFIGS}),
            Series("plain", plain),
        ),
    )


if __name__ == "__main__":
    main(claim)
