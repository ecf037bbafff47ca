"""Predictions as notebooks show them."""

from places import EXAMPLES

import vggnet
from vggnet.drawing.answers import answers_table

CAT = EXAMPLES / "cat.jpg"


def test_predictions_are_a_list_that_shows_itself() -> None:
    model = vggnet.load()
    answers = model.predict(CAT)
    assert isinstance(answers, list)
    assert answers == list(answers)
    shown = answers._repr_html_()  # type: ignore[attr-defined]
    assert shown.count("<tr>") == 5
    assert "Egyptian cat" in shown
    assert model.predict([CAT])[0]._repr_html_() == shown  # type: ignore[attr-defined]


def test_bars_are_as_long_as_probabilities_and_names_are_escaped() -> None:
    shown = answers_table([("<i>", 0.75), ("b", 0.25)])
    assert 'width="150.0"' in shown
    assert 'width="50.0"' in shown
    assert "&lt;i&gt;" in shown
