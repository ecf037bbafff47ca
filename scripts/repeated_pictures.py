"""Which validation pictures of a data set are among its training pictures, pixel for pixel.

In: a data set with both splits. Out: a line for each such picture, with both labels, and how many
there are. `python scripts/repeated_pictures.py DATA`; Tiny-ImageNet takes a quarter of a minute.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterator

from vggnet.data import Dataset, open_dataset, picture
from vggnet.image import PictureError


def digests(dataset: Dataset) -> Iterator[tuple[bytes, str]]:
    """SHA-256 of each picture's size and pixels, and the name of its class."""
    for index, label in enumerate(dataset.labels):
        try:
            pixels = picture(dataset, index)
        except PictureError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        content = f"{pixels.size}".encode() + pixels.tobytes()
        yield hashlib.sha256(content).digest(), dataset.classes[label].name


def main() -> None:
    path = sys.argv[1]
    classes_by_digest: dict[bytes, list[str]] = defaultdict(list)
    for digest, name in digests(open_dataset(path, "train")):
        classes_by_digest[digest].append(name)
    repeated = other_label = 0
    for digest, name in digests(open_dataset(path, "validation")):
        names = classes_by_digest.get(digest)
        if names:
            repeated += 1
            other_label += name not in names
            print(f"{name}, in training as {' and '.join(names)}")
    print(
        f"{repeated} validation pictures are among the training pictures, {other_label} of them "
        "under other labels only"
    )


if __name__ == "__main__":
    main()
