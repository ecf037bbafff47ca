"""batches.augment: crops lie in the picture, have the size asked for, and repeat."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image

from vggnet.image import rescale_short_side
from vggnet.training import recipes
from vggnet.training.batches.augment import augment
from vggnet.training.recipes import MODERN

PAPER = replace(recipes.PAPER, rgb_shift=0.0)  # its crops alone
RAMP = Image.fromarray(
    np.stack(
        np.broadcast_arrays(np.arange(80)[:, None] * 3, np.arange(60)[None, :] * 4, 7), axis=-1
    ).astype(np.uint8)
)  # red tells the row, green the column
NOISE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (9, 8, 3), dtype=np.uint8))


def _views(recipe, size, num):  # type: ignore[no-untyped-def]
    """Views of the small picture, each of which no other crop gives."""
    return [augment(NOISE, size, recipe, np.random.default_rng(seed)).tobytes()
            for seed in range(num)]  # fmt: skip


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


def test_area_crops_reach_the_last_column_and_the_last_row() -> None:
    boxes = {
        NOISE.resize((6, 6), Image.Resampling.BILINEAR, box=box).tobytes(): box
        for box in product(range(8), range(9), range(1, 9), range(1, 10))
        if box[0] < box[2] and box[1] < box[3]
    }
    cropped = [boxes[view] for view in _views(replace(MODERN, flip=False), 6, 500)]
    across = {(left, right) for left, _, right, _ in cropped if right - left == 6}
    down = {(top, bottom) for _, top, _, bottom in cropped if bottom - top == 7}
    assert across == {(0, 6), (1, 7), (2, 8)}
    assert down == {(0, 7), (1, 8), (2, 9)}


def test_half_of_the_views_are_mirrored_and_none_without_flip() -> None:
    for flip, low, high in ((True, 120, 180), (False, 0, 0)):
        recipe = replace(MODERN, flip=flip)
        mirrored = 0
        for seed in range(300):
            view = augment(RAMP, 32, recipe, np.random.default_rng(seed)).astype(int)
            mirrored += int(view[0, 0, 1] > view[0, -1, 1])
        assert low <= mirrored <= high


@pytest.mark.parametrize(
    "recipe", [MODERN, replace(PAPER, input_size=6, short_side="6-8")], ids=["area", "short side"]
)
def test_views_with_flip_are_those_without_and_their_mirror_images(recipe) -> None:  # type: ignore[no-untyped-def]
    plain = set(_views(replace(recipe, flip=False), 6, 500))
    mirrored = {np.frombuffer(view, np.uint8).reshape(6, 6, 3)[:, ::-1].tobytes() for view in plain}
    seen = _views(replace(recipe, flip=True), 6, 500)
    assert plain.isdisjoint(mirrored)
    assert plain.union(mirrored).issuperset(seen)
    assert 200 < sum(view in mirrored for view in seen) < 300


@pytest.mark.parametrize(("size", "sides"), [(6, (6, 7, 8)), (3, (3, 4))])
def test_the_papers_crop_is_every_square_of_every_scale_and_nothing_else(
    size: int, sides: tuple[int, ...]
) -> None:
    """S is 6, 7 or 8 for views of 6 x 6, and half of that, rounded, for views of 3 x 3."""
    recipe = replace(PAPER, input_size=6, short_side="6-8", flip=False)
    squares = set()
    for side in sides:
        rescaled = rescale_short_side(NOISE, side)
        for left, top in product(
            range(rescaled.width - size + 1), range(rescaled.height - size + 1)
        ):
            squares.add(rescaled.crop((left, top, left + size, top + size)).tobytes())
    assert set(_views(recipe, size, 1000)) == squares


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


def test_erasing_puts_noise_into_a_rectangle_of_that_share_of_the_views() -> None:
    grey = Image.new("RGB", (64, 64), (128, 128, 128))
    plain = replace(MODERN, flip=False)
    shares = []
    for seed in range(400):
        view = augment(grey, 64, replace(plain, erasing=0.5), np.random.default_rng(seed))
        changed = (view != 128).any(axis=2)
        if not changed.any():
            continue
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert changed.sum() >= 0.95 * height * width
        assert 0.25 < width / height < 4
        assert view[changed].std() > 50
        shares.append(height * width / 64**2)
    assert 150 < len(shares) < 250
    assert 0.01 < min(shares) < 0.06
    assert 0.27 < max(shares) < 0.36


def test_erasing_comes_last_and_leaves_the_picture_alone() -> None:
    before = NOISE.tobytes()
    plain = replace(MODERN, flip=False, trivial_augment=True)
    for seed in range(50):
        with_it, without = (
            augment(NOISE, 32, recipe, np.random.default_rng(seed))
            for recipe in (replace(plain, erasing=1.0), plain)
        )
        assert 0 < (with_it != without).any(axis=2).mean() < 0.4
    assert NOISE.tobytes() == before


def test_trivial_augment_changes_views_of_the_same_crop() -> None:
    recipe = replace(MODERN, flip=True)
    changed = sum(
        (
            augment(RAMP, 32, recipe, np.random.default_rng(seed))
            != augment(RAMP, 32, replace(recipe, trivial_augment=True), np.random.default_rng(seed))
        ).any()
        for seed in range(100)
    )
    assert 70 < changed < 100  # identity and weak ones leave some as they are


def test_colours_are_shifted_by_a_normal_part_of_each_axis() -> None:
    grey = Image.new("RGB", (8, 8), (128, 128, 128))
    axes_CC = np.array([[300.0, 0, -40], [200, 100, 0], [100, 0, 80]])
    recipe = replace(MODERN, rgb_shift=0.1)
    shifts = np.array(
        [
            augment(grey, 8, recipe, np.random.default_rng(seed), axes_CC)[0, 0].astype(float) - 128
            for seed in range(2000)
        ]
    )
    np.testing.assert_allclose(shifts.mean(axis=0), 0, atol=2.5)
    expected = 0.01 * axes_CC @ axes_CC.T
    np.testing.assert_allclose(np.cov(shifts.T), expected, rtol=0.15, atol=20)


def test_the_shift_is_the_same_for_all_pixels_and_changes_no_crop() -> None:
    axes_CC = np.diag([100.0, 100.0, 100.0])
    picture = Image.fromarray(np.asarray(NOISE) // 4 + 96)  # far from black and white
    for seed in range(20):
        recipe = replace(MODERN, rgb_shift=0.1)
        plain, shifted = (
            augment(picture, 6, each, np.random.default_rng(seed), axes_CC).astype(int)
            for each in (MODERN, recipe)
        )
        difference = shifted - plain
        assert (difference == difference[0, 0]).all()
        assert len(set(difference[0, 0])) > 1


def test_what_is_shifted_beyond_black_and_white_stays_there() -> None:
    black_and_white = Image.fromarray(np.repeat(np.array([[0], [255]], np.uint8), 3, axis=1)[None])
    axes_CC = np.diag([50.0, 50.0, 50.0])
    recipe = replace(MODERN, rgb_shift=1.0, crop="short-side", short_side="1", input_size=1)
    views = [augment(black_and_white, 1, recipe, np.random.default_rng(seed), axes_CC)
             for seed in range(100)]  # fmt: skip
    assert {0, 255} < {int(value) for view in views for value in view.flat}
    assert all(view.min() < 100 or view.max() > 155 for view in views)
