"""The layout of a drawing: sizes mean what they say, and no text touches another."""

from itertools import combinations
from math import log2

import pytest

from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.drawing.network import network_scene
from vggnet.drawing.scene import Box, Diamond, Scene, Words
from vggnet.spec import Spec

WIDE = Spec("wide", ("conv3-1000000 LRN conv3-1", "maxpool", "conv5-7p2 " * 9, "avgpool FC-3"), 90)
LARGE = Spec("large", ("conv3-8", "maxpool"), 1_000_000)


def scene(*specs: Spec | str) -> Scene:
    return network_scene([analyze(spec).drawn() for spec in specs])


def boxes(drawing: Scene, network: int = 0) -> dict[str, Box]:
    """By the first layer that each stands for."""
    found = [each for each in drawing.shapes if isinstance(each, Box) and each.layers]
    return {
        each.layers[0]: each for each in found if each.network == network and each.role != "norm"
    }


def words(drawing: Scene) -> list[Words]:
    return [shape for shape in drawing.shapes if isinstance(shape, Words)]


def extent(text: Words) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of capitals and descenders."""
    return (text.left, text.y - 0.75 * text.size, text.left + text.width, text.y + 0.22 * text.size)


PAIRS = [("D",), ("A", "E"), ("C", "D"), ("D", "AlexNet"), ("D-BN", "D"), ("A", "D", "E"),
         (WIDE,), (WIDE, "D"), (LARGE,)]  # fmt: skip


@pytest.mark.parametrize("specs", PAIRS, ids=str)
def test_no_text_touches_another_or_leaves_the_drawing(specs: tuple[Spec | str, ...]) -> None:
    drawing = scene(*specs)
    extents = [(text.text, extent(text)) for text in words(drawing)]
    for text, (left, top, right, bottom) in extents:
        assert left >= 16, text  # the page shows the drawing without its margin
        assert top >= 0, text
        assert right <= drawing.width, text
        assert bottom <= drawing.height, text
    for (text, one), (other, two) in combinations(extents, 2):
        apart = one[2] < two[0] or two[2] < one[0] or one[3] <= two[1] or two[3] <= one[1]
        assert apart, (text, other)


@pytest.mark.parametrize("specs", PAIRS, ids=str)
def test_no_text_lies_on_a_column_and_no_column_on_another(specs: tuple[Spec | str, ...]) -> None:
    drawing = scene(*specs)
    columns = [box for number in range(len(specs)) for box in boxes(drawing, number).values()]
    for text in words(drawing):
        left, top, right, bottom = extent(text)
        for box in columns:
            beside = right <= box.x or left >= box.x + box.width
            assert beside or bottom <= box.y or top >= box.y + box.height, (text.text, box.layers)
    for one, two in combinations(columns, 2):
        beside = one.x + one.width < two.x or two.x + two.width < one.x
        assert beside or one.y + one.height < two.y or two.y + two.height < one.y


def test_sides_and_channels_are_on_log_scales() -> None:
    of_d = boxes(scene("D"))
    halving = of_d["conv1_1"].height - of_d["pool1"].height
    assert halving > 0
    assert of_d["conv1_1"].height - of_d["conv5_1"].height == pytest.approx(4 * halving)
    doubling = of_d["conv2_1"].width - of_d["conv1_1"].width
    assert doubling > 0
    assert of_d["fc6"].width - of_d["conv1_1"].width == pytest.approx(6 * doubling)
    assert of_d["input"].width - of_d["conv1_1"].width == pytest.approx(doubling * log2(3 / 64))


def test_what_stands_beneath_the_columns() -> None:
    shown = [text.text for text in words(scene("D"))]
    for text in ("conv3_1–3", "×3", "256×56×56", "2×2 /2", "4096", "pool5", "224", "7"):
        assert text in shown
    assert any("log scale" in text for text in shown)
    assert "138\u202f357\u202f544 parameters, 15.5 G MACs on 224×224 pixels" in shown


def test_equal_layers_have_one_place_and_others_a_mark() -> None:
    drawing = scene("D", "E")
    ours, theirs = boxes(drawing), boxes(drawing, 1)
    assert all(ours[name].x == theirs[name].x for name in ours)
    marks = [shape for shape in drawing.shapes if isinstance(shape, Diamond)]
    assert len(marks) == 3 + 1  # conv3_4, conv4_4, conv5_4 and the legend
    for name in ("conv3_4", "conv4_4", "conv5_4"):
        middle = theirs[name].x + theirs[name].width / 2
        assert any(mark.x == middle and mark.y < theirs[name].y for mark in marks)


def test_a_long_fold_is_one_column() -> None:
    drawing = scene(Spec("long", ("conv3-8 " * 1000,), 16))
    column = boxes(drawing)["conv1_1"]
    assert len(column.layers) == 1000
    assert drawing.width < 1000
    assert "×1000" in [text.text for text in words(drawing)]


def test_a_map_that_is_not_square_is_as_high_as_a_square_of_its_size() -> None:
    spec = configuration("D").scaled(head="average")
    wide = network_scene([analyze(spec, (112, 448)).drawn()])
    assert boxes(wide)["conv1_1"].height == pytest.approx(boxes(scene(spec))["conv1_1"].height)


def test_a_long_name_has_room() -> None:
    drawing = scene(Spec("x" * 400, ("conv3-8",), 8))
    assert all(text.left + text.width <= drawing.width for text in words(drawing))


def test_nothing_is_no_drawing() -> None:
    with pytest.raises(ValueError, match="there is no network to draw: name one or more"):
        network_scene([])
