"""Claim: batch norm lets rates be higher, and forgives a wrong one (Ioffe and Szegedy 2015; the
paper starts from 0.01 without it).

D with and without batch norm over a wide range of rates, and what `vggnet find-lr` says of both on
the same pictures. One seed.
"""

from harness.claims import Arm, Claim, Series
from harness.command import main
from harness.scales import Scale

RATES = (0.002, 0.006, 0.02, 0.06, 0.2, 0.6, 2.0)


def claim(scale: Scale) -> Claim:
    def name(batch_norm: bool, rate: float) -> str:
        return f"D{'' if batch_norm else ' plain'} at rate {rate:g}"

    forms = {"batch norm": True, "plain": False}
    arms = tuple(
        Arm(
            name(batch_norm, rate),
            {"config": "D", "batch_norm": batch_norm, "learning_rate": rate},
            tuned=False,
        )
        for batch_norm in forms.values()
        for rate in RATES
    )
    series = tuple(
        Series(form, {rate: name(batch_norm, rate) for rate in RATES})
        for form, batch_norm in forms.items()
    )
    asked = tuple(
        Arm(f"D, {form}", {"config": "D", "batch_norm": batch_norm}, tuned=False)
        for form, batch_norm in forms.items()
    )
    return Claim("learning_rate", arms, (), seeds=1, series=series, range_tests=asked)


if __name__ == "__main__":
    main(claim)
