"""The accuracies that others have published, and whether a measured one is the same.

In: the name of a published weight file, or a net of the paper with its training scale; a protocol;
a measured accuracy with its interval. Out: an Expected, and a verdict. Sources: the catalog for
centre crops; Tables 3 to 6 of the paper, top-1 and top-5 error on ImageNet's validation pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vggnet.evaluation.intervals import Interval
from vggnet.evaluation.protocols import Protocol, TrainingScale
from vggnet.weights.published.catalog import CATALOG, PublishedFile, is_name, published
from vggnet.weights.recognition.conventions import CONVENTIONS

Scale = tuple[int, int]
Errors = tuple[float, float]  # top-1 and top-5, in percent
_256, _384, _JITTERED = (256, 256), (384, 384), (256, 512)

# Net and S -> errors at Q = S, or at the middle of the jittered S.
TABLE_3: dict[tuple[str, Scale], Errors] = {
    ("A", _256): (29.6, 10.4),
    ("A-LRN", _256): (29.7, 10.5),
    ("B", _256): (28.7, 9.9),
    ("C", _256): (28.1, 9.4),
    ("C", _384): (28.1, 9.3),
    ("C", _JITTERED): (27.3, 8.8),
    ("D", _256): (27.0, 8.8),
    ("D", _384): (26.8, 8.7),
    ("D", _JITTERED): (25.6, 8.1),
    ("E", _256): (27.3, 9.0),
    ("E", _384): (26.9, 8.7),
    ("E", _JITTERED): (25.5, 8.0),
}
# The same at three scales.
TABLE_4: dict[tuple[str, Scale], Errors] = {
    ("B", _256): (28.2, 9.6),
    ("C", _256): (27.7, 9.2),
    ("C", _384): (27.8, 9.2),
    ("C", _JITTERED): (26.3, 8.2),
    ("D", _256): (26.6, 8.6),
    ("D", _384): (26.5, 8.6),
    ("D", _JITTERED): (24.8, 7.5),
    ("E", _256): (26.9, 8.7),
    ("E", _384): (26.7, 8.6),
    ("E", _JITTERED): (24.8, 7.5),
}
# Jittered S, three scales: dense stands in Table 4.
TABLE_5: dict[tuple[str, str], Errors] = {
    ("D", "multicrop"): (24.6, 7.5),
    ("D", "both"): (24.4, 7.2),
    ("E", "multicrop"): (24.6, 7.4),
    ("E", "both"): (24.4, 7.1),
}
# D and E together.
TABLE_6: dict[str, Errors] = {"dense": (24.0, 7.1), "multicrop": (23.9, 7.2), "both": (23.7, 6.8)}

_CLASSES = 1000  # of ImageNet, in all that is published here
PAPER_FILES = {"vgg16@oxford": "D", "vgg19@oxford": "E"}  # the weights that the paper released


@dataclass(frozen=True)
class Expected:
    """Accuracies as fractions of 1, and where they were published.

    `resolution` is half of the last digit that was printed.
    """

    top1: float
    top5: float
    source: str
    resolution: float


@dataclass(frozen=True)
class Conditions:
    """What else a measured accuracy depends on: the crop in pixels and the data.

    `split` is None for data that have no splits, as a folder of the validation pictures alone.
    """

    crop: int | None
    num_classes: int
    split: str | None


def expected(
    names: Sequence[str],
    protocol: Protocol,
    tested: Conditions,
    scale: TrainingScale | None = None,
) -> Expected:
    """What was published for these weights under this protocol, on ImageNet's validation pictures.

    `names` are those of published files; of Oxford's the paper's tables count, for which `scale` is
    the S that they were trained at. Raises ValueError, in one line, where nothing was published,
    or not for such data or such a crop.
    """
    for name in names:
        if name not in CATALOG and not is_name(name):
            raise ValueError(
                f"weights {name!r}: none of the files whose accuracy was published; give such a "
                "one, as vgg16 (vggnet weights list)"
            )
    files = [published(name) for name in names]
    if tested.num_classes != _CLASSES:
        raise ValueError(
            f"{', '.join(names)}: published for the {_CLASSES:,} classes of ImageNet; these data "
            f"have {tested.num_classes:,}"
        )
    if tested.split not in ("validation", None):
        raise ValueError(
            f"{', '.join(names)}: published for the validation pictures of ImageNet, not the "
            f"{tested.split} split; leave --split out"
        )
    if protocol.name == "centre":
        accuracy = files[0].accuracy
        if len(files) > 1 or accuracy is None or protocol.flip:
            raise ValueError(
                f"{', '.join(names)}: no accuracy of one centre crop is published for it"
            )
        _check_crop(files[0], protocol.scales[0], tested.crop)
        decimals = max(len(repr(each)) - 2 for each in (accuracy.top1, accuracy.top5))
        return Expected(accuracy.top1, accuracy.top5, accuracy.source, 0.5 * 10**-decimals)
    nets = [PAPER_FILES.get(file.name) for file in files]
    missing = [name for name, net in zip(names, nets, strict=True) if net is None]
    if missing:
        raise ValueError(
            f"{', '.join(missing)}: published for one centre crop, not for protocol "
            f"{protocol.name}; the paper's tables are for {' and '.join(PAPER_FILES)}"
        )
    return _of_the_paper([net for net in nets if net], protocol, scale)


def _check_crop(file: PublishedFile, resize: int, crop: int | None) -> None:
    usual = CONVENTIONS[file.convention].preprocessing
    if (resize, crop) != (usual.resize, usual.crop):
        raise ValueError(
            f"{file.name}: published for resize {usual.resize} and crop {usual.crop}, not for "
            f"{resize} and {crop}; leave --scales, --resize and --crop out"
        )


def _of_the_paper(nets: Sequence[str], protocol: Protocol, scale: TrainingScale | None) -> Expected:
    sides = (scale.low, scale.high) if scale else None
    kind = "single" if protocol.name == "single" else protocol.crops
    found: tuple[Errors | None, str] = (None, "")
    number = 1 if kind == "single" else 3
    as_printed = scale is not None and protocol.scales == scale.test_scales(number)  # type: ignore[arg-type]
    if sides is None or not as_printed or not protocol.flip:
        pass
    elif len(nets) == 1 and kind == "single":
        found = TABLE_3.get((nets[0], sides)), "Table 3"
    elif len(nets) == 1 and kind == "dense":
        found = TABLE_4.get((nets[0], sides)), "Table 4"
    elif len(nets) == 1 and sides == _JITTERED:
        found = TABLE_5.get((nets[0], kind)), "Table 5"
    elif sorted(nets) == ["D", "E"] and sides == _JITTERED:
        found = TABLE_6.get(kind), "Table 6"
    errors, table = found
    if errors is None:
        raise ValueError(
            f"the paper has no figures for {' with '.join(nets)} at {scale or 'an unknown S'}, "
            f"{protocol}; say what the nets were trained at, such as --train-scale 256-512"
        )
    top1, top5 = (1 - each / 100 for each in errors)
    return Expected(top1, top5, f"{table} of the paper", 5e-4)


def verdict(
    found: Expected, measured: dict[str, float], intervals: dict[str, Interval]
) -> dict[str, bool]:
    """For "top1" and "top5": whether the published value lies in the measured one's interval.

    Values that round to what was printed are inside too.
    """
    return {
        name: intervals[name][0] - found.resolution
        <= getattr(found, name)
        <= intervals[name][1] + found.resolution
        for name in measured
    }


def sentence(found: Expected, name: str, measured: float, interval: Interval, same: bool) -> str:
    """One line for people."""
    low, high = (100 * each for each in interval)
    published_value = 100 * getattr(found, name)
    says = "equal within the interval" if same else "NOT equal: outside the interval"
    return (
        f"{name}: {100 * measured:.3f} measured, {low:.3f} to {high:.3f}; {published_value:.3f} "
        f"published ({found.source}): {says}"
    )
