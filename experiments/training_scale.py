"""Claim: pictures of many sizes are better to train on than those of one (Tables 3 and 4).

B trained at S = 37 and 55, as 256 and 384 are to 224 pixels, and at S jittered between 37 and 73,
as 256 to 512; tested as Table 3 does (Q = S, or the middle) and as Table 4 does (three Q). One
seed.
"""

from harness.claims import Arm, Claim
from harness.command import main
from harness.scales import Scale

PROTOCOLS = {"single": "one Q", "multi-scale": "three Q"}


def scales(scale: Scale) -> tuple[str, ...]:
    """S of 256, 384 and [256; 512] at 224 pixels, for the scale's own input."""
    small, middle, large = (round(side * scale.recipe.input_size / 224) for side in (256, 384, 512))
    return str(small), str(middle), f"{small}-{large}"


def name(short_side: str, protocol: str) -> str:
    return f"S {short_side}, {PROTOCOLS[protocol]}"


def claim(scale: Scale) -> Claim:
    fixed, larger, jittered = scales(scale)
    arms = tuple(
        Arm(name(each, protocol), {"config": "B", "short_side": each}, protocol=protocol)
        for protocol in PROTOCOLS
        for each in (fixed, larger, jittered)
    )
    differences = tuple(
        (name(jittered, protocol), name(each, protocol))
        for protocol in PROTOCOLS
        for each in (fixed, larger)
    )
    return Claim("training_scale", arms, differences, seeds=1)


if __name__ == "__main__":
    main(claim)
