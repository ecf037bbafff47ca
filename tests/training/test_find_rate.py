"""vggnet.training.find_rate: the range test reads curves as a person would, and touches no run."""

import inspect
import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import run as command
from PIL import Image
from small_data import SMALL, Notes, in_parquet, write_pictures

from vggnet import native_kernels
from vggnet.class_lists import labels_from_names
from vggnet.data import open_dataset
from vggnet.data.parquet import ParquetDataset
from vggnet.image import PictureError
from vggnet.preprocess import Preprocess
from vggnet.training import find_rate as module
from vggnet.training.find_rate import find_rate, read_curves
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.recipe import NETWORK_FIELDS, Recipe
from vggnet.training.run import Diverged, Run
from vggnet.training.train import resume, train
from vggnet.weights import own_file
from vggnet.weights.random_weights import random_state
from vggnet.weights.weights import Weights

RATES = np.geomspace(1e-4, 10, 101)
OPTIONS = TrainingOptions(Path("nowhere"), workers=0)
PLAIN = replace(SMALL, batch_norm=False, weight_average=0.0)


def _curve(seed: int, noise: float = 0.05, falls_at: float = 0.003, least_at: float = 0.3) -> Any:
    """2.5 at low rates, in the end 1 at the rate of the least loss, then up; with noise."""
    position = np.log10(RATES / falls_at) / np.log10(least_at / falls_at)
    falling = 2.5 - 1.5 * np.clip(position, 0, 1)
    rising = 3 * np.clip(np.log10(RATES / least_at), 0, None)
    return falling + rising + np.random.default_rng(seed).normal(0, noise, len(RATES))


def test_a_valley_gives_its_least_rate_and_a_suggestion_below_it() -> None:
    found = read_curves(RATES, [_curve(seed) for seed in range(3)])
    assert found.interval is not None
    assert found.suggestion is not None
    low, high = found.interval
    assert 0.002 < low < 0.008
    assert 0.2 < high < 0.4
    assert found.suggestion == pytest.approx(high / module._BELOW_LEAST, rel=0.1)
    assert len(found.losses) == len(found.rates) == len(RATES)
    assert not found.diverged


@pytest.mark.parametrize("shift", [0.1, 10])
def test_rates_count_by_their_ratios(shift: float) -> None:
    """A curve that lies ten times lower gives a tenth, whatever the spacing of the numbers."""
    plain = read_curves(RATES, [_curve(0)])
    moved = read_curves(RATES * shift, [_curve(0)])
    assert plain.suggestion is not None
    assert moved.suggestion == pytest.approx(plain.suggestion * shift, rel=0.05)


def test_one_low_loss_is_no_valley() -> None:
    curve = _curve(1)
    expected = read_curves(RATES, [curve]).interval
    curve[20] = -1.0  # at 0.001
    found = read_curves(RATES, [curve])
    assert expected is not None
    assert found.interval is not None
    assert found.interval[1] == pytest.approx(expected[1])


def test_where_a_seed_diverged_the_curve_ends() -> None:
    curves = [_curve(0), list(_curve(1))[:85]]
    found = read_curves(RATES, curves)
    assert (len(found.rates), found.diverged) == (85, True)
    assert found.suggestion is not None


def test_the_reason_says_where_the_suggestion_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    valley = read_curves(RATES, [_curve(0)])
    assert "; the suggestion is the latter divided by 2" in valley.reason
    monkeypatch.setattr(module, "_BELOW_LEAST", 1000.0)
    beneath = read_curves(RATES, [_curve(0)])
    assert beneath.interval is not None
    assert beneath.suggestion == beneath.interval[0]
    assert "; the suggestion is the former, since the latter divided by 1000" in beneath.reason


def test_a_flat_curve_gives_nothing_and_says_so() -> None:
    random = np.random.default_rng(0)
    found = read_curves(RATES, [2.5 + random.normal(0, 0.1, len(RATES)) for _ in range(3)])
    assert (found.suggestion, found.interval) == (None, None)
    assert "no more than noise" in found.reason


