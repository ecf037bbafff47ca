"""Small labelled pictures and small recipes, for tests of training and evaluation."""

from pathlib import Path

import numpy as np
from PIL import Image

from vggnet.training.recipe import Recipe

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
    average=0.9,
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
