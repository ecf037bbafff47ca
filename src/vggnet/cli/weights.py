"""`vggnet weights`: the weights that have a name, and which of them are on this disk.

In: nothing, or names of the catalog. Out: `list` prints a table of what is inside the package and
of all published files, or JSON; `fetch`
prints the path of each file that was asked for, and downloads what is not here. `inspect` and
`convert` are in weights_files.py, the group of all four in commands.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
from rich import box
from rich.table import Table

from vggnet.cli.options import PathOrName, command, format_option, weights_names
from vggnet.cli.output import Format, note, print_json
from vggnet.cli.tables import standard_output
from vggnet.weights.named import EMBEDDED

if TYPE_CHECKING:
    from vggnet.weights.published.caches import Copy
    from vggnet.weights.published.catalog import PublishedFile

Entry = dict[str, Any]  # what `list --format json` says of a file


@command("vggnet weights list", "vggnet weights list --format json")
@format_option("table", "json")
def list_files(format: Format) -> None:
    """Show the weights that have a name, and which of them are here.

    tiny-imagenet is inside the package; the others are published files, with size, licence and
    accuracy on the pictures that they were trained to tell apart.
    """
    from vggnet.weights.published.caches import copies
    from vggnet.weights.published.catalog import CATALOG

    entries = [_embedded(name) for name in EMBEDDED]
    entries += [_as_json(file, list(copies(file))) for file in CATALOG.values()]
    if format == "json":
        print_json(entries)
        return
    console, table = standard_output(), _table(entries)
    unbounded = console.options.update(max_width=1000)
    console.width = max(console.width, console.measure(table, options=unbounded).maximum)
    console.print(table)
    for entry in entries:
        for copy in entry["copies"] if entry["name"] not in EMBEDDED else ():
            fault = f" is not used: {copy['fault']}" if copy["fault"] else ""
            console.print(f"{entry['name']}: {copy['path']}{fault}", soft_wrap=True)


@command("vggnet weights fetch vgg16 vgg19@oxford")
@click.argument("names", type=PathOrName(weights_names), metavar="NAME...", nargs=-1, required=True)
def fetch(names: tuple[str, ...]) -> None:
    """Download published weight files.

    Prints where each lies on this disk; what is here already is not downloaded again.
    """
    from vggnet.weights.published.catalog import published
    from vggnet.weights.published.fetch import find, get

    for file in [published(name) for name in names]:  # a wrong name is told before any download
        path = find(file)
        if path is not None:
            note(f"{file.name}: already here")
        print(path or get(file), flush=True)


def _embedded(name: str) -> Entry:
    """What is inside the package, with the accuracy that its own file says it has."""
    from vggnet.weights.named import load_weights, weights_file

    weights = load_weights(name)
    measured: Any = weights.training["metrics"]
    with weights_file(name) as path:
        num_bytes = path.stat().st_size
        return {
            "name": name,
            "configuration": weights.spec.name,
            "convention": "vggnet",
            "head": True,
            "file": path.name,
            "bytes": num_bytes,
            "approximate_bytes": num_bytes,
            "digest": None,
            "licence": "Apache-2.0",
            "accuracy": {
                "top1": measured["validation"]["top1"],
                "top5": measured["validation"]["top5"],
                "source": "validation pictures of Tiny-ImageNet, 200 classes",
            },
            "page": "docs/tiny-imagenet/README.md",
            "copies": [{"cache": "the package", "path": str(path), "fault": None}],
        }


def _as_json(file: PublishedFile, found: list[Copy]) -> Entry:
    accuracy = file.accuracy and {
        "top1": file.accuracy.top1,
        "top5": file.accuracy.top5,
        "source": file.accuracy.source,
    }
    return {
        "name": file.name,
        "configuration": file.configuration,
        "convention": file.convention,
        "head": file.head,
        "file": file.file_name,
        "bytes": file.num_bytes,
        "approximate_bytes": file.approximate_bytes,
        "digest": None if file.digest is None else str(file.digest),
        "licence": file.licence,
        "accuracy": accuracy,
        "page": file.page,
        "copies": [
            {"cache": copy.cache, "path": str(copy.path), "fault": copy.fault} for copy in found
        ],
    }


def _table(entries: Sequence[Entry]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in ("name", "configuration"):
        table.add_column(header, no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    for header in ("Acc@1", "Acc@5"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    for entry in entries:
        accuracy = entry["accuracy"]
        caches = [copy["cache"] for copy in entry["copies"] if copy["fault"] is None]
        table.add_row(
            entry["name"],
            entry["configuration"] + ("" if entry["head"] else ", no head"),
            f"{'' if entry['bytes'] else 'about '}{entry['approximate_bytes'] / 1e6:.0f} MB",
            entry["licence"],
            f"{100 * accuracy['top1']:.5g}" if accuracy else "",
            f"{100 * accuracy['top5']:.5g}" if accuracy else "",
            ", ".join(dict.fromkeys(caches)) or "not here",
        )
    return table
