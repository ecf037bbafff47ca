"""vggnet.training.augment: crops lie in the picture, have the size asked for, and repeat."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vggnet.training.augment import augment
from vggnet.training.recipe import MODERN, PAPER

RAMP = Image.fromarray(
    np.stack(
        np.broadcast_arrays(np.arange(80)[:, None] * 3, np.arange(60)[None, :] * 4, 7), axis=-1
    ).astype(np.uint8)
)  # red tells the row, green the column


@pytest.mark.parametrize("recipe", [MODERN, replace(PAPER, input_size=48, short_side="50-90")])
def test_views_have_the_size_and_repeat_with_the_seed(recipe) -> None:  # type: ignore[no-untyped-def]
    views = [augment(RAMP, 48, recipe, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert views[0].shape == (48, 48, 3)
    assert views[0].dtype == np.uint8
    assert (views[0] == views[1]).all()
    assert (views[0] != views[2]).any()


def test_area_crops_stay_above_the_smallest_share_and_reach_every_corner() -> None:
    recipe = replace(MODERN, min_area=0.3, flip=False)
    shares, rows, columns = [], [], []
    for seed in range(300):
        view = augment(RAMP, 64, recipe, np.random.default_rng(seed)).astype(int)
        height = (view[-1, 0, 0] - view[0, 0, 0]) / 3 + 1
        width = (view[0, -1, 1] - view[0, 0, 1]) / 4 + 1
        shares.append(height * width / (80 * 60))
        rows.append(view[0, 0, 0] / 3)
        columns.append(view[0, 0, 1] / 4)
    assert 0.25 < min(shares) < 0.4
    assert max(shares) > 0.85
    assert min(rows) < 2
    assert max(rows) > 20
    assert min(columns) < 2
    assert max(columns) > 12


def test_half_of_the_views_are_mirrored_and_none_without_flip() -> None:
    for flip, low, high in ((True, 120, 180), (False, 0, 0)):
        recipe = replace(MODERN, flip=flip)
        mirrored = 0
        for seed in range(300):
            view = augment(RAMP, 32, recipe, np.random.default_rng(seed)).astype(int)
            mirrored += int(view[0, 0, 1] > view[0, -1, 1])
        assert low <= mirrored <= high


def test_the_papers_crop_keeps_the_aspect_and_the_drawn_scale() -> None:
    recipe = replace(PAPER, input_size=40, short_side="40-80", flip=False)
    scales = []
    for seed in range(200):
        view = augment(RAMP, 40, recipe, np.random.default_rng(seed)).astype(int)
        down = (view[-1, 20, 0] - view[0, 20, 0]) / 3
        across = (view[20, -1, 1] - view[20, 0, 1]) / 4
        assert down == pytest.approx(across, abs=2)
        scales.append(60 * 39 / across)  # the short side that was drawn
    assert 38 < min(scales) < 45
    assert 74 < max(scales) < 84
