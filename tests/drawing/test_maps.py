"""Numbers as pictures: scales, overlays, grids, filters."""

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from vggnet.drawing.maps import enlarged, filters_picture, grid, maps_picture, overlay
from vggnet.drawing.scales import colours, span


def test_viridis_is_matplotlibs() -> None:
    values = np.linspace(0, 1, 101)[np.newaxis]
    ours = colours(values, 0, 1)[0]
    theirs = 255 * mpl.colormaps["viridis"](values[0])[:, :3]
    assert np.abs(ours - theirs).max() < 5


def test_the_signed_scale_is_centred_at_0() -> None:
    values = np.array([[-3.0, 0.0, 1.0]])
    low, high = span(values, "signed")
    assert (low, high) == (-3, 3)
    assert span(-values, "signed") == (-3, 3)
    blue, middle, orange = colours(values, low, high, "signed")[0].astype(int)
    assert np.ptp(middle) == 0
    assert blue[2] > blue[0]
    assert orange[0] > orange[2]


def test_values_beyond_the_range_have_the_colours_of_the_ends() -> None:
    assert np.array_equal(
        colours(np.array([[-9.0, 9.0]]), 0, 1), colours(np.array([[0.0, 1.0]]), 0, 1)
    )
    assert len(np.unique(colours(np.zeros((2, 2)), 0, 0).reshape(-1, 3), axis=0)) == 1


def test_a_span_begins_at_0() -> None:
    assert span(np.array([2.0, 5.0])) == (0, 5)


def test_enlarged_keeps_each_position_in_the_middle_of_its_square() -> None:
    values = np.array([[0.0, 1.0], [2.0, 3.0]], np.float32)
    large = enlarged(values, 6, 6)
    assert np.array_equal(large[1::3, 1::3], values)


def test_overlay() -> None:
    photograph = Image.new("RGB", (8, 4), (200, 0, 0))
    assert np.array_equal(
        np.asarray(overlay(photograph, np.eye(2), strength=1)),
        colours(enlarged(np.eye(2), 4, 8), 0, 1),
    )
    with pytest.raises(ValueError, match=r"strength 1\.5 must be from 0 to 1"):
        overlay(photograph, np.eye(2), strength=1.5)


def test_a_grid_reads_in_rows() -> None:
    tiles = [np.full((2, 2, 3), value, np.uint8) for value in range(5)]
    sheet = np.asarray(grid(tiles, side=4, space=1))
    assert sheet.shape == (2 * 5 - 1, 3 * 5 - 1, 3)
    assert [sheet[0, 0, 0], sheet[0, 5, 0], sheet[0, 10, 0], sheet[5, 0, 0]] == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="nothing to show"):
        grid([], 4)


def test_maps_share_one_scale() -> None:
    maps = np.zeros((4, 8, 8), np.float32)
    maps[0], maps[1], maps[2] = 4, 2, 1
    picture = np.asarray(maps_picture(maps, side=64))
    expected = colours(np.array([[4.0, 2.0], [1.0, 0.0]]), 0, 4)
    assert np.array_equal(picture[[[0], [66]], [[0, 66]]], expected)


def test_vectors_are_squares_and_other_shapes_are_refused() -> None:
    assert maps_picture(np.arange(100.0)).height >= 98
    with pytest.raises(ValueError, match=r"\(C, H, W\) or \(C,\), not \(1, 2, 3, 4\)"):
        maps_picture(np.zeros((1, 2, 3, 4)))


def test_a_few_large_values_do_not_darken_the_rest() -> None:
    maps = np.ones((1, 64, 64), np.float32)
    maps[0, 0, 0] = 1000
    picture = np.asarray(maps_picture(maps, side=64))
    assert np.array_equal(picture[32, 32], colours(np.ones((1, 1)), 0, 1)[0, 0])


def test_large_maps_are_reduced() -> None:
    assert maps_picture(np.ones((4, 128, 128), np.float32), side=32).height < 100


def test_filters_in_the_order_of_colours() -> None:
    weights = np.zeros((2, 3, 3, 3), np.float32)
    weights[0, 0] = 1  # looks for the first channel
    weights[1, 2] = -0.5
    first, second = (
        np.asarray(filters_picture(weights, order))[0, 0].tolist() for order in ("RGB", "BGR")
    )
    assert first == [255, 128, 128]
    assert second == [128, 128, 255]
    with pytest.raises(ValueError, match=r"\(O, 3, Y, X\), not \(2, 4, 3, 3\)"):
        filters_picture(np.zeros((2, 4, 3, 3)))
