"""Weights by name: inside the package, published, a training run's folder, or any file.

In: what a person calls them. Out: the path of their file, or the Weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vggnet.preprocess import ColourOrder
from vggnet.weights.weights import Weights

if TYPE_CHECKING:
    from vggnet.weights.overrides import Three
    from vggnet.weights.recognition.recognise import Recognition

EMBEDDED = ("tiny-imagenet",)
WEIGHTS_OF_A_RUN = "model.safetensors"  # what `vggnet train` leaves in its folder


def load_weights(
    name: str | os.PathLike[str],
    convention: str | None = None,
    colour: ColourOrder | None = None,
    net: str | None = None,
    *,
    labels: str | Path | Sequence[str] | None = None,
    input_size: int | None = None,
    resize: int | None = None,
    mean: Three | None = None,
    std: Three | None = None,
) -> Weights:
    """The weights of that name, without an engine: spec, arrays, preprocessing, labels.

    "tiny-imagenet" is inside the package; "vgg16", "vgg16@oxford" and the like are published files,
    fetched where they are not on this disk; else a file of any framework, or the folder of a
    training run. `convention` and `colour` are for a file that does not tell whose names and which
    order of channels it has, `net` for one that holds several (`vggnet.weights.files.load`). What
    else is known and not in the file, `labels`, `input_size`, `resize`, `mean` and `std`, is as
    `vggnet.weights.overrides.override` takes it. Raises ValueError, in one line, for weights that
    are not there or damaged.
    """
    from vggnet.weights import files

    with weights_file(name) as path:
        weights = files.load(path, convention, colour, net)
    known: dict[str, Any] = {
        "labels": labels, "input_size": input_size, "resize": resize, "mean": mean, "std": std
    }  # fmt: skip
    if all(each is None for each in known.values()):
        return weights
    from vggnet.weights.overrides import override

    try:
        return override(weights, **known)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def inspect(
    name: str | os.PathLike[str],
    convention: str | None = None,
    colour: ColourOrder | None = None,
    net: str | None = None,
) -> Recognition:
    """What `load_weights` takes that file for, how sure that is, and why; raises what it does."""
    from vggnet.weights import files

    with weights_file(name) as path:
        return files.inspect(path, convention, colour, net)


@contextmanager
def weights_file(name: str | os.PathLike[str]) -> Iterator[Path]:
    """Where the weights of that name lie; takes and raises what `load_weights` does.

    The model inside the package is a file of its own only as long as the context lasts, where the
    package is in an archive.
    """
    if name in EMBEDDED:
        inside = resources.files("vggnet") / "models" / f"{name}.safetensors"
        with resources.as_file(inside) as path:
            yield path
        return
    path = Path(name)
    if str(name) and path.is_dir():
        path /= WEIGHTS_OF_A_RUN
    yield path if path.is_file() else _published(str(name))


def _published(name: str) -> Path:
    """The published file of that name, fetched where it is not here."""
    from vggnet.weights.published import catalog, fetch

    if not catalog.is_name(name):
        raise ValueError(f"weights {name!r}: {_why_there_are_none(name)}")
    return fetch.fetch(name)


def _why_there_are_none(name: str) -> str:
    if "://" in name:
        return "an address, not a file; download it first"
    if name and Path(name).is_dir():
        return f"a folder without {WEIGHTS_OF_A_RUN}; give a weight file"
    if name and Path(name).exists():
        return "a pipe, a socket or a device, not a regular file; give a weight file"
    from vggnet.weights.published.catalog import CATALOG

    close = get_close_matches(name.lower(), [*EMBEDDED, *CATALOG], n=1, cutoff=0.75)
    meant = f"did you mean {close[0]}? " if close else ""
    return (
        f"no such file; {meant}give a weight file, what is inside the package "
        f"({', '.join(EMBEDDED)}) or the name of a published file (vggnet weights list shows them)"
    )
