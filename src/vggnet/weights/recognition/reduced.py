"""Nets whose FC layers became dilated convolutions: DeepLab's and SSD's, which are no plain VGGs.

In: a file that was read by its names, and the shapes of its arrays. Names and shapes do not tell
how a convolution is dilated, but fc6 as 3 x 3 to twice the channels and fc7 as 1 x 1 are found
nowhere else. Source: Chen et al., arXiv 1412.7062, Section 3.1 (LargeFOV); Liu et al., arXiv
1512.02325, Section 3.1.
"""

from __future__ import annotations

import re
from itertools import pairwise

from vggnet.weights.containers import Contents
from vggnet.weights.recognition.graphs.graph import Drawing
from vggnet.weights.recognition.layouts import Layout, Shape, kernel_shape
from vggnet.weights.recognition.naming import Unfit


def check_reduced(drawing: Drawing, contents: Contents, layout: Layout) -> None:
    """Raises Unfit for such a net, be fc6 a sixth stage, an FC layer or part of another module."""
    sketch, sources = drawing.sketch, drawing.sources
    body = {sources[layer, "weight"].name for stage in sketch.stages[:5] for layer in stage}
    kernels = {
        name: shape
        for name, array in contents.arrays.items()
        if name not in body and (shape := kernel_shape(array.shape, layout))
    }
    last = sources[[layer for stage in sketch.stages[:5] for layer in stage][-1], "weight"].name
    channels = (kernel_shape(contents.arrays[last].shape, layout) or (0,))[0]
    for (before, fc6), (after, fc7) in pairwise(kernels.items()):
        if _folder(before) == _folder(after) and _is_reduced(fc6, fc7, channels):
            raise Unfit(
                f"{before} is 3 x 3, to twice the channels, and {after} 1 x 1: fc6 and fc7 of a "
                "DeepLab or SSD, dilated convolutions, which no plain VGG has"
            )


def _is_reduced(fc6: Shape, fc7: Shape, channels: int) -> bool:
    wide = 2 * channels
    return fc6 == (wide, channels, 3, 3) and fc7 == (wide, wide, 1, 1)


def _folder(name: str) -> str:
    """What stands before a layer's own name, up to its number."""
    return re.sub(r"\d+", "", name)
