"""vggnet.training.loop: interrupted anywhere, a run goes on to the same bits."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import HELPERS
from same_run import assert_same_run
from small_data import SMALL, Notes, write_pictures
from torch import Tensor

from vggnet.data import open_dataset, picture
from vggnet.evaluation import Score
from vggnet.image import PictureError
from vggnet.training.batches.held_back import split
from vggnet.training.batches.pictures import DecodedPictures
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.record import checkpoint
from vggnet.training.record.history import read
from vggnet.training.reporter import Silent
from vggnet.training.run import Diverged, Outcome, Run
from vggnet.training.train import resume, train
from vggnet.weights import own_file


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them would take most of the time."""
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: False)


LEVERS = {"trivial_augment": True, "erasing": 0.25, "mixup": 0.2, "cutmix": 1.0, "mix_share": 0.8}


def test_options_are_checked_and_the_folder_may_be_a_text(tmp_path: Path) -> None:
    assert TrainingOptions(str(tmp_path)).folder == tmp_path  # type: ignore[arg-type]
    wrong: Any
    for wrong, text in (
        ({"workers": -1}, "workers -1 must be at least 0"),
        ({"threads": 0}, "threads 0 must be at least 1"),
        ({"convolutions": "cuda"}, "convolutions 'cuda' must be one of auto, native, torch"),
    ):
        with pytest.raises(ValueError, match=text):
            TrainingOptions(tmp_path, **wrong)