def test_a_curve_that_falls_to_its_end_asks_for_higher_rates() -> None:
    found = read_curves(RATES, [_curve(0, least_at=100.0)])
    assert found.suggestion is None
    assert "the loss still falls at the highest rate, 10: give a higher --highest" in found.reason


def test_a_net_that_diverges_at_once_asks_for_lower_rates() -> None:
    found = read_curves(RATES, [[2.5] * 5, list(_curve(0))])
    assert (found.suggestion, found.losses) == (None, ())
    assert "diverged within 5 steps from the lowest rate, 0.0001, on" in found.reason


def _found(pictures: Path, recipe: Any = SMALL, **changes: Any) -> Any:
    values: Any = {"num_steps": 20, "num_seeds": 2, **changes}
    return find_rate(open_dataset(pictures, "train"), recipe, OPTIONS, **values)


def test_nothing_of_a_run_is_touched(pictures: Path, tmp_path: Path) -> None:
    """A run that is stopped, while rates are looked for, ends with the bits of one left alone."""
    dataset, recipe = open_dataset(pictures, "train"), replace(SMALL, head="fc")
    alone = train(dataset, recipe, TrainingOptions(tmp_path / "alone", workers=0))
    options = TrainingOptions(tmp_path / "cut", workers=0)
    with pytest.raises(Interrupted):
        train(dataset, recipe, replace(options, stop_after=5))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    files = {path: path.read_bytes() for path in (tmp_path / "cut").iterdir()}
    _found(pictures, recipe)
    assert torch.equal(torch.get_rng_state(), before)
    assert {path: path.read_bytes() for path in (tmp_path / "cut").iterdir()} == files
    again = resume(dataset, options)
    for name, values in alone.state.items():
        np.testing.assert_array_equal(values, again.state[name])


def test_steps_are_those_of_training_with_a_rate_that_rises(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, float, int, int]] = []
    step_of = Run.train_step

    def watched(run: Run, pixels: Any, labels: Any) -> Any:
        outcome = step_of(run, pixels, labels)
        seen.append((run.recipe.seed, outcome.learning_rate, len(labels), run.recipe.accumulate))
        return outcome

    monkeypatch.setattr(Run, "train_step", watched)
    recipe = replace(SMALL, accumulate=2, seed=5)
    done: list[int] = []
    found = _found(pictures, recipe, lowest=1e-6, highest=1e-3, progress=done.append)
    assert done == list(range(1, 63))  # 10 passed over, 20 rates, one more to see the last
    assert {(size, parts) for _, _, size, parts in seen} == {(8, 2)}
    assert [seed for seed, *_ in seen] == [5] * 31 + [6] * 31
    rates = [rate for _, rate, *_ in seen[:31]]
    assert rates == pytest.approx([1e-6] * 10 + [*np.geomspace(1e-6, 1e-3, 20), 1e-3])
    assert found.rates == pytest.approx(np.geomspace(1e-6, 1e-3, 20))
    assert len(found.by_seed[0]) == 20


