"""Says how far two engines are from each other on real pictures.

In: labelled pictures (as for `vggnet evaluate`), two engines by name, a model. Out: the relative
error ||a - b||_2 / ||b||_2 of all logits, and on how many pictures the best class is the same; the
exit status is 1 where the error is above the bound or a best class differs.

    python scripts/compare_engines.py DATA --pictures 200 --engines numpy torch
"""

import argparse
import sys

import numpy as np

import vggnet
from vggnet.data import open_dataset, picture

BATCH_SIZE = 25


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder of class folders, or Parquet")
    parser.add_argument("--pictures", type=int, default=200, help="how many, evenly spread")
    parser.add_argument("--engines", nargs=2, default=("numpy", "torch"), metavar=("A", "B"))
    parser.add_argument("--weights", default="tiny-imagenet", help="a model's name or a file")
    parser.add_argument("--split", default="validation", help="validation or train")
    parser.add_argument("--bound", type=float, default=1e-4, help="on the relative error")
    options = parser.parse_args()
    try:
        agree = compare(options)
    except ValueError as error:
        parser.error(str(error))
    sys.exit(0 if agree else 1)


def compare(options: argparse.Namespace) -> bool:
    models = [vggnet.load(options.weights, engine=name) for name in options.engines]
    dataset = open_dataset(options.data, options.split)
    num_pictures = min(options.pictures, len(dataset.labels))
    if num_pictures < 1:
        raise ValueError(f"--pictures {options.pictures} must be at least 1")
    chosen = np.linspace(0, len(dataset.labels) - 1, num_pictures).astype(int)
    logits: tuple[list[np.ndarray], ...] = ([], [])
    for first in range(0, num_pictures, BATCH_SIZE):
        batch = [picture(dataset, index) for index in chosen[first : first + BATCH_SIZE]]
        images_NCHW = models[0].preprocessing.batch(batch)
        for model, found in zip(models, logits, strict=True):
            found.append(model.logits(images_NCHW))
    a_NK, b_NK = (np.concatenate(found).astype(np.float64) for found in logits)
    error = float(np.linalg.norm(a_NK - b_NK) / np.linalg.norm(b_NK))
    num_same = int((a_NK.argmax(axis=1) == b_NK.argmax(axis=1)).sum())
    names = " against ".join(model.engine.name for model in models)
    print(
        f"{names}: relative error {error:.1e} (bound {options.bound:g}), the same best class on "
        f"{num_same} of {num_pictures} pictures"
    )
    return error <= options.bound and num_same == num_pictures


if __name__ == "__main__":
    main()
