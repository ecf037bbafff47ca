"""vggnet.training.dry_run: what would happen is told, and does not happen."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import run as command
from small_data import SMALL, in_parquet

from vggnet.analysis import analyze
from vggnet.class_lists import labels_from_names
from vggnet.data import open_dataset
from vggnet.data.parquet import ParquetDataset
from vggnet.preprocess import Preprocess
from vggnet.training import dry_run
from vggnet.training.batches import pictures as pictures_module
from vggnet.training.dry_run import look_ahead
from vggnet.training.loop import TrainingOptions
from vggnet.training.run import Run
from vggnet.training.train import train
from vggnet.weights import own_file
from vggnet.weights.random_weights import random_state
from vggnet.weights.weights import Weights


def test_it_foretells_the_steps_and_rates_of_the_run(pictures: Path, tmp_path: Path) -> None:
    dataset, recipe = (
        open_dataset(pictures, "train"),
        replace(SMALL, schedule="step", milestones="1"),
    )
    options = TrainingOptions(tmp_path / "run", workers=0)
    before = torch.get_rng_state()
    outlook = look_ahead(dataset, recipe, options)
    assert torch.equal(torch.get_rng_state(), before)
    assert not (tmp_path / "run").exists()
    assert outlook.rates() == pytest.approx([0.05, 0.005])
    start = outlook.beginning
    assert train(dataset, recipe, options).training["steps"] == start.num_steps == 12
    with pytest.raises(ValueError, match="a run was begun there"):
        look_ahead(dataset, recipe, options)


def test_times_add_up(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, sizes="32x1,40x2")
    options = TrainingOptions(tmp_path / "run", workers=0)
    outlook = look_ahead(open_dataset(pictures, "train"), recipe, options)
    timing = dry_run.Timing({32: 3.0, 40: 5.0}, {32: 1.0, 40: 16.0}, testing=0.5)
    alone, two = (replace(outlook, timing=timing, workers=number) for number in (0, 2))
    assert alone.seconds == pytest.approx(6 * 4 + 12 * 21 + 3 * 0.5)
    assert two.seconds == pytest.approx(6 * 3 + 12 * 8 + 3 * 0.5)
    assert outlook.timing is not None
    assert min(outlook.timing.computing.values()) > 0
    assert outlook.timing.testing > 0


def test_what_is_timed_are_pictures_as_the_run_has_them(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded where all of them fit into memory, as the run decodes them once."""
    timed, decoded_while_timed = False, []
    picture, batches = pictures_module.picture, dry_run.batches

    def watched_picture(*arguments: Any) -> Any:
        decoded_while_timed.append(timed)
        return picture(*arguments)

    def watched_batches(*arguments: Any, **named: Any) -> Iterator[Any]:
        nonlocal timed
        timed = True
        first = next(batches(*arguments, **named))
        timed = False
        yield first

    monkeypatch.setattr(pictures_module, "picture", watched_picture)
    monkeypatch.setattr(dry_run, "batches", watched_batches)
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    look_ahead(dataset, SMALL, options)
    assert sum(decoded_while_timed) == 0
    look_ahead(dataset, SMALL, replace(options, memory_limit=0))
    assert sum(decoded_while_timed) == SMALL.batch_size


