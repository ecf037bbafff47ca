"""batches.trivial_augment: each operation is what its name says, as often as any other."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from vggnet.training.batches import trivial_augment as module
from vggnet.training.batches.trivial_augment import OPERATIONS, trivial_augment

SIDE = 56
PIXELS = np.stack(
    np.broadcast_arrays(np.arange(SIDE)[:, None] * 2 + 60, np.arange(SIDE)[None, :] * 2 + 40, 90),
    axis=-1,
).astype(np.uint8)  # red tells the row, green the column
VIEW = Image.fromarray(PIXELS)
NOISE = Image.fromarray(np.random.default_rng(3).integers(50, 200, (40, 40, 3), dtype=np.uint8))


def _after(name: str, strength: float) -> np.ndarray:
    return np.asarray(OPERATIONS[name](VIEW, strength)).astype(int)


def test_there_are_the_papers_fourteen_operations() -> None:
    assert len(OPERATIONS) == 14


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("strength", [-1, -0.5, 0, 0.5, 1])
def test_views_keep_their_size_and_mode(name: str, strength: float) -> None:
    view = OPERATIONS[name](VIEW, strength)
    assert (view.size, view.mode) == ((SIDE, SIDE), "RGB")


@pytest.mark.parametrize("name", [*OPERATIONS.keys() - {"auto-contrast", "equalize"}])
def test_strength_0_changes_nothing(name: str) -> None:
    np.testing.assert_array_equal(_after(name, 0), PIXELS)


@pytest.mark.parametrize("name", [*OPERATIONS.keys() - {"identity"}])
def test_strength_1_changes_much(name: str) -> None:
    for strength in (-1, 1):
        changed = np.asarray(OPERATIONS[name](NOISE, strength)) != np.asarray(NOISE)
        assert changed.mean() > 0.1


def test_the_strongest_translation_is_a_seventh_of_the_side() -> None:
    shift = SIDE * 32 // 224
    across, down = _after("translate x", 1), _after("translate y", -1)
    np.testing.assert_array_equal(across[:, :-shift], PIXELS[:, shift:])
    assert (across[:, -shift:] == 0).all()
    np.testing.assert_array_equal(down[shift:], PIXELS[:-shift])


def test_the_strongest_shear_and_turn() -> None:
    sheared = _after("shear x", -1)
    assert sheared[-1, -1, 1] == PIXELS[-1, 0, 1]  # as many columns as rows, almost
    assert sheared[0, -1, 1] == PIXELS[0, -1, 1]
    turned = np.asarray(VIEW.rotate(135)).astype(int)
    np.testing.assert_array_equal(_after("rotate", 1), turned)


def test_enhancements_go_down_to_a_hundredth_and_up_to_twice() -> None:
    assert _after("brightness", -1).max() <= 2
    np.testing.assert_allclose(_after("brightness", 1), (PIXELS * 1.99).clip(0, 255), atol=1)
    assert np.ptp(_after("contrast", -1)) <= 4
    assert np.ptp(_after("colour", -1), axis=2).max() <= 3


def test_solarize_inverts_from_the_threshold_on_and_posterize_keeps_two_bits() -> None:
    expected = np.where(PIXELS >= 128, 255 - PIXELS, PIXELS)
    np.testing.assert_array_equal(_after("solarize", 0.5), expected)
    np.testing.assert_array_equal(_after("solarize", 1), 255 - PIXELS)
    np.testing.assert_array_equal(_after("posterize", 1), PIXELS & 0b11000000)


def test_operations_strengths_and_signs_are_drawn_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def noted(name: str):  # type: ignore[no-untyped-def]
        return lambda view, strength: drawn.append((name, strength)) or view

    monkeypatch.setattr(module, "_FUNCTIONS", tuple(map(noted, OPERATIONS)))
    random = np.random.default_rng(0)
    for _ in range(8000):
        trivial_augment(VIEW, random)
    counts = Counter(name for name, _ in drawn)
    assert set(counts) == set(OPERATIONS)
    assert min(counts.values()) > 8000 / 14 * 0.8
    strengths = Counter(round(30 * strength) for _, strength in drawn)
    assert set(strengths) == set(range(-30, 31))
    assert min(strengths.values()) > 8000 / 62 * 0.6
    assert abs(sum(strengths[level] - strengths[-level] for level in range(31))) < 400


def test_a_view_is_fixed_by_its_generator() -> None:
    views = [trivial_augment(VIEW, np.random.default_rng(seed)).tobytes() for seed in range(40)]
    again = [trivial_augment(VIEW, np.random.default_rng(seed)).tobytes() for seed in range(40)]
    assert views == again
    assert len(set(views)) > 20
