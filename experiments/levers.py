"""What each lever of the recipe gives B: pictures changed more, targets mixed, a teacher. One seed.

TrivialAugment, erasing, mixup, CutMix, both of these in half of the batches, and distillation from
the run of D with the same seed. They are meant for trainings longer than this one.
"""

from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale

LEVERS = {
    "TrivialAugment": {"trivial_augment": True},
    "erasing": {"erasing": 0.25},
    "mixup": {"mixup": 0.2},
    "CutMix": {"cutmix": 1.0},
    "mixup and CutMix, half": {"mixup": 0.2, "cutmix": 1.0, "mix_share": 0.5},
}


def claim(scale: Scale) -> Claim:
    arms = [Arm("B", {"config": "B"})]
    arms += [Arm(f"B + {name}", {"config": "B", **each}) for name, each in LEVERS.items()]
    teacher = Arm("D", {"config": "D"})
    arms.append(Arm("B + teacher D", {"config": "B"}, weights_of={"teacher": teacher}))
    # The teacher is run before it is waited for.
    arms.insert(0, teacher)
    return Claim(
        "levers",
        tuple(arms),
        tuple((arm.name, "B") for arm in arms if arm.name.startswith("B +")),
        seeds=1,
        measures=("loss", "calibration_error"),
    )


if __name__ == "__main__":
    main(claim)
