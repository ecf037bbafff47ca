"""vggnet.evaluation.views: the geometry of a protocol's views, against Pillow's crops."""

import numpy as np
import pytest
from PIL import Image

from vggnet.evaluation.protocols import Protocol
from vggnet.evaluation.views import centre, grid_crops, rescaled, views
from vggnet.image import PictureError, centre_crop, flip, rescale_short_side

PIXELS = np.random.default_rng(0).integers(0, 256, (37, 52, 3), dtype=np.uint8)


def test_a_grid_goes_from_edge_to_edge_row_by_row() -> None:
    picture = Image.fromarray(PIXELS)
    found = list(grid_crops(PIXELS, 20))
    # 17 and 32 pixels of room in four steps: 4.25 and 8
    corners = [(left, top) for top in (0, 4, 8, 13, 17) for left in (0, 8, 16, 24, 32)]
    expected = [picture.crop((x, y, x + 20, y + 20)) for x, y in corners]
    assert len(found) == 25
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, np.asarray(theirs))
    assert all(np.shares_memory(each, PIXELS) for each in found)


def test_the_centre_is_that_of_the_preprocessing() -> None:
    picture = Image.fromarray(PIXELS)
    for size in (20, 21, 36, 37):
        np.testing.assert_array_equal(centre(PIXELS, size), np.asarray(centre_crop(picture, size)))


def test_each_scale_is_resampled_from_the_picture_itself() -> None:
    picture = Image.fromarray(PIXELS)
    scales = ((20, "bilinear"), (64, "bicubic"))
    found = rescaled(picture, scales, "a.png")
    assert tuple(found) == scales
    for scale in scales:
        np.testing.assert_array_equal(found[scale], np.asarray(rescale_short_side(picture, *scale)))
    with pytest.raises(PictureError, match=r"^a.png: 60000 x 1 with a short side of 64"):
        rescaled(Image.new("RGB", (60_000, 1)), scales, "a.png")


@pytest.mark.parametrize("mirrored", [True, False])
@pytest.mark.parametrize("crops", ["centre", "dense", "multicrop", "both"])
def test_weights_of_all_views_add_up_to_one(crops, mirrored: bool) -> None:  # type: ignore[no-untyped-def]
    protocol = Protocol("a", crops, (37, 40, 43), mirrored)
    found = [each for _ in protocol.scales for each in views(protocol, PIXELS, 20, 30)]
    assert len(found) == protocol.num_views
    assert sum(weight for _, weight, _ in found) == pytest.approx(1)
    dense = sum(weight for is_dense, weight, _ in found if is_dense)
    assert dense == pytest.approx({"dense": 1, "both": 0.5}.get(crops, 0))


def test_mirror_images_are_cropped_as_the_picture_is() -> None:
    protocol = Protocol("a", "multicrop", (37,))
    found = [view for _, _, view in views(protocol, PIXELS, 20, 30)]
    mirrored = np.asarray(flip(Image.fromarray(PIXELS)))
    for ours, theirs in zip(found[25:], grid_crops(mirrored, 20), strict=True):
        np.testing.assert_array_equal(ours, theirs)
