"""How much memory dense testing takes with VGG16, whatever the size of the picture.

    python benchmarks/dense_memory.py

VGG16 with random weights on the native engine, pictures that grow. Prints after each the process's
largest resident size so far, in MiB, and into how many strips the picture was cut.
"""

from __future__ import annotations

import resource

import numpy as np
from networks import network

from vggnet.evaluation.strips import MOST_BYTES, BoundedMaps, strips
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.weights import Weights

SIZES = ((224, 224), (256, 384), (384, 512), (512, 683), (512, 2000), (512, 6000), (1024, 2048))


def peak() -> int:
    """In MiB, as Linux counts it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> None:
    spec, state = network("vgg16")
    maps = BoundedMaps(Model(Weights(spec, state, Preprocess.paper()), "native"))
    print(f"the weights: {peak():,}")
    for height, width in SIZES:
        number = len(strips(maps.spec, height, width, MOST_BYTES))
        rows, columns = maps(np.zeros((1, 3, height, width), np.float32)).shape[2:]
        print(
            f"{height} x {width}: {peak():,}; {number} strips, a map of {rows} x {columns}",
            flush=True,
        )


if __name__ == "__main__":
    main()
