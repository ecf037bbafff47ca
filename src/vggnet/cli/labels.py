"""`vggnet labels WEIGHTS`: the classes of a model, in the order of its outputs.

In: what --weights takes. Out: index, WordNet id and words of every class.
"""

from __future__ import annotations

import csv
import sys

import click

from vggnet.cli.model_options import ReadAs, read_as_options
from vggnet.cli.options import PathOrName, command, format_option, language_option, weights_names
from vggnet.cli.output import print_json
from vggnet.printable import printable


@command(
    "vggnet labels tiny-imagenet",
    "vggnet labels tiny-imagenet --language zh --format csv",
    "vggnet labels net.pth --labels classes.txt",
)
@click.argument("weights", type=PathOrName(weights_names), metavar="WEIGHTS")
@language_option
@read_as_options
@format_option("table", "json", "csv")
def labels(weights: str, language: str | None, read_as: ReadAs, format: str) -> None:
    """List the classes of a model, in the order of its outputs."""
    from vggnet.class_lists import in_language
    from vggnet.weights.named import load_weights

    loaded = load_weights(weights, **read_as.given())
    if not loaded.labels:
        num_classes = loaded.spec.num_classes
        raise ValueError(
            f"{weights}: it does not name its {num_classes:,} classes; pass --labels FILE|NAME"
            if num_classes
            else f"{weights}: a net without classes, for features only"
        )
    found = loaded.labels if language is None else in_language(loaded.labels, language)
    if format == "json":
        print_json([label.to_json() for label in found])
    elif format == "csv":
        rows = csv.writer(sys.stdout, lineterminator="\n")
        rows.writerow(("index", "wnid", "words"))
        rows.writerows((label.index, label.wnid, label.words) for label in found)
    else:
        for label in found:
            wnid, words = printable(label.wnid), printable(label.words)
            print(f"{label.index:4}  {wnid:9}  {words}")
