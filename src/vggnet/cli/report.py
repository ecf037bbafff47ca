"""`vggnet report SCORES...`: what the scores of `vggnet evaluate --save` show.

In: files of scores; several are averaged. Out: accuracy with intervals, calibration and the worst
classes as a table or JSON; with --out a folder of report.json, classes.csv, confusion.csv and
pictures.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vggnet.cli.options import PathOrName, Whole, command, format_option
from vggnet.cli.output import Format, note, print_json
from vggnet.printable import printable

if TYPE_CHECKING:
    from vggnet.evaluation.protocols import ScoreAverage
    from vggnet.evaluation.reports import Report
    from vggnet.evaluation.scores_file import ScoresTable

_WORST = 5  # classes in the table


@command(
    "vggnet report scores.parquet",
    "vggnet report scores.parquet --out report",
    "vggnet report dense.parquet multicrop.parquet     # both, as the paper averages them",
)
@click.argument("scores", type=PathOrName(), metavar="SCORES...", nargs=-1, required=True)
@click.option(
    "--score-average",
    type=click.Choice(["softmax", "logits"]),
    help="What of several files is averaged: posteriors, or their logarithms.  [default: softmax]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write report.json, classes.csv, confusion.csv and pictures into this folder.",
)
@click.option("--mistakes", type=Whole(1, 200), default=24, help="Pictures on the contact sheet.")
@click.option(
    "--data",
    metavar="DATA",
    help="Where the pictures of the contact sheet lie.  [default: where they were tested]",
)
@format_option("table", "json")
def report(
    scores: tuple[str, ...],
    score_average: ScoreAverage | None,
    out: Path | None,
    mistakes: int,
    data: str | None,
    format: Format,
) -> None:
    """Say what saved scores show: classes, confusions, calibration.

    SCORES are files of vggnet evaluate --save. The posteriors of several are averaged: of nets that
    were tested on the same pictures, or of protocols.
    """
    from vggnet.evaluation.reports import fused
    from vggnet.evaluation.reports import report as make_report
    from vggnet.evaluation.scores_file import read_scores

    tables = [read_scores(path) for path in scores]
    table = fused(tables, score_average or "softmax") if len(tables) > 1 else tables[0]
    if score_average and len(tables) == 1:
        note("--score-average has no effect on one file, of which nothing is averaged")
    try:
        found = make_report(table, [dict(each.record) for each in tables])
    except ValueError as error:
        raise ValueError(f"{scores[0]}: {error}") from None
    if out:
        _write(out, found, table, mistakes, data)
    if format == "json":
        print_json(found.to_json())
    else:
        _print(found)


def _print(found: Report) -> None:
    from vggnet.cli.protocols import interval_line
    from vggnet.evaluation.score import Score

    print(Score(found.top1, found.top5, found.images, "", 0))
    print(interval_line(found))
    if calibrated := found.calibration:
        sure = "too sure of itself" if calibrated.temperature > 1 else "not sure enough"
        print(
            f"   expected calibration error {100 * calibrated.error:.2f}%, "
            f"{100 * calibrated.error_mended:.2f}% at temperature {calibrated.temperature:.3f} "
            f"({sure})"
        )
    worst = sorted(found.classes, key=lambda each: (each.top1, -each.pictures))[:_WORST]
    names = [printable(each.name) for each in worst]
    width = max(map(len, names))
    print("   the hardest classes:")
    for name, each in zip(names, worst, strict=True):
        taken = f", most often taken for {printable(each.taken_for)}" if each.taken_for else ""
        many = "1 picture" if each.pictures == 1 else f"{each.pictures:,} pictures"
        print(f"   {name:{width}}  {100 * each.top1:5.1f}% of {many}{taken}")


def _write(
    folder: Path, found: Report, table: ScoresTable, num_mistakes: int, data: str | None
) -> None:
    """The files of a report; what cannot be drawn is told."""
    from vggnet.evaluation import figures

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from None
    text = json.dumps(found.to_json(), indent=1, ensure_ascii=False, allow_nan=False)
    _put(folder / "report.json", f"{text}\n")
    _put(folder / "classes.csv", _classes_csv(found))
    _put(folder / "confusion.csv", _confusion_csv(found, table))
    written = ["report.json", "classes.csv", "confusion.csv"]
    if not figures.can_draw():
        note("no pictures: drawing needs matplotlib: pip install 'vggnet[train]'")
    else:
        figures.draw_confusion(found.confusion_KK, found.classes, folder / "confusion.png")
        written.append("confusion.png")
        if found.calibration:
            figures.draw_reliability(found.calibration, folder / "reliability.png")
            written.append("reliability.png")
        if _draw_mistakes(folder / "mistakes.png", table, num_mistakes, data):
            written.append("mistakes.png")
    note(f"written to {folder}: {', '.join(written)}")


def _draw_mistakes(path: Path, table: ScoresTable, number: int, data: str | None) -> bool:
    """The contact sheet; False, and why, where there are no mistakes or no pictures."""
    from vggnet.data import open_dataset, picture
    from vggnet.data.fingerprint import data_differences, fingerprint
    from vggnet.evaluation.figures import draw_mistakes
    from vggnet.evaluation.reports import mistakes

    chosen = mistakes(table, number)
    if not chosen:
        note("no mistakes.png: there is no mistake")
        return False
    place = data or str(table.record["data_path"])
    try:
        dataset = open_dataset(place, table.record["split"] or "validation")
        if differing := data_differences(table.record["data"], fingerprint(dataset)):
            raise ValueError(f"{place}: not the pictures that were tested: {differing}")
        found = [(each, picture(dataset, each.index)) for each in chosen]
    except (ValueError, OSError) as error:
        note(f"no mistakes.png: {error}; give --data where the pictures lie")
        return False
    names = [label.name or f"class {label.index}" for label in table.classes]
    draw_mistakes(found, names, path)
    return True


def _classes_csv(found: Report) -> str:
    rows: list[Sequence[Any]] = [("class", "wnid", "pictures", "top1", "top5", "taken_for")]
    classes = found.records[0]["classes"]
    for each in found.classes:
        rows.append(
            (each.name, classes[each.index]["wnid"], each.pictures, each.top1, each.top5,
             each.taken_for)
        )  # fmt: skip
    return _csv(rows)


def _confusion_csv(found: Report, table: ScoresTable) -> str:
    """A row a class, a column an answer, both under the class's WordNet id or words."""
    names = [label.wnid or label.name or f"class {label.index}" for label in table.classes]
    rows: list[Sequence[Any]] = [("class", *names)]
    for name, counts in zip(names, found.confusion_KK.tolist(), strict=True):
        rows.append((name, *counts))
    return _csv(rows)


def _csv(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _put(path: Path, text: str) -> None:
    from vggnet.atomic import whole_file

    with whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
