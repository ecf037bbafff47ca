"""vggnet.training.record.history: lines are kept, cut back, and drawn."""

from pathlib import Path

import pytest
from PIL import Image

from vggnet.training.record.history import History, draw_curves, read


def test_lines_beyond_the_checkpoint_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    history = History(path)
    history.add({"step": 1, "loss": 2.5})
    length = history.flush()
    history.add({"step": 2, "loss": 2.25})
    history.close()
    again = History(path, length)
    again.add({"step": 2, "loss": 2.0})
    again.close()
    assert read(path) == [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.0}]


def test_the_length_is_that_of_what_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n')
    history = History(path, 12)
    assert history.flush() == 12
    history.close()
    assert path.stat().st_size == 12


def test_a_file_shorter_than_the_checkpoint_says_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("{}\n")
    with pytest.raises(ValueError, match=r"3 bytes, .* counts on 10; put the run.s own file back"):
        History(path, 10)


def test_curves_are_a_picture(tmp_path: Path) -> None:
    lines = [{"step": n, "loss": 5 / n, "learning_rate": 0.1} for n in range(1, 20)]
    draw_curves([*lines, {"epoch": 1, "train_top1": 0.1}], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size == (1200, 360)
