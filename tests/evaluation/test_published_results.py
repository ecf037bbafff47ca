"""vggnet.evaluation.published_results: which figures a measured accuracy is compared with."""

from dataclasses import replace

import pytest

from vggnet.evaluation.protocols import NAMES, Protocol, TrainingScale
from vggnet.evaluation.published_results import (
    TABLE_3,
    TABLE_4,
    Conditions,
    expected,
    sentence,
    verdict,
)

FIXED, JITTERED = TrainingScale(256, 256, "a test"), TrainingScale(256, 512, "a test")
CENTRE = Protocol("centre", "centre", (256,), False)
IMAGENET = Conditions(224, 1000, "validation")


def named(name: str, scale: TrainingScale, **changes: object) -> Protocol:
    crops, number = NAMES[name]
    return Protocol(name, crops, scale.test_scales(number), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "protocol", "scale", "errors", "source"),
    [
        (["vgg16@oxford"], "single", FIXED, (27.0, 8.8), "Table 3"),
        (["vgg16@oxford"], "single", JITTERED, (25.6, 8.1), "Table 3"),
        (["D@oxford"], "multi-scale", JITTERED, (24.8, 7.5), "Table 4"),
        (["vgg19@oxford"], "dense", FIXED, (26.9, 8.7), "Table 4"),
        (["vgg16@oxford"], "multicrop", JITTERED, (24.6, 7.5), "Table 5"),
        (["vgg19@oxford"], "both", JITTERED, (24.4, 7.1), "Table 5"),
        (["vgg19@oxford", "vgg16@oxford"], "dense", JITTERED, (24.0, 7.1), "Table 6"),
        (["vgg16@oxford", "vgg19@oxford"], "both", JITTERED, (23.7, 6.8), "Table 6"),
    ],
)
def test_the_papers_figures(
    names: list[str],
    protocol: str,
    scale: TrainingScale,
    errors: tuple[float, float],
    source: str,
) -> None:
    found = expected(names, named(protocol, scale), IMAGENET, scale)
    assert (100 * (1 - found.top1), 100 * (1 - found.top5)) == pytest.approx(errors)
    assert found.source == f"{source} of the paper"
    assert found.resolution == 5e-4


def test_the_catalogs_figures_are_for_one_centre_crop() -> None:
    found = expected(["vgg16"], CENTRE, IMAGENET)
    assert (found.top1, found.top5, found.source) == (0.71592, 0.90382, "torchvision.models")
    assert found.resolution == pytest.approx(5e-6)
    assert expected(["vgg16@keras"], CENTRE, IMAGENET).resolution == pytest.approx(5e-4)


@pytest.mark.parametrize(
    ("names", "protocol", "scale", "says"),
    [
        (["mine.safetensors"], CENTRE, None, "'mine.safetensors': none of the files whose"),
        (["tiny-imagenet"], CENTRE, None, "'tiny-imagenet': none of the files whose"),
        (["vgg16@oxford"], CENTRE, None, "no accuracy of one centre crop is published"),
        (["vgg16", "vgg19"], CENTRE, None, "no accuracy of one centre crop is published"),
        (["vgg16"], named("dense", FIXED), FIXED, "for one centre crop, not for protocol dense"),
        (["vgg16@oxford"], named("multicrop", FIXED), FIXED, r"no figures for D at S 256, from a"),
        (["vgg16@oxford"], named("dense", FIXED, flip=False), FIXED, "no figures for D"),
        (["vgg16@oxford"], named("dense", JITTERED), FIXED, "no figures .* --train-scale 256-512"),
        (["vgg16@oxford"], named("dense", FIXED), None, "no figures for D at an unknown S"),
        (["vgg16@oxford"] * 2, named("dense", JITTERED), JITTERED, "no figures for D with D"),
    ],
)
def test_where_nothing_was_published_it_says_so(
    names: list[str], protocol: Protocol, scale: TrainingScale | None, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        expected(names, protocol, IMAGENET, scale)


@pytest.mark.parametrize(
    ("protocol", "tested", "says"),
    [
        (replace(CENTRE, scales=(384,)), IMAGENET, "resize 256 and crop 224, not for 384 and 224"),
        (CENTRE, replace(IMAGENET, crop=256), "not for 256 and 256; leave --scales, --resize and"),
        (CENTRE, replace(IMAGENET, crop=None), "not for 256 and None"),
        (
            CENTRE,
            replace(IMAGENET, num_classes=200),
            "1,000 classes of ImageNet; these .* have 200",
        ),
        (CENTRE, replace(IMAGENET, split="train"), "validation pictures .* not the train split"),
    ],
)
def test_an_accuracy_is_that_of_its_crop_and_its_data(
    protocol: Protocol, tested: Conditions, says: str
) -> None:
    with pytest.raises(ValueError, match=rf"^vgg16: published for .*{says}"):
        expected(["vgg16"], protocol, tested)
    assert expected(["vgg16"], CENTRE, replace(IMAGENET, split=None)).top1 == 0.71592


def test_the_papers_figures_are_of_the_same_data() -> None:
    with pytest.raises(ValueError, match="published for the validation pictures"):
        expected(["vgg16@oxford"], named("single", FIXED), replace(IMAGENET, split="test"), FIXED)


def test_equal_means_within_the_interval_and_the_last_printed_digit() -> None:
    found = expected(["vgg16@oxford"], named("single", FIXED), IMAGENET, FIXED)  # 73.0 and 91.2
    measured = {"top1": 0.72, "top5": 0.92}
    intervals = {"top1": (0.71, 0.7296), "top5": (0.9126, 0.93)}
    assert verdict(found, measured, intervals) == {"top1": True, "top5": False}
    below = {"top1": (0.7304, 0.74), "top5": (0.9124, 0.93)}
    assert verdict(found, measured, below) == {"top1": True, "top5": True}
    line = sentence(found, "top5", 0.92, intervals["top5"], False)
    assert line == (
        "top5: 92.000 measured, 91.260 to 93.000; 91.200 published (Table 3 of the paper): NOT "
        "equal: outside the interval"
    )
    same = sentence(found, "top1", 0.72, intervals["top1"], True)
    assert same.endswith("equal within the interval")


def test_the_tables_hold_what_the_paper_says_of_itself() -> None:
    """More scales, and a jittered S, never made the top-1 error of D or E larger."""
    for key, errors in TABLE_4.items():
        assert errors[0] <= TABLE_3[key][0]
    for net in ("D", "E"):
        for table in (TABLE_3, TABLE_4):
            assert table[net, (256, 512)] < min(table[net, (256, 256)], table[net, (384, 384)])
