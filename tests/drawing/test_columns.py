"""Which layers stand beneath each other, and which are folded."""

import pytest

from vggnet.configurations import configuration
from vggnet.drawing.columns import fold_name, folds, slots, units
from vggnet.spec import Spec


def rows(*names: str) -> list[tuple[str | None, ...]]:
    """The names of the units of each slot; with * those that differ."""
    return [
        tuple(unit and unit.name + "*" * unit.differs for unit in slot)
        for slot in slots([configuration(name).layers for name in names])
    ]


def named(spec: Spec) -> list[str]:
    """The folds of one network, with their counts."""
    return [
        f"{fold_name([unit for (unit,) in fold if unit])} x{len(fold)}"
        for fold in folds(slots([spec.layers]))
    ]


def test_relu_and_dropout_are_not_drawn() -> None:
    names = [unit.name for unit in units(configuration("A").layers)]
    assert names[:4] == ["input", "conv1_1", "pool1", "conv2_1"]
    assert names[-4:] == ["fc6", "fc7", "fc8", "prob"]


@pytest.mark.parametrize(("name", "follows"), [("A-LRN", "norm1_1"), ("A-BN", "bn1_1")])
def test_a_normalisation_is_part_of_its_convolution(name: str, follows: str) -> None:
    unit = units(configuration(name).layers)[1]
    assert [layer.name for layer in unit.layers] == ["conv1_1", follows]


def test_equal_neighbours_are_folded() -> None:
    assert named(configuration("E"))[:6] == [
        "input x1", "conv1_1–2 x2", "pool1 x1", "conv2_1–2 x2", "pool2 x1", "conv3_1–4 x4"
    ]  # fmt: skip
    assert "conv3_1–2 x2" in named(configuration("C"))  # the third one is 1x1
    assert "conv3_3 x1" in named(configuration("C"))


@pytest.mark.parametrize(
    "rows",
    [
        ("conv3-8 conv3-9",),
        ("conv3-8 conv1-8",),
        ("conv3-8 conv3-8/2",),  # the map is another one
        ("conv3-8", "maxpool", "conv3-8"),
        ("conv3-8p0 conv3-8p0",),
        ("conv3-8 LRN conv3-8",),
        ("conv3-8", "maxpool", "maxpool"),
    ],
)
def test_others_are_not(rows: tuple[str, ...]) -> None:
    assert all(fold.endswith(" x1") for fold in named(Spec("other", rows, 16)))


def test_names_of_folds() -> None:
    spec = Spec("long", ("conv3-8 " * 12,), 16, numbering="layer")
    assert named(spec) == ["input x1", "conv1–12 x12"]
    shown = units(spec.layers)
    assert fold_name(shown[10:12]) == "conv10–11"


def test_equal_layers_stand_beneath_each_other() -> None:
    assert rows("D", "E")[6:12] == [
        ("pool2", "pool2"), ("conv3_1", "conv3_1"), ("conv3_2", "conv3_2"), ("conv3_3", "conv3_3"),
        (None, "conv3_4*"), ("pool3", "pool3"),
    ]  # fmt: skip
    assert [slot for slot in rows("D", "D") if "*" in str(slot)] == []


def test_what_differs_is_marked_in_both() -> None:
    assert ("conv3_3*", "conv3_3*") in rows("C", "D")
    marked = [slot for slot in rows("D", "D-BN") if "*" in str(slot)]
    assert len(marked) == 13  # each convolution has a batch norm in one of them


def test_layers_of_one_name_stand_beneath_each_other_though_their_widths_differ() -> None:
    both = slots([configuration("D").scaled(0.5).layers, configuration("D").layers])
    assert all(one and other and one.name == other.name for one, other in both)
    same = [one.name for one, _ in both if one and not one.differs]
    assert same == ["input", "pool1", "pool2", "pool3", "pool4", "pool5", "prob"]


def test_fc6_of_another_input_differs_though_it_does_the_same() -> None:
    both = slots([configuration("D").layers, configuration("D").scaled(input_size=96).layers])
    assert [unit.name for unit, _ in both if unit and unit.differs] == ["fc6"]


def test_three_networks() -> None:
    found = rows("A", "D", "E")
    assert ("conv1_1", "conv1_1", "conv1_1") in found
    assert (None, "conv1_2*", "conv1_2*") in found
    assert (None, None, "conv5_4*") in found
    assert all(len(slot) == 3 for slot in found)


def test_nothing_is_lost() -> None:
    found = rows("D", "AlexNet")
    for number, name in enumerate(("D", "AlexNet")):
        shown = [unit.name for unit in units(configuration(name).layers)]
        assert [slot[number].rstrip("*") for slot in found if slot[number]] == shown
