"""A pixel far larger than the rest, in the maximum norm: what it does to the outputs around it.

A convolution by the definition puts it into the 3 x 3 outputs around it and nowhere else, and so
does Winograd's F(2x2). The larger ones take the outputs of a tile from sums that all hold it; it
cancels where it does not belong, and leaves rounding errors as large as it makes them. The bounds
are those that the docstring of `NativeEngine` states.
"""

import numpy as np
import pytest
from instruction_sets import FORMS
from numpy.typing import NDArray

from vggnet import _native

CHANNELS = 32
# In units of the outputs' root mean square, for each time that the pixel is larger than the rest's.
# Sums in float32 err as the root of their length; in bf16 rounding the operands outweighs that.
AT_512_CHANNELS = {4: 8e-6, 5: 4e-5, 6: 1e-4}
BOUNDS = {
    "fp32": {tile: bound * (CHANNELS / 512) ** 0.5 for tile, bound in AT_512_CHANNELS.items()},
    "bf16": {4: 0.03, 5: 0.2, 6: 0.4},
}


def convolve(
    images: NDArray[np.float32], name: str, precision: str, tile: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Outputs of a 3x3 convolution, by the definition for tile 0, and what they are in float64.

    Its inputs are mixtures of the picture's channels, as the engine gives them.
    """
    random, bf16 = np.random.default_rng(2), precision == "bf16"
    mixture = random.standard_normal((CHANNELS, 3, 1, 1)).astype(np.float32)
    weight = random.standard_normal((CHANNELS, CHANNELS, 3, 3)).astype(np.float32)
    bias = np.zeros(CHANNELS, np.float32)
    kernels, workspaces = _native.kernels(name), _native.Workspaces(1)
    plan = _native.Plan(kernels, *images.shape[2:], 16)
    plan.direct(kernels.direct(mixture, bias, 16, False, workspaces), 1, 0, False, False).output()
    if tile:
        weights = kernels.winograd(weight, bias, tile, bf16, workspaces)
        plan.winograd(weights, False, False, False).output()
    else:
        weights = kernels.direct(weight, bias, CHANNELS, bf16, workspaces)
        plan.direct(weights, 1, 1, False, False).output()
    inputs, found = (np.empty((1, CHANNELS, *images.shape[2:]), np.float32) for _ in range(2))
    plan.run(images, [inputs, found], workspaces)
    padded = np.pad(inputs[0].astype(np.float64), ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return found, np.tensordot(weight, windows, ((1, 2, 3), (0, 3, 4)))[None]


def places(tile: int) -> NDArray[np.int_]:
    """Rows, or columns, at every place within a tile, each three tiles from the one before."""
    return tile + (3 * tile + 1) * np.arange(tile)


@pytest.mark.parametrize("times", [100, 10_000])
@pytest.mark.parametrize("tile", [0, 2, 4, 5, 6])
@pytest.mark.parametrize(("name", "precision"), FORMS)
def test_their_errors_stay_in_their_tiles(name: str, precision: str, tile: int, times: int) -> None:
    size = tile or 4
    at, side = places(size), 3 * size * (size + 1)
    quiet = np.random.default_rng(1).standard_normal((1, 3, side, side), dtype=np.float32)
    loud = quiet.copy()
    loud[:, :, at[:, None], at] = times * np.sign(quiet[:, :, at[:, None], at])
    around, in_tiles = np.zeros((2, side), bool)  # rows and columns alike
    for place in at:
        around[place - 1 : place + 2] = True
        # The tiles whose inputs, a pixel more than their outputs on every side, hold it.
        in_tiles[(place - 1) // size * size : ((place + 1) // size + 1) * size] = True
    beside = np.outer(around, around)
    tiles = np.outer(in_tiles, in_tiles) & ~beside

    before, exact = convolve(quiet, name, precision, tile)
    found, expected = convolve(loud, name, precision, tile)
    changed = (found != before).any((0, 1))
    assert changed[beside].all()
    if tile in (0, 2):
        assert not changed[~beside].any()
        return
    assert not changed[~beside & ~tiles].any()
    assert np.array_equal(expected[..., tiles], exact[..., tiles])
    unit = times * np.sqrt(np.mean(exact**2))
    error = np.abs(found - expected)[..., tiles].max() / unit
    bound = BOUNDS[precision][tile]
    assert bound / 10 < error < bound
