"""`vggnet predict IMAGE...`: what is on a photograph.

In: picture files and folders. Out: the most probable classes of each, written as they come: a block
of lines, a line of JSON or rows of CSV a picture; or one JSON list at the end.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click

from vggnet.cli.model_options import ModelChoice, model_options
from vggnet.cli.options import PathOrName, Whole, command, format_option, language_option
from vggnet.cli.output import bold, can_print, coloured, note, print_json
from vggnet.printable import printable

Answer = dict[str, Any]  # of one picture: its predictions, or its error
_COLUMNS = ("image", "rank", "probability", "label", "wnid", "index", "error")


@command(
    "vggnet predict cat.jpg",
    "vggnet predict photographs/ --format csv > answers.csv",
    "vggnet predict photographs/ --format jsonl | head -3",
    "vggnet predict cat.jpg --weights net.pth --labels imagenet-1k",
    "curl -s ADDRESS | vggnet predict -",
)
@click.argument("images", type=PathOrName(), metavar="IMAGE-OR-FOLDER...", nargs=-1, required=True)
@click.option("--top", type=Whole(1), default=5, help="Classes to show for each picture.")
@language_option
@model_options
@format_option("table", "json", "jsonl", "csv")
def predict(
    images: tuple[str, ...], top: int, language: str | None, choice: ModelChoice, format: str
) -> int:
    """Name what is on photographs.

    A folder stands for the pictures in it, - for a picture on standard input. A picture that cannot
    be read is reported in its place, the rest go on, and the exit status is 1.
    """
    from vggnet.cli.pictures import Tally, batches, find, tally

    model = choice.load(language)
    shown = {
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "weights": choice.weights,
    }
    pictures = find(images)

    def answers(tally: Tally) -> Iterator[Answer]:
        for batch in batches(pictures, model.preprocessing):
            found = iter(model.classify(batch.images_NCHW, top) if batch.images_CHW else ())
            for name, fault in batch.pictures:
                tally.count(fault is not None)
                if fault:
                    note(str(fault))
                    yield {"image": name, "error": str(fault)}
                else:
                    predictions = [asdict(each) for each in next(found)]
                    yield {"image": name, **shown, "predictions": predictions}

    # On a terminal the answers themselves show how far it is.
    with_bar = format == "json" or not sys.stdout.isatty()
    with tally(len(pictures), with_bar) as count:
        _WRITERS[format](answers(count))
    return count.status()


def _write_blocks(answers: Iterable[Answer]) -> None:
    """A block of lines a picture, the probability as a figure and as a bar."""
    from vggnet.image import picture_name

    bar = "█" if can_print("█") else "#"
    for answer in answers:
        if "error" in answer:  # which was told
            continue
        print(bold(picture_name(answer["image"])))
        for each in answer["predictions"]:
            drawn = bar * round(20 * each["probability"])
            wnid = f"  ({each['wnid']})" if each["wnid"] else ""
            label = printable(each["label"] + wnid)
            print(f"  {each['probability']:6.1%}  {coloured(f'{drawn:20}')}  {label}")
        sys.stdout.flush()


def _write_list(answers: Iterable[Answer]) -> None:
    print_json(list(answers))


def _write_lines(answers: Iterable[Answer]) -> None:
    for answer in answers:
        print_json(answer, indent=None)
        sys.stdout.flush()


def _write_rows(answers: Iterable[Answer]) -> None:
    rows = csv.DictWriter(sys.stdout, _COLUMNS, lineterminator="\n")
    rows.writeheader()
    for answer in answers:
        if "error" in answer:
            rows.writerow(answer)
        for rank, each in enumerate(answer.get("predictions", ()), start=1):
            rows.writerow({"image": answer["image"], "rank": rank, **each})
        sys.stdout.flush()


_WRITERS: dict[str, Callable[[Iterable[Answer]], None]] = {
    "table": _write_blocks,
    "json": _write_list,
    "jsonl": _write_lines,
    "csv": _write_rows,
}
