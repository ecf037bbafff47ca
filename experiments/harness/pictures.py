"""The pictures of the experiments: decoded once, shared by every process, divided for good.

In: the data's folder, a Scale, the side to store them at. Out: a file of pixels that is mapped, not
read, and the data sets of its parts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.scales import Scale
from vggnet.atomic import whole_file
from vggnet.class_lists import Label, labels_from_names
from vggnet.data import Dataset, Split, open_dataset, picture
from vggnet.data.ahead import prepare_ahead
from vggnet.image import PictureError, centre_crop, rescale_short_side
from vggnet.machine import usable_cores

PARTS = ("training", "choosing", "kept_apart", "validation")


@dataclass
class PictureArray:
    """A data set of square pictures, decoded and of one size: what `vggnet.data.Dataset` asks."""

    name: str
    classes: tuple[Label, ...]
    labels: NDArray[np.int64]
    pixels_NHWC: NDArray[np.uint8]
    digest: str
    split: Split | None = None

    def read(self, index: int) -> NDArray[np.uint8]:
        pixels_HWC: NDArray[np.uint8] = self.pixels_NHWC[index]
        return pixels_HWC

    def where(self, index: int) -> str:
        return f"{self.name} picture {index}"

    def contents(self) -> Iterator[str]:
        yield self.digest


def prepare(data: Path, scale: Scale, side: int, folder: Path) -> Path:
    """Decode the pictures of `scale`, rescale them to `side`, and write them; the file's path.

    What is there already, of the same data, is left as it is.
    """
    path = folder / f"{scale.name}-{side}.npy"
    train, validation = open_dataset(data, "train"), open_dataset(data, "validation")
    chosen = _chosen(train, validation, scale)
    about = {
        "data": str(data.resolve()),
        "classes": [label.wnid or label.words for label in _classes(train, scale)],
        "labels": {part: dataset.labels[indices].tolist() for part, dataset, indices in chosen},
    }
    described = path.with_suffix(".json")
    if path.exists() and described.exists() and _about(path).items() >= about.items():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    # It is written last: a kill before leaves nothing that counts.
    described.unlink(missing_ok=True)
    digest = hashlib.sha256()
    pixels_NHWC = np.concatenate(
        [_decoded(dataset, indices, side, digest) for _, dataset, indices in chosen]
    )
    with whole_file(path) as file:
        np.save(file, pixels_NHWC)
    with whole_file(described) as file:
        file.write(json.dumps(about | {"digest": digest.hexdigest()[:16]}).encode())
    return path


def part(path: Path, name: str) -> PictureArray:
    """One of PARTS of the pictures that `prepare` wrote; labels count the scale's classes."""
    about = _about(path)
    numbers = {old: new for new, old in enumerate(sorted(set(about["labels"]["training"])))}
    sizes = [len(about["labels"][each]) for each in PARTS]
    first = sum(sizes[: PARTS.index(name)])
    return PictureArray(
        f"{path.stem} {name}",
        labels_from_names(about["classes"]),
        np.array([numbers[label] for label in about["labels"][name]], dtype=np.int64),
        np.load(path, mmap_mode="r")[first : first + len(about["labels"][name])],
        about["digest"],
    )


def _about(path: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return about


def _classes(train: Dataset, scale: Scale) -> list[Label]:
    present = sorted(set(train.labels.tolist()))
    every = 1 if scale.classes is None else len(train.classes) / scale.classes
    evenly = [int(number * every) for number in range(scale.classes or len(present))]
    # A file that holds the scale's own classes alone will do.
    wanted = evenly if set(evenly) <= set(present) else present
    return [train.classes[index] for index in wanted]


def _chosen(
    train: Dataset, validation: Dataset, scale: Scale
) -> list[tuple[str, Dataset, NDArray[np.int64]]]:
    """Which pictures each part has, in the order of the data."""
    classes = [label.index for label in _classes(train, scale)]
    taken = scale.choosing + scale.kept_apart
    divided: dict[str, list[int]] = {name: [] for name in PARTS[:3]}
    for index in classes:
        (of_class,) = np.nonzero(train.labels == index)
        divided["choosing"] += of_class[: scale.choosing].tolist()
        divided["kept_apart"] += of_class[scale.choosing : taken].tolist()
        divided["training"] += of_class[taken:].tolist()
    (tested,) = np.nonzero(np.isin(validation.labels, classes))
    found = [(name, train, np.sort(np.array(divided[name]))) for name in PARTS[:3]]
    return [*found, ("validation", validation, tested)]


def _decoded(
    dataset: Dataset, indices: NDArray[np.int64], side: int, digest: Any
) -> NDArray[np.uint8]:
    """The squares in the middle, (N, side, side, 3); `digest` takes in the encoded pictures."""

    def prepared(index: int) -> tuple[bytes, NDArray[np.uint8]]:
        encoded = hashlib.sha256(dataset.read(index)).digest()
        square = centre_crop(rescale_short_side(picture(dataset, index), side), side)
        return encoded, np.asarray(square)

    pixels_NHWC = np.empty((len(indices), side, side, 3), dtype=np.uint8)
    with prepare_ahead(
        prepared, map(int, indices), num_ahead=256, num_threads=usable_cores()
    ) as pictures:
        for number, (_, found) in enumerate(pictures):
            if isinstance(found, PictureError):
                raise ValueError(f"{found}; experiments need every picture")
            digest.update(found[0])
            pixels_NHWC[number] = found[1]
    return pixels_NHWC
