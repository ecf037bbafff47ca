"""vggnet.evaluation.strips: the same maps in pieces, and what memory they take."""

import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from comparison import relative_error
from numpy.typing import NDArray
from small_nets import AVERAGE, FULLY_CONNECTED, random_images, random_state

from vggnet.configurations import configuration
from vggnet.evaluation import strips
from vggnet.evaluation.strips import BoundedMaps, live_bytes
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import Weights
from vggnet.weights.rewrite import fully_convolutional_spec

# Windows that overlap, padding of every kind, pools that drop a row of odd maps.
ODD = Spec(
    "odd",
    (
        "conv5-4/2p1",
        "maxpool3/2",
        "conv3-6 conv1-6",
        "maxpool",
        "conv3-5/1p0",
        "FC-9 FC-7 soft-max",
    ),
    48,
)
SPECS = (FULLY_CONNECTED, AVERAGE, ODD)


def model(spec: Spec, engine: str = "numpy", dtype: type = np.float64) -> Model:
    state = random_state(spec, dtype=dtype)
    return Model(Weights(spec, state, Preprocess.paper(spec.input_size, spec.input_size)), engine)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
@pytest.mark.parametrize(("height", "width"), [(48, 301), (302, 50), (64, 320), (55, 259)])
def test_strips_give_the_map_of_the_whole_picture(spec: Spec, height: int, width: int) -> None:
    net = model(spec)
    images = random_images(2, height, width)
    whole = net.dense_logits(images)
    few = BoundedMaps(net, most_bytes=1)  # the shortest strips that there are
    assert len(strips.strips(few.spec, height, width, 1)) > 4
    assert few(images).shape == whole.shape
    assert relative_error(few(images), whole) < 1e-12


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_strips_on_other_engines(engine: str) -> None:
    net = model(FULLY_CONNECTED, engine, np.float32)
    images = random_images(1, 40, 200)
    assert relative_error(BoundedMaps(net, 1)(images), net.dense_logits(images)) < 1e-5


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_a_strip_holds_what_its_positions_see_and_no_step_more(spec: Spec) -> None:
    """A picture that is changed beyond a strip's edge keeps the strip's positions."""
    net = model(spec)
    images = random_images(1, 48, 400)
    found = strips.strips(BoundedMaps(net).spec, 48, 400, 1)
    middle = found[len(found) // 2]
    whole = net.dense_logits(images)
    first = sum(each.last - each.first for each in found[: len(found) // 2])
    kept = slice(first, first + middle.last - middle.first)
    others = images.copy()
    others[..., : middle.start] += 1
    others[..., middle.stop :] += 1
    assert np.array_equal(net.dense_logits(others)[..., kept], whole[..., kept])


@pytest.mark.parametrize("most", [200_000, 400_000, 10**6])
def test_strips_take_no_more_than_is_allowed(most: int) -> None:
    spec = fully_convolutional_spec(FULLY_CONNECTED)
    for size in ((40, 5000), (5000, 40), (64, 3000)):
        found = strips.strips(spec, *size, most)
        assert len(found) > 1
        lengths = [each.stop - each.start for each in found]
        assert max(live_bytes(spec, min(size), length) for length in lengths) <= most
        # Nor needlessly many: the strips overlap by two windows of the net at most.
        assert sum(lengths) < 5000 + len(found) * 2 * 28


def test_the_papers_net_at_512_pixels_and_beyond() -> None:
    spec = fully_convolutional_spec(configuration("D"))
    assert live_bytes(spec, 512, 683) < strips.MOST_BYTES  # one photograph fits whole
    assert len(strips.strips(spec, 512, 683, strips.MOST_BYTES)) == 1
    for short, long in ((512, 4000), (768, 3000), (1000, 4000)):
        found = strips.strips(spec, short, long, strips.MOST_BYTES)
        most = max(live_bytes(spec, short, each.stop - each.start) for each in found)
        assert most <= strips.MOST_BYTES * 1.05
    found = strips.strips(spec, 2000, 4000, strips.MOST_BYTES)  # as short as strips can be
    most = max(each.stop - each.start for each in found)
    assert most <= 404 + 5 * 32


def test_memory_is_bounded_however_long_the_picture_is() -> None:
    """Beyond the picture and its map, a long one takes as much as a short one."""
    net = model(FULLY_CONNECTED, dtype=np.float32)
    bounded = BoundedMaps(net, most_bytes=1 << 20)

    def peak(maps: Callable[[NDArray[np.float32]], NDArray[np.float32]], long: int) -> int:
        images = np.zeros((1, 3, 64, long), np.float32)
        maps(images)  # makes the engine
        tracemalloc.start()
        maps(images)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    short, long = peak(bounded, 700), peak(bounded, 14_000)
    maps = 7 * 16 * 14_000 / 4 * 4 * 2  # of the pieces, and put together
    assert long < short + maps + (1 << 20)
    assert peak(net.dense_logits, 14_000) > 3 * long


def test_how_many_pictures_fit_together() -> None:
    net = model(FULLY_CONNECTED)
    bounded = BoundedMaps(net, most_bytes=10 * live_bytes(BoundedMaps(net).spec, 20, 24))
    assert bounded.fitting(20, 24) == 10
    assert bounded.fitting(20, 240) == 1
    assert bounded.fitting(200, 240) == 1


def test_the_rewritten_spec_keeps_all_but_its_head() -> None:
    spec = fully_convolutional_spec(FULLY_CONNECTED)
    assert spec == replace(FULLY_CONNECTED, rows=spec.rows)
    assert spec.any_size
