"""Small labelled pictures and small recipes, for tests of training and evaluation."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pyarrow.parquet as parquet
from bad_pictures import encoded
from PIL import Image

from vggnet.data import open_dataset
from vggnet.training.recipe import Recipe
from vggnet.training.reporter import Silent

PICTURE = encoded("PNG")
IMAGE = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 40, 50)}

SMALL = Recipe(
    config="A",
    width=0.05,
    input_size=32,
    head="average",
    batch_norm=True,
    sizes="32x2",
    batch_size=8,
    learning_rate=0.05,
    weight_average=0.9,
    holdout=10,
    precision="fp32",
)


def write_pictures(folder: Path, num_each: int = 20, side: int = 36) -> Path:
    """A class folder a colour, with noisy pictures of that colour: easy to tell apart."""
    random = np.random.default_rng(7)
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(num_each):
            noise = random.normal(0, 40, (side, side + number % 3, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:03}.png")
    return folder


def write_parquet(
    path: Path,
    labels: list[Any],
    pictures: list[Any] | None = None,
    names: list[str] | None = None,
    rows: int = 2,
) -> Path:
    """A file in the Hugging Face layout, `rows` to a row group."""
    images = [{"bytes": PICTURE, "path": None} for _ in labels] if pictures is None else pictures
    table = arrow.table(
        {"image": arrow.array(images, IMAGE), "label": arrow.array(labels, "int64")}
    )
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        info = {"info": {"features": features}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, path, row_group_size=rows)
    return path


def in_parquet(pictures: Path, path: Path) -> Path:
    """The pictures of a folder of class folders as a file, two to a row group."""
    dataset = open_dataset(pictures, "train")
    count = len(dataset.labels)
    rows = [{"bytes": dataset.read(index), "path": None} for index in range(count)]
    names = [label.name for label in dataset.classes]
    return write_parquet(path, dataset.labels.tolist(), rows, names)


class Notes(Silent):
    """What a run says in words."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)
