"""scripts/repeated_pictures.py: it finds a picture of both splits, whatever its file is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from places import ROOT

SCRIPT = ROOT / "scripts" / "repeated_pictures.py"


def test_pictures_of_both_splits_are_found_by_their_pixels(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    a, b, c, d = (
        Image.fromarray(random.integers(0, 256, (8, 6, 3), dtype=np.uint8)) for _ in range(4)
    )
    files = {
        "train/cat/1.png": a,
        "train/dog/1.png": b,
        "train/dog/2.png": c,
        "validation/cat/1.bmp": b,  # under another label, and in another format
        "validation/cat/2.png": d,
        "validation/dog/1.png": c,
        "validation/dog/2.png": a.transpose(Image.Transpose.ROTATE_90),
        "validation/dog/3.png": a.resize((4, 12), Image.Resampling.NEAREST),
    }
    for name, picture in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / name)
    (tmp_path / "train/dog/3.png").write_text("no picture")
    found = subprocess.run(
        [sys.executable, SCRIPT, tmp_path], capture_output=True, text=True, check=True
    )
    assert found.stdout.splitlines() == [
        "cat, in training as dog",
        "dog, in training as dog",
        "2 validation pictures are among the training pictures, 1 of them under other labels only",
    ]
    assert found.stderr.startswith("left out: ")