def test_a_run_there_is_one_of_training(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the teacher of the recipe, convolutions as asked for, and of no other schedule."""
    spec, labels = SMALL.spec(3), labels_from_names(["blue", "green", "red"])
    teacher = tmp_path / "teacher.safetensors"
    preprocess = Preprocess(32, 32, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    own_file.save(teacher, Weights(spec, random_state(spec, 1), preprocess, labels))
    seen: list[tuple[Any, ...]] = []
    begin = Run.__init__

    def watched(run: Run, *arguments: Any, **named: Any) -> None:
        begin(run, *arguments, **named)
        given = inspect.signature(begin).bind(run, *arguments, **named).arguments
        seen.append((given["teacher"].specs, given["convolutions"], run.recipe.schedule))

    monkeypatch.setattr(Run, "__init__", watched)
    recipe = replace(SMALL, teacher=str(teacher), warmup=0.3)
    for asked in ("torch", "native") if native_kernels.absence() is None else ("torch",):
        seen.clear()
        options: Any = replace(OPTIONS, convolutions=asked)
        dataset = open_dataset(pictures, "train")
        find_rate(dataset, recipe, options, num_steps=20, num_seeds=1)
        assert seen == [([spec], asked, "constant")]


def test_pictures_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "some", num_each=6)
    (folder / "red" / "000.png").write_bytes(b"no picture")
    notes = Notes()
    options = replace(OPTIONS, reporter=notes)
    recipe = replace(SMALL, holdout=0)
    find_rate(open_dataset(folder, "train"), recipe, options, num_steps=20, num_seeds=1)
    named = [line for line in notes.lines if line.startswith("left out: ")]
    assert len(named) == 1
    assert "000.png" in named[0]
    # The colours are measured before, on pictures of which this is one: a net that brings them.
    weights = tmp_path / "start.safetensors"
    spec, labels = SMALL.spec(3), labels_from_names(["blue", "green", "red"])
    preprocess = Preprocess(32, 32, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    own_file.save(weights, Weights(spec, random_state(spec, 1), preprocess, labels))
    network = {name: getattr(Recipe(), name) for name in NETWORK_FIELDS}
    begun = replace(recipe, init=str(weights), **network)
    with pytest.raises(PictureError, match=r"000\.png: .*; mend it, or leave --strict out"):
        find_rate(open_dataset(folder, "train"), begun, replace(options, strict=True), num_steps=20)


def test_parquet_is_read_once_whatever_the_order(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reads = in_parquet(pictures, tmp_path / "a.parquet"), []
    read_group = ParquetDataset._read_group

    def counted(self: ParquetDataset, group: int) -> Any:
        reads.append(group)
        return read_group(self, group)

    monkeypatch.setattr(ParquetDataset, "_read_group", counted)
    dataset, notes = open_dataset(path, "train"), Notes()
    options = replace(OPTIONS, folder=tmp_path, memory_limit=80_000, reporter=notes)
    find_rate(dataset, SMALL, options, num_steps=20, num_seeds=2)
    # Of 30 row groups: for the colours, and to keep them, one of which is too much for the memory.
    assert len(reads) <= 61
    assert "50 training pictures, kept as they are encoded" in notes.lines
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    asked = replace(options, should_stop=lambda: True)
    monkeypatch.setattr(Run, "train_step", lambda *_: pytest.fail("it did not stop before"))
    with pytest.raises(KeyboardInterrupt):
        find_rate(dataset, SMALL, asked, num_steps=20, num_seeds=2)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the process in /proc")
def test_a_worker_that_dies_is_one_line(
    pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    step_of = Run.train_step

    def deadly(run: Run, *batch: Any) -> Any:
        if run.step == 1:
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            os.kill(int(children[-1]), signal.SIGKILL)
        return step_of(run, *batch)

    monkeypatch.setattr(Run, "train_step", deadly)
    more = ["--workers", "1", "--steps", "100"]
    status, out, err = command(capsys, "find-lr", str(pictures), *ARGUMENTS, *more)
    assert (status, out) == (2, "")
    assert "a process that prepares pictures ended (" in err.splitlines()[-1]
    assert err.splitlines()[-1].endswith("; give fewer --workers if memory ran out")


def test_a_loss_belongs_to_the_step_before_it(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step_of = Run.train_step

    def numbered(run: Run, *batch: Any) -> Any:
        outcome = step_of(run, *batch)
        return outcome._replace(loss=torch.tensor(100.0 + outcome.step, dtype=torch.float64))

    monkeypatch.setattr(Run, "train_step", numbered)
    found = _found(pictures, lowest=1e-9, highest=1e-8)
    # Step 11 is the first at a rate that counts, and step 12 the first that shows what it did.
    assert found.by_seed[0] == tuple(100.0 + step for step in range(12, 32))


def test_it_stops_where_a_net_diverges(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step_of, steps = Run.train_step, []

    def diverging(run: Run, *batch: Any) -> Any:
        if run.learning_rate() > 1:
            raise Diverged("the loss is nan")
        steps.append(run.step)
        return step_of(run, *batch)

    monkeypatch.setattr(Run, "train_step", diverging)
    found = _found(pictures, PLAIN, lowest=1e-3, highest=10)
    assert found.diverged
    assert max(found.rates) < 1
    assert steps.count(0) == 2


def test_a_range_that_is_none_is_refused(pictures: Path) -> None:
    with pytest.raises(ValueError, match=r"the lowest rate 0\.1 must be above 0 and below 0\.01"):
        _found(pictures, lowest=0.1, highest=0.01)
    with pytest.raises(ValueError, match="19 rates are too few"):
        _found(pictures, num_steps=19)


ARGUMENTS = [
    "--workers", "0", "--config", "A", "--width", "0.05", "--input-size", "32", "--batch-size", "8",
    "--precision", "fp32", "--steps", "40", "--seeds", "2",
]  # fmt: skip


def test_the_command_answers_in_json_and_draws(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rates.png"
    status, out, err = command(
        capsys, "find-lr", str(pictures), *ARGUMENTS, "--format", "json", "-o", str(path)
    )
    assert status == 0, err
    found = json.loads(out)
    assert set(found) == {"suggestion", "interval", "reason", "rates", "losses"}
    assert len(found["rates"]) == len(found["losses"]) <= 40
    if found["suggestion"] is not None:
        low, high = found["interval"]
        assert low <= found["suggestion"] <= high
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_says_none_where_there_is_none(
    pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flat = ["--lowest", "1e-12", "--highest", "1e-11"]
    status, out, err = command(capsys, "find-lr", str(pictures), *ARGUMENTS, *flat)
    assert status == 0, err
    assert "suggestion  none\n" in out
    assert "reason      the loss falls by " in out
    status, out, err = command(
        capsys, "find-lr", str(pictures), *ARGUMENTS, *flat, "--format", "json"
    )
    assert (json.loads(out)["suggestion"], json.loads(out)["interval"]) == (None, None)


def test_what_is_found_is_printed_before_it_is_drawn(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """So that a disk that is full then takes none of it away, nor leaves half a picture."""

    def draw(_: Any, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise OSError("no room")

    monkeypatch.setattr(module, "draw", draw)
    path = tmp_path / "rates.png"
    status, out, err = command(capsys, "find-lr", str(pictures), *ARGUMENTS, "--out", str(path))
    assert status == 2
    assert "suggestion " in out
    assert "no room" in err
    assert list(tmp_path.iterdir()) == []


def test_options_are_those_of_train(
    pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Any, ...]] = []

    def watched(_: Any, recipe: Any, options: TrainingOptions, **__: Any) -> Any:
        seen.append((len(recipe.epoch_sizes), options.convolutions, options.strict))
        return read_curves(RATES, [_curve(0)])

    monkeypatch.setattr(module, "find_rate", watched)
    shared = ["--epochs", "3", "--convolutions", "torch", "--strict", "--threads", "1"]
    status, _, err = command(capsys, "find-lr", str(pictures), *shared)
    assert status == 0, err
    assert seen == [(3, "torch", True)]
    for name in ("train", "ladder"):
        status, _, err = command(
            capsys, name, str(pictures), *shared, "--holdout", "2", "--dry-run", "--width", "0.02",
            "--input-size", "32",
        )  # fmt: skip
        assert status == 0, err


def test_mistakes_are_one_line(
    pictures: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Run, "train_step", lambda *_: pytest.fail("a step was taken before"))
    for more, text in (
        (["-o", "rates.jpg"], "rates.jpg: the curve is drawn as a PNG"),
        (["-o", "missing/rates.png"], "missing/rates.png: the folder missing is missing; make it"),
        (["--lowest", "1", "--highest", "0.1"], "the lowest rate 1 must be above 0 and below 0.1"),
        (["--init", "nowhere"], "nowhere"),
    ):
        status, out, err = command(capsys, "find-lr", str(pictures), *ARGUMENTS, *more)
        assert (status, out) == (2, "")
        assert text in err.splitlines()[-1]
    monkeypatch.setattr(module, "can_draw", lambda: False)
    status, out, err = command(capsys, "find-lr", str(pictures), *ARGUMENTS, "-o", "rates.png")
    assert (status, out) == (2, "")
    assert "a picture needs matplotlib" in err
