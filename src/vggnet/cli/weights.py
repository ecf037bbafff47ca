"""`vggnet weights`: the published weight files, and which of them are on this disk.

In: nothing, or names of the catalog. Out: `list` prints a table of all of them or JSON; `fetch`
prints the path of each file that was asked for, and downloads what is not here. `inspect` and
`convert` are in weights_files.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.table import Table

from vggnet.cli.output import FormatOption, note, print_json, standard_output
from vggnet.cli.weights_files import convert, inspect

if TYPE_CHECKING:
    from vggnet.weights.published.caches import Copy
    from vggnet.weights.published.catalog import PublishedFile

weights = typer.Typer(rich_markup_mode=None)
for command in (inspect, convert):
    weights.command()(command)


@weights.callback()
def _weights() -> None:
    """Weight files: list and fetch those that are published, inspect and convert any."""


@weights.command("list")
def list_files(format: FormatOption = "table") -> None:
    """Show the published files: size, licence, accuracy, and which are on this disk already."""
    from vggnet.weights.published.caches import copies
    from vggnet.weights.published.catalog import CATALOG

    here = {file: list(copies(file)) for file in CATALOG.values()}
    if format == "json":
        print_json([_as_json(file, found) for file, found in here.items()])
        return
    console = standard_output()
    console.print(_table(here))
    for file, found in here.items():
        for copy in found:
            line = f"{file.name}: {copy.path}{f' is not used: {copy.fault}' if copy.fault else ''}"
            console.print(line, soft_wrap=True)


@weights.command()
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Such as vgg16 or vgg16@oxford.")
    ],
) -> None:
    """Print where each file lies on this disk, and download first what is not here."""
    from vggnet.weights.published.catalog import published
    from vggnet.weights.published.fetch import find, get

    for file in [published(name) for name in names]:  # a wrong name is told before any download
        path = find(file)
        if path is not None:
            note(f"{file.name}: already here")
        print(path or get(file), flush=True)


def _as_json(file: PublishedFile, found: list[Copy]) -> dict[str, object]:
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


def _table(here: dict[PublishedFile, list[Copy]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for header in ("name", "configuration"):
        table.add_column(header, no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    for header in ("Acc@1", "Acc@5"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("here", no_wrap=True)
    for file, found in here.items():
        accuracy = file.accuracy
        caches = [copy.cache for copy in found if copy.fault is None]
        table.add_row(
            file.name,
            file.configuration + ("" if file.head else ", no head"),
            f"{'' if file.num_bytes else 'about '}{file.approximate_bytes / 1e6:.0f} MB",
            file.licence,
            f"{100 * accuracy.top1:.5g}" if accuracy else "",
            f"{100 * accuracy.top5:.5g}" if accuracy else "",
            ", ".join(dict.fromkeys(caches)) or "not here",
        )
    return table
