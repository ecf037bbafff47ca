"""vggnet.versions: fields may be added, and nobody takes one for what it is not."""

import pytest

from vggnet.versions import checked, latest

SINCE = {"name": 1, "size": 1, "shape": 2, "colour": 3}


def test_the_latest_version_is_that_of_the_last_field() -> None:
    assert latest(SINCE) == 3
    assert latest({}) == 1


@pytest.mark.parametrize("version", [{}, {"version": 1}])
def test_an_older_version_lacks_what_came_later(version: dict[str, int]) -> None:
    assert checked("a box", {"name": "a", "size": 3, **version}, SINCE) == {"name": "a", "size": 3}


def test_a_newer_version_without_news_is_read() -> None:
    values = {"name": "a", "size": 3, "shape": "square", "colour": "red"}
    assert checked("a box", {**values, "version": 9}, SINCE) == values


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (
            {"version": 4, "name": "a", "smell": 1},
            "a box is of version 4 and has the unknown ['smell']; this vggnet knows version 3: "
            "install a newer one",
        ),
        (
            {"version": 2, "name": "a", "size": 3},
            "a box lacks ['shape']; its fields are colour, name, shape, size",
        ),
        (
            {"version": 3, "name": "a", "shape": 1, "colour": 1, "smell": 1},
            "a box lacks ['size'] and has the unknown ['smell']; its fields are colour, name, "
            "shape, size",
        ),
        ({"version": "1", "name": "a"}, "a box is of version '1'; give a whole number from 1"),
        ({"version": True, "name": "a"}, "a box is of version True; give a whole number from 1"),
        ({"version": 0, "name": "a"}, "a box is of version 0; give a whole number from 1"),
        (None, "a box is None; give an object with named fields"),
    ],
)
def test_what_is_no_version_of_it_is_one_line(values: object, text: str) -> None:
    with pytest.raises(ValueError, match="a box") as caught:
        checked("a box", values, SINCE)
    assert str(caught.value) == text


def test_long_values_are_cut_short() -> None:
    with pytest.raises(ValueError, match="unknown") as caught:
        checked("a box", {"x\n" * 10_000: 1, **{str(n): 1 for n in range(1000)}}, {})
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()
