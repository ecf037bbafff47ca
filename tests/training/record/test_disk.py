"""vggnet.training.record.disk: on a full disk a run ends with one line and loses nothing."""

import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from same_run import assert_same_run
from small_data import SMALL, Notes

from vggnet.data import open_dataset
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.record.disk import writing
from vggnet.training.train import resume, train


@contextmanager
def limit(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them would take most of the time."""
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: False)


@pytest.mark.parametrize("name", ["checkpoint.pt", "metrics.jsonl", "model.safetensors"])
def test_a_run_without_room_names_the_file_and_goes_on_to_the_same_bits(
    name: str, pictures: Path, tmp_path: Path
) -> None:
    dataset, recipe = open_dataset(pictures, "train"), replace(SMALL, weight_average=0.0)
    alone, cut = (TrainingOptions(tmp_path / each, workers=0) for each in ("alone", "cut"))
    train(dataset, recipe, alone)
    with pytest.raises(Interrupted):
        train(dataset, recipe, replace(cut, stop_after=3))
    before = (cut.folder / "checkpoint.pt").read_bytes()
    if name == "metrics.jsonl":
        room = (cut.folder / name).stat().st_size + 10
        options = cut
    elif name == "checkpoint.pt":
        room, options = len(before) // 2, replace(cut, checkpoint_seconds=0)
    else:  # smaller than a checkpoint, so its room goes at the run's very end
        room = (alone.folder / name).stat().st_size // 2
        resume(dataset, cut)
        before, options = (cut.folder / "checkpoint.pt").read_bytes(), cut
        (cut.folder / name).unlink()
    text = rf"{re.escape(str(cut.folder / name))}: cannot be written: File too large; .*--resume"
    with pytest.MonkeyPatch.context() as patch:
        if name == "model.safetensors":  # only the last step's is written again
            patch.setattr("vggnet.training.record.checkpoint.save", lambda *_: None)
        with limit(room), pytest.raises(ValueError, match=text) as caught:
            resume(dataset, options)
    assert "\n" not in str(caught.value)
    assert (cut.folder / "checkpoint.pt").read_bytes() == before
    left = {path.name for path in cut.folder.iterdir()}
    assert left <= {"checkpoint.pt", "metrics.jsonl", "run.lock"}
    resume(dataset, cut)
    assert_same_run(alone.folder, cut.folder)
    assert (cut.folder / "model.safetensors").exists()


def test_without_room_for_the_first_checkpoint_nothing_is_to_be_resumed(
    pictures: Path, tmp_path: Path
) -> None:
    text = r"checkpoint\.pt: cannot be written: File too large; make room .* and begin again"
    with limit(1000), pytest.raises(ValueError, match=text):
        train(open_dataset(pictures, "train"), SMALL, TrainingOptions(tmp_path, workers=0))
    assert {path.name for path in tmp_path.iterdir()} <= {"metrics.jsonl", "run.lock"}


def test_curves_without_room_are_a_note(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def draw(_lines: object, path: Path) -> None:
        with limit(10):
            path.write_bytes(b"x" * 100)

    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: True)
    monkeypatch.setattr("vggnet.training.loop.draw_curves", draw)
    notes = Notes()
    options = TrainingOptions(tmp_path, workers=0, reporter=notes)
    train(open_dataset(pictures, "train"), replace(SMALL, sizes="32x1"), options)
    assert f"{tmp_path / 'curves.png'}: not drawn: File too large" in notes.lines
    assert not (tmp_path / "curves.png").exists()


def _as_torch_does() -> None:
    try:
        raise OSError(28, "No space left on device")
    finally:
        raise RuntimeError("unexpected pos 704 vs 598")


def test_what_torch_wraps_is_found_and_other_faults_are_left(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No space left on device"), writing(tmp_path / "a"):
        _as_torch_does()
    text = "written: a library's own words; make room"
    with pytest.raises(ValueError, match=text), writing(tmp_path / "a"):
        raise OSError("a library's own words")
    with pytest.raises(RuntimeError, match="mat1 and mat2"), writing(tmp_path / "a"):
        raise RuntimeError("mat1 and mat2")
