"""Pictures made up for a quick try: noise around a colour for each class.

In: a folder. Out: class folders in it, train and validation.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"blue": (40, 60, 200), "green": (50, 190, 60), "red": (210, 40, 50)}


def write(folder: Path, training: int = 20, validation: int = 4, side: int = 40) -> Path:
    """Write so many pictures of each class, `side` pixels square, the same each time."""
    random = np.random.default_rng(7)
    for split, number in (("train", training), ("validation", validation)):
        for name, colour in COLOURS.items():
            of_class = folder / split / name
            of_class.mkdir(parents=True, exist_ok=True)
            for each in range(number):
                noise = random.normal(0, 40, (side, side, 3))
                pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(of_class / f"{each:03}.png")
    return folder
