"""Claim: a stack of 3x3 kernels is better than one large kernel that sees as much (Section 2.3).

B against one 5x5 for each pair, D against one 7x7 for each triple, as wide and as costly, and both
against large kernels as AlexNet has them. The paper: B with 5x5 kernels errs 7 points more (top-1).
"""

from harness import nets
from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale


def claim(scale: Scale) -> Claim:
    def as_costly(config: str, like: str) -> dict[str, object]:
        return {"config": config, "width": nets.width_of_equal_cost(scale.recipe, config, like)}

    fives, sevens = nets.single_kernels("B"), nets.single_kernels("D")
    return Claim(
        "kernels",
        (
            Arm("B", {"config": "B"}),
            Arm("B 5x5", {"config": fives}),
            Arm("B 5x5 at equal MACs", as_costly(fives, "B")),
            Arm("D", {"config": "D"}),
            Arm("D 7x7", {"config": sevens}),
            Arm("D 7x7 at equal MACs", as_costly(sevens, "D")),
            Arm("11x11 and 5x5 at D's MACs", as_costly(nets.ALEXNET_LIKE, "D")),
        ),
        (
            ("B", "B 5x5"),
            ("B", "B 5x5 at equal MACs"),
            ("D", "D 7x7"),
            ("D", "D 7x7 at equal MACs"),
            ("D", "11x11 and 5x5 at D's MACs"),
        ),
        timed=True,
    )


if __name__ == "__main__":
    main(claim)
