"""vggnet.cli.small_chart: columns as high as the numbers."""

import pytest

from vggnet.cli import small_chart
from vggnet.cli.small_chart import chart


def test_columns_are_as_high_as_the_numbers() -> None:
    lines = chart([0, 1, 2], height=2)
    assert lines == ["2 " + " " * 40 + "█" * 20, "0 " + " " * 20 + "█" * 40]


def test_many_values_are_thinned_out_from_end_to_end() -> None:
    (line,) = chart(list(range(6000)), height=1)
    assert line.startswith("0 ")
    assert line.endswith("▇███")
    assert len(line) == 62


def test_a_scale_may_begin_above_zero_and_a_flat_curve_is_no_fault() -> None:
    assert chart([1.0, 3.0], height=1, lowest=1.0) == ["1 " + " " * 30 + "█" * 30]
    assert chart([2.0], height=1, lowest=2.0) == ["2 "]


def test_without_blocks_in_the_output_s_encoding_there_are_signs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(small_chart, "can_print", lambda _: False)
    assert set(chart([0, 1], height=1)[0]) == set("0 #")