def test_parquet_is_timed_as_the_run_keeps_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Encoded, in memory or in a file beside the run; where neither has room, from the disk."""
    path = in_parquet(pictures, tmp_path / "a.parquet")
    options = TrainingOptions(tmp_path / "new" / "run", workers=0, memory_limit=0)
    reads, batches, read_group = [], dry_run.batches, ParquetDataset._read_group

    def counted(self: ParquetDataset, group: int) -> Any:
        reads.append(group)
        return read_group(self, group)

    def watched(*arguments: Any, **named: Any) -> Iterator[Any]:
        reads.clear()
        yield next(batches(*arguments, **named))

    monkeypatch.setattr(ParquetDataset, "_read_group", counted)
    monkeypatch.setattr(dry_run, "batches", watched)
    assert (
        look_ahead(open_dataset(path, "train"), SMALL, options).held == "kept as they are encoded"
    )
    assert reads == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]
    full = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    assert "which is slow" in look_ahead(open_dataset(path, "train"), SMALL, options).held
    assert len(reads) > SMALL.batch_size / 2


def test_a_batch_that_would_take_long_is_timed_by_a_part_of_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    step_of = Run.train_step

    def counted(run: Run, pixels: torch.Tensor, labels: torch.Tensor):  # type: ignore[no-untyped-def]
        seen.append(len(labels))
        return step_of(run, pixels, labels)

    monkeypatch.setattr(Run, "train_step", counted)
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    monkeypatch.setattr(dry_run, "_SECONDS", 1e-9)
    look_ahead(dataset, SMALL, options)
    assert seen == [2, 2]
    seen.clear()
    monkeypatch.setattr(dry_run, "_SECONDS", 1e9)
    look_ahead(dataset, SMALL, options)
    assert seen == [2, 2, 8, 8, 8, 8]
    seen.clear()
    recipe = replace(SMALL, accumulate=3, batch_size=15)  # a part of one picture would not train
    look_ahead(dataset, recipe, options)
    assert seen == [6, 6, 15, 15, 15, 15]


def test_memory_grows_as_the_recipe_says_and_too_much_of_it_is_not_tried(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    whole = look_ahead(dataset, SMALL, options).memory
    parts = look_ahead(dataset, replace(SMALL, accumulate=4), options).memory
    alone = look_ahead(dataset, replace(SMALL, weight_average=0.0), options).memory
    assert whole.activations == 4 * parts.activations
    assert 3 * whole.weights == 4 * alone.weights
    assert 50 * 36 * 36 * 3 <= whole.pictures <= 50 * 36 * 38 * 3
    assert look_ahead(dataset, SMALL, replace(options, memory_limit=0)).memory.pictures == 0
    spec = replace(SMALL, width=0.1).spec(3)
    labels = labels_from_names(["blue", "green", "red"])
    preprocess = Preprocess(32, 32, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
    teacher = tmp_path / "teacher.safetensors"
    own_file.save(teacher, Weights(spec, random_state(spec, 1), preprocess, labels))
    taught = look_ahead(dataset, replace(SMALL, teacher=f"{teacher},{teacher}"), options).memory
    cost = analyze(spec, 32)
    assert taught.weights - whole.weights == 4 * 2 * cost.parameters
    assert taught.activations - whole.activations == 4 * 8 * cost.peak_activations
    monkeypatch.setattr(dry_run, "available_memory", lambda: whole.on_device - 1)
    assert look_ahead(dataset, SMALL, options).timing is None


OPTIONS = [
    "--workers", "0", "--config", "A", "--width", "0.05", "--input-size", "32", "--batch-size", "8",
    "--holdout", "10", "--precision", "fp32", "--sizes", "32x2",
]  # fmt: skip


def test_the_command_says_what_would_happen(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, _ = command(capsys, "train", str(pictures), "--dry-run", *OPTIONS)
    assert status == 0
    assert "network   A with batch norm on 32x32 pixels: " in out
    assert "pictures  50 to learn from, 10 held back, 3 classes" in out
    assert "steps     12: 6 an epoch, epochs 2 at 32; batches of 8" in out
    assert "rate      one-cycle, 0.1 at most; by epoch:" in out
    assert "█" in out
    assert "time      about " in out
    assert out.endswith("nothing was trained, nothing was written\n")
    assert list(tmp_path.iterdir()) == []
    status, out, err = command(capsys, "train", str(pictures), "--dry-run", "--resume")
    assert (status, out) == (2, "")
    assert "--dry-run is of a new run: leave --resume out" in err
    monkeypatch.setattr(dry_run, "available_memory", lambda: 1000)
    status, out, _ = command(capsys, "train", str(pictures), "--dry-run", *OPTIONS)
    assert "not measured, since only 0 MiB are free: compute a batch in parts" in out
