"""Claim: deeper is better, and local response normalisation does not help (Section 4.1, Table 3).

A, A-LRN, B, C, D and E, with and without batch norm, which the paper did not have. At the scale
`small` rates of the nets without are tried and no more: most of them are still near chance when a
trial ends, which then tells how soon they begin to learn and not how good they become. B, D and E
are trained four times as long, too, to see whether that is what deeper nets lack.
"""

from harness.claims import Arm, Claim, Series
from harness.command import main
from harness.scales import Scale

CONFIGS = ("A", "A-LRN", "B", "C", "D", "E")
LONGER, LONGER_NETS = 4, ("B", "D", "E")
STEPS = (("A-LRN", "A"), ("B", "A"), ("C", "B"), ("D", "C"), ("D", "B"), ("E", "D"))


def claim(scale: Scale) -> Claim:
    plain = {config: f"{config} plain" for config in CONFIGS}
    (side,) = set(scale.recipe.epoch_sizes)
    epochs = LONGER * len(scale.recipe.epoch_sizes)
    # At the scale `full` all nets are trained so long.
    nets = LONGER_NETS if scale.name != "full" else ()
    longer = {config: f"{config}, {epochs} epochs" for config in nets}
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
            *(
                Arm(name, {"config": config, "sizes": f"{side}x{epochs}"})
                for config, name in longer.items()
            ),
        ),
        (
            *STEPS,
            *((plain[one], plain[other]) for one, other in STEPS),
            *((longer[one], longer[other]) for one, other in STEPS if {one, other} <= {*longer}),
            *((name, config) for config, name in longer.items()),
        ),
        series=(
            Series("batch norm", {config: config for config in CONFIGS}),
            Series("plain", plain),
            Series(f"batch norm, {epochs} epochs", longer),
        ),
    )


if __name__ == "__main__":
    main(claim)