@pytest.mark.parametrize("levers", [{}, LEVERS], ids=["plain", "levers"])
def test_an_interrupted_run_resumes_to_the_bit(
    levers: dict[str, Any], pictures: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(pictures, "train")
    recipe = replace(SMALL, head="fc", **levers)  # dropout, so the random state counts
    train(dataset, recipe, TrainingOptions(tmp_path / "alone", workers=0))
    cut = TrainingOptions(tmp_path / "cut", workers=1)
    with pytest.raises(Interrupted, match="stopped at step 3 of 12"):
        train(dataset, recipe, replace(cut, stop_after=3))
    for stop_after in (6, 7):  # at an epoch's end, within the next
        with pytest.raises(Interrupted, match=f"stopped at step {stop_after} of 12"):
            resume(dataset, replace(cut, stop_after=stop_after))
    weights = resume(dataset, replace(cut, workers=0))
    assert_same_run(tmp_path / "alone", tmp_path / "cut")
    again = resume(dataset, cut)
    for name, values in weights.state.items():
        np.testing.assert_array_equal(values, again.state[name])


@pytest.mark.parametrize("convolutions", ["torch", "native"])
def test_killed_twenty_times_it_ends_with_the_same_bits(
    convolutions: str, pictures: Path, tmp_path: Path
) -> None:
    script = HELPERS / "kill_and_resume.py"
    command = [sys.executable, str(script), str(pictures), str(tmp_path), "20", convolutions]
    result = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 10  # kills while a checkpoint was being written
    saved = checkpoint.load(tmp_path / "killed" / "checkpoint.pt")
    assert saved.hardware["convolutions"] == convolutions
    assert_same_run(tmp_path / "alone", tmp_path / "killed")
    ours, theirs = (
        own_file.load(tmp_path / name / "model.safetensors") for name in ("alone", "killed")
    )
    for name, values in ours.state.items():
        np.testing.assert_array_equal(values, theirs.state[name])


def test_this_comparison_can_fail(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, TrainingOptions(tmp_path / "one", workers=0))
    train(dataset, replace(SMALL, seed=1), TrainingOptions(tmp_path / "other", workers=0))
    with pytest.raises(AssertionError):
        assert_same_run(tmp_path / "one", tmp_path / "other")


class _Steps(Silent):
    """Knows how many steps were done."""

    done = 0

    def step(self, step: int, *_: object) -> None:
        self.done = step


def test_a_stop_while_the_held_back_pictures_are_tested_is_heard(
    pictures: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, TrainingOptions(tmp_path / "alone", workers=0))
    steps = _Steps()  # step 6 is the first epoch's last
    options = TrainingOptions(
        tmp_path / "cut", workers=0, reporter=steps, should_stop=lambda: steps.done == 6
    )
    with pytest.raises(Interrupted, match="stopped at step 6 of 12"):
        train(dataset, SMALL, options)
    assert [line for line in read(tmp_path / "cut" / "metrics.jsonl") if "epoch" in line] == []
    resume(dataset, TrainingOptions(tmp_path / "cut", workers=0))
    assert_same_run(tmp_path / "alone", tmp_path / "cut")


def test_a_stop_while_pictures_are_decoded_is_heard(pictures: Path, tmp_path: Path) -> None:
    options = TrainingOptions(tmp_path, workers=0, should_stop=lambda: True)
    with pytest.raises(Interrupted, match="stopped at step 0 of 12"):
        train(open_dataset(pictures, "train"), SMALL, options)


def test_a_run_that_is_killed_before_its_first_step_can_be_resumed(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, TrainingOptions(tmp_path / "alone", workers=0))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    options = TrainingOptions(tmp_path / "cut", workers=0)
    with monkeypatch.context() as patch:
        patch.setattr("vggnet.training.loop.DecodedPictures.fill", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(dataset, SMALL, options)
    resume(dataset, options)
    assert_same_run(tmp_path / "alone", tmp_path / "cut")


@pytest.mark.parametrize("last", [1, 3])
def test_a_step_to_stop_after_that_is_past_is_refused_before_another_is_done(
    last: int, pictures: Path, tmp_path: Path
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    with pytest.raises(Interrupted):
        train(dataset, SMALL, replace(options, stop_after=3))
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=f"stop-after {last}: the run is at step 3 already; give"):
        resume(dataset, replace(options, stop_after=last))
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


class _Killer(Silent):
    """Kills the process that prepares pictures, at the second step."""

    def step(self, step: int, *_: object) -> None:
        if step == 2:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            os.kill(int(children[-1]), signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process in /proc")
def test_a_worker_that_dies_is_one_line_and_the_run_can_be_resumed(
    pictures: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(pictures, "train")
    recipe = replace(SMALL, sizes="32x20")  # more batches than are prepared ahead
    options = TrainingOptions(tmp_path, workers=1, reporter=_Killer())
    with pytest.raises(ValueError, match=r"prepares pictures ended \(.*--resume"):
        train(dataset, recipe, options)
    with pytest.raises(Interrupted):
        resume(dataset, TrainingOptions(tmp_path, workers=0, stop_after=119))


def test_the_interval_counts_from_the_end_of_a_write(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, written = [0.0], []

    def slow_save(_path: Path, saved: checkpoint.Checkpoint) -> None:
        written.append(saved.run["step"])
        clock[0] += 100

    class Clock(Silent):
        def step(self, *_: object) -> None:
            clock[0] += 20

    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("vggnet.training.record.checkpoint.save", slow_save)
    options = TrainingOptions(tmp_path, workers=0, checkpoint_seconds=60, reporter=Clock())
    train(open_dataset(pictures, "train"), replace(SMALL, holdout=0, sizes="32x1"), options)
    assert written == [0, 3, 6, 7]


def _with_broken_pictures(folder: Path) -> Path:
    write_pictures(folder)
    for name in ("blue/001.png", "red/002.png"):
        (folder / name).write_bytes(b"nonsense")
    return folder


def test_broken_pictures_are_counted_and_strict_stops(tmp_path: Path) -> None:
    dataset = open_dataset(_with_broken_pictures(tmp_path / "data"), "train")
    recipe = replace(SMALL, sizes="32x3", holdout=0)
    weights = train(dataset, recipe, TrainingOptions(tmp_path / "run", workers=0))
    assert weights.training["broken_pictures"] == 2
    with pytest.raises(PictureError, match=r"blue/001\.png: not a"):  # before anything is begun
        train(dataset, recipe, TrainingOptions(tmp_path / "strict", workers=0, strict=True))
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize("in_memory", [True, False])
def test_a_picture_that_is_mended_after_a_strict_stop_was_never_missed(
    in_memory: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Looked at first, as of a large data set: the pictures 0 and 30, which are sound.
    monkeypatch.setattr("vggnet.training.batches.colours._ENOUGH", 2)
    monkeypatch.setattr("vggnet.training.batches.pictures._SAMPLE", 2)
    recipe = replace(SMALL, sizes="32x3", holdout=0, seed=1)  # they are in later batches
    options = TrainingOptions(
        tmp_path / "alone", workers=1, memory_limit=None if in_memory else 0, strict=True
    )
    whole = write_pictures(tmp_path / "whole" / "data")
    train(open_dataset(whole, "train"), recipe, options)
    dataset = open_dataset(_with_broken_pictures(tmp_path / "data"), "train")
    options = replace(options, folder=tmp_path / "cut")
    text = r"\.png: .*; mend it, or leave --strict out, and go on with --resume"
    with pytest.raises(PictureError, match=text):
        train(dataset, recipe, options)
    with pytest.raises(PictureError, match=text):
        resume(dataset, options)
    saved = checkpoint.load(tmp_path / "cut" / "checkpoint.pt")
    assert (saved.run["step"] == 0) == in_memory
    assert saved.broken == []
    for name in ("blue/001.png", "red/002.png"):
        (whole / name).rename(tmp_path / "data" / name)
    assert resume(dataset, options).training["broken_pictures"] == 0
    assert_same_run(tmp_path / "alone", tmp_path / "cut")


def test_broken_held_back_pictures_are_named_once_and_strict_stops(tmp_path: Path) -> None:
    whole = write_pictures(tmp_path / "whole" / "data")
    options = TrainingOptions(tmp_path / "alone", workers=0)
    train(open_dataset(whole, "train"), SMALL, options)
    broken = open_dataset(write_pictures(tmp_path / "data"), "train")
    file = Path(broken.where(int(split(60, SMALL)[1][0])))
    sound = file.read_bytes()
    file.write_bytes(b"nonsense")
    notes = Notes()
    options = replace(options, folder=tmp_path / "lenient", reporter=notes)
    weights = train(broken, SMALL, options)
    (left_out,) = [text for text in notes.lines if text.startswith("left out: ")]
    assert left_out.startswith(f"left out: {file}: not a JPEG")
    assert weights.training["broken_pictures"] == 1
    options = TrainingOptions(tmp_path / "strict", workers=0, strict=True)
    with pytest.raises(PictureError, match="go on with --resume"):
        train(broken, SMALL, options)
    assert not [line for line in read(tmp_path / "strict" / "metrics.jsonl") if "epoch" in line]
    file.write_bytes(sound)
    assert resume(broken, options).training["broken_pictures"] == 0
    assert_same_run(tmp_path / "alone", tmp_path / "strict")


def test_held_back_pictures_are_kept_within_the_limit(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded, given = [], []
    fill = DecodedPictures.fill

    def filled(self: DecodedPictures, indices: Any, limit: int, *others: Any) -> bool:
        given.append(limit)
        return fill(self, indices, limit, *others)

    monkeypatch.setattr(DecodedPictures, "fill", filled)
    monkeypatch.setattr(
        "vggnet.training.batches.held_back.picture",
        lambda dataset, index: decoded.append(index) or picture(dataset, index),
    )
    held_back = SMALL.holdout
    for limit, times in ((0, 3), (2**24, 1)):
        decoded.clear()
        options = TrainingOptions(tmp_path / str(limit), workers=0, memory_limit=limit)
        train(open_dataset(pictures, "train"), SMALL, options)
        assert len(decoded) == times * held_back
        assert given.pop() == limit - limit * held_back // 60


def test_broken_pictures_are_remembered_when_a_run_is_resumed(tmp_path: Path) -> None:
    dataset = open_dataset(_with_broken_pictures(tmp_path / "data"), "train")
    recipe = replace(SMALL, sizes="32x3", holdout=0)
    options = TrainingOptions(tmp_path / "run", workers=0, memory_limit=0)  # not all decoded first
    with pytest.raises(Interrupted):
        train(dataset, recipe, replace(options, stop_after=20))
    assert len(checkpoint.load(tmp_path / "run" / "checkpoint.pt").broken) == 2
    write_pictures(tmp_path / "mended")
    for name in ("blue/001.png", "red/002.png"):
        (tmp_path / "mended" / name).rename(tmp_path / "data" / name)
    assert resume(dataset, options).training["broken_pictures"] == 2


def test_an_epochs_line_has_the_mean_loss_and_the_score_of_what_is_held_back(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = []

    def evaluate(*_: object, indices: np.ndarray, **__: object) -> Score:
        tested.append(indices.tolist())
        return Score(0.3, 0.6, 10, "", 1)

    monkeypatch.setattr("vggnet.training.loop.evaluate", evaluate)
    train(open_dataset(pictures, "train"), SMALL, TrainingOptions(tmp_path, workers=0))
    lines = read(tmp_path / "metrics.jsonl")
    losses = np.array([line["loss"] for line in lines if "step" in line]).reshape(2, 6)
    epochs = [line for line in lines if "epoch" in line]
    assert [line["train_loss"] for line in epochs] == pytest.approx(losses.mean(axis=1))
    assert [(line["top1"], line["top5"]) for line in epochs] == [(0.3, 0.6)] * 2
    assert tested == [split(60, SMALL)[1].tolist()] * 3  # after each epoch and at the end


def test_plateau_watches_the_first_guess(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([Score(0.4, top5, 10, "", 1) for top5 in (0.6, 0.7, 0.8, 0.9)])
    monkeypatch.setattr("vggnet.training.loop.evaluate", lambda *_, **__: next(scores))
    recipe = replace(SMALL, schedule="plateau", patience=1, sizes="32x3", learning_rate=0.01)
    train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    rates = [line["learning_rate"] for line in read(tmp_path / "metrics.jsonl") if "step" in line]
    assert rates[::6] == pytest.approx([0.01, 0.01, 0.001])


@pytest.fixture
def _read_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on CUDA: what steps gave is read now and then."""
    monkeypatch.setattr(Run, "checks_each_step", False)
    monkeypatch.setattr("vggnet.training.loop._MOST_UNREAD", 4)


def test_reading_now_and_then_changes_no_bit(
    pictures: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, TrainingOptions(tmp_path / "alone", workers=0))
    request.getfixturevalue("_read_later")
    options = TrainingOptions(tmp_path / "later", workers=0)
    with pytest.raises(Interrupted):
        train(dataset, SMALL, replace(options, stop_after=3))
    resume(dataset, options)
    assert_same_run(tmp_path / "alone", tmp_path / "later")


@pytest.mark.parametrize("checkpoint_seconds", [0, 1000])
@pytest.mark.parametrize("later", [False, True])
def test_nothing_of_a_step_that_diverged_is_kept(
    later: bool,
    checkpoint_seconds: float,
    pictures: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, TrainingOptions(tmp_path / "alone", workers=0))
    if later:
        request.getfixturevalue("_read_later")
    options = TrainingOptions(tmp_path / "cut", workers=0, checkpoint_seconds=checkpoint_seconds)
    step_of = Run.train_step

    def spoilt(run: Run, *batch: Tensor) -> Outcome:
        if run.step == 2:  # every other number of the gradient is sound
            run.network.get_parameter("conv1_1.bias").register_hook(lambda each: each / 0)
        return step_of(run, *batch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "train_step", spoilt)
        with pytest.raises(Diverged, match="the gradient is not finite at step 3 "):
            train(dataset, SMALL, options)
    saved = checkpoint.load(tmp_path / "cut" / "checkpoint.pt")
    assert saved.run["step"] == (0 if checkpoint_seconds else 2)
    resume(dataset, options)
    assert_same_run(tmp_path / "alone", tmp_path / "cut")


# Hardly learns, so that held-back accuracy stays what it is.
STALLED = replace(SMALL, sizes="32x8", learning_rate=1e-9, weight_average=0.0, batch_norm=False)


def test_plateau_ends_the_run_early_and_says_so(pictures: Path, tmp_path: Path) -> None:
    recipe, notes = replace(STALLED, schedule="plateau", patience=1), Notes()
    options = TrainingOptions(tmp_path, workers=0, reporter=notes)
    weights = train(open_dataset(pictures, "train"), recipe, options)
    epochs = [line for line in read(tmp_path / "metrics.jsonl") if "epoch" in line]
    assert len(epochs) == 5  # the best one, then one for each rate
    assert weights.training["ended_by"] == "plateau"
    assert [line for line in notes.lines if line.startswith("the run ends at step 30 of 48: held")]


def test_plateau_does_not_count_the_epochs_in_which_the_rate_rises(
    pictures: Path, tmp_path: Path
) -> None:
    recipe = replace(STALLED, schedule="plateau", patience=1, warmup_epochs=2)
    train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    epochs = [line for line in read(tmp_path / "metrics.jsonl") if "epoch" in line]
    assert len(epochs) == 7  # two, then the best one, then one for each rate


def test_no_other_schedule_ends_early(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(STALLED, sizes="32x14")  # plateau would end it after 13 epochs
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    assert weights.training["steps"] == 84
    assert "ended_by" not in weights.training


def test_a_checkpoint_that_plateau_ended_under_another_schedule_goes_on(
    pictures: Path, tmp_path: Path
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    with pytest.raises(Interrupted):
        train(dataset, STALLED, replace(options, stop_after=30))
    path = tmp_path / "checkpoint.pt"
    saved = checkpoint.load(path)
    saved.run["plateau"] |= {"drops": 3, "finished": True}  # as version 0.1 left it
    checkpoint.save(path, saved)
    assert resume(dataset, options).training["steps"] == 48
