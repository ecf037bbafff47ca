"""Pictures of a report: confusion matrix, reliability diagram, the most confident mistakes.

In: a Report, or mistakes and their pictures. Out: PNG files. Needs matplotlib.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet.atomic import whole_file
from vggnet.evaluation.calibration import Calibration
from vggnet.evaluation.reports import ClassAccuracy, Mistake
from vggnet.printable import printable

_BLUE, _ORANGE, _GREY = "#0072B2", "#E69F00", "0.45"
_MOST_NAMED = 40  # classes whose names fit beside a matrix
_COLUMNS = 6  # of the contact sheet
_NAME_LENGTH = 24  # letters of a name there
_CHINESE_FONTS = ("Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Micro Hei", "SimHei",
                  "PingFang SC", "Microsoft YaHei")  # fmt: skip


def can_draw() -> bool:
    """Whether matplotlib, which pictures and curves need, is installed."""
    return find_spec("matplotlib") is not None


@contextmanager
def _plain_text() -> Iterator[None]:
    """Names as they are: a dollar sign begins no formula, and Chinese is drawn where a font is.

    Where none is, its letters are boxes, and nobody is told of each.
    """
    from matplotlib import font_manager, rc_context

    there = {font.name for font in font_manager.fontManager.ttflist}
    fonts = ["DejaVu Sans", *(each for each in _CHINESE_FONTS if each in there)]
    with (
        rc_context({"text.parse_math": False, "font.family": fonts}),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


@_plain_text()
def draw_confusion(
    confusion_KK: NDArray[np.int64], classes: Sequence[ClassAccuracy], path: Path
) -> None:
    """Each row is the pictures of one class, by what they are taken for; the shares add up to 1.

    Classes without pictures have no row, but what others are taken for counts: answers outside the
    classes shown are left out.
    """
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm

    kept = [each.index for each in classes]
    names = [each.name for each in classes]
    shares = confusion_KK[np.ix_(kept, kept)] / np.maximum(
        confusion_KK[kept].sum(axis=1, keepdims=True), 1
    )
    named = len(kept) <= _MOST_NAMED
    side = max(4.5, 0.28 * len(kept) + 2.5) if named else 8.0
    figure = _figure(side + 1, side)
    axes = figure.subplots()
    colours = LinearSegmentedColormap.from_list("share", ["white", _BLUE])
    image = axes.imshow(shares, cmap=colours, norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    if named:
        shown = [_shortened(name) for name in names]
        axes.set_xticks(range(len(kept)), shown, rotation=90)
        axes.set_yticks(range(len(kept)), shown)
    axes.set(xlabel="taken for", ylabel="class")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, label="share of the class's pictures")
    bar.set_ticks([0, 0.01, 0.05, 0.1, 0.25, 0.5, 1], labels=["0", "1%", "5%", "10%", "25%", "50%",
                  "100%"])  # fmt: skip
    _save(figure, path)


@_plain_text()
def draw_reliability(found: Calibration, path: Path) -> None:
    """Accuracy over confidence; on the diagonal a probability means what it says."""
    figure = _figure(5, 5.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    filled = [each for each in found.bins if each.pictures]
    width = found.bins[0].high - found.bins[0].low
    middles = [(each.low + each.high) / 2 for each in filled]
    top.plot([0, 1], [0, 1], color=_GREY, linewidth=1, linestyle="--", label="calibrated")
    top.bar(
        middles, [each.accuracy for each in filled], 0.92 * width, color=_BLUE, label="accuracy"
    )
    top.plot(
        [each.confidence for each in filled], [each.accuracy for each in filled], linestyle="none",
        marker="o", markersize=4, color=_ORANGE, label="at the mean confidence",
    )  # fmt: skip
    top.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    top.set_title(
        f"expected calibration error {100 * found.error:.1f}%; {100 * found.error_mended:.1f}% at "
        f"temperature {found.temperature:.2f}",
        fontsize=10,
    )
    top.legend(loc="upper left", frameon=False)
    bottom.bar(middles, [each.pictures for each in filled], 0.92 * width, color=_GREY)
    bottom.set(xlabel="confidence: the highest probability", ylabel="pictures")
    _save(figure, path)


@_plain_text()
def draw_mistakes(
    found: Sequence[tuple[Mistake, Image.Image]], names: Sequence[str], path: Path
) -> None:
    """A contact sheet: each picture with what it is, what it is taken for, and how surely.

    `names` are those of all classes, in the order of the scores.
    """
    columns = min(_COLUMNS, len(found))
    rows = -(-len(found) // columns)
    figure = _figure(1.9 * columns, 2.35 * rows)
    grid = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for axes in grid:
        axes.set_axis_off()
    for axes, (mistake, picture) in zip(grid, found, strict=False):
        axes.imshow(_square(picture), interpolation="nearest" if picture.width < 100 else None)
        axes.set_title(
            f"{_shortened(names[mistake.answer])} {_percent(mistake.confidence)}\n"
            f"is: {_shortened(names[mistake.target])} {_percent(mistake.of_target)}",
            fontsize=7,
            linespacing=1.3,
        )
    _save(figure, path)


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.01 else "<1%"


def _square(picture: Image.Image, side: int = 200) -> Image.Image:
    """The whole picture on a white square; small ones keep their pixels."""
    shown = picture.copy()
    shown.thumbnail((side, side))
    sheet = Image.new("RGB", (max(shown.size),) * 2, "white")
    sheet.paste(shown, tuple((max(shown.size) - each) // 2 for each in shown.size))  # type: ignore[arg-type]
    return sheet


def _shortened(name: str) -> str:
    name = printable(name)  # a folder's in another encoding than the system's is no text to draw
    return name if len(name) <= _NAME_LENGTH else f"{name[: _NAME_LENGTH - 1]}…"


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    with whole_file(path) as file:
        figure.savefig(file, dpi=130, format="png")
