"""`vggnet train`: what its options do, and what it says."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from small_data import SMALL, write_parquet, write_pictures

from vggnet.cli import main
from vggnet.cli.train import TrainingReporter
from vggnet.data import open_dataset
from vggnet.training.recipe import Recipe
from vggnet.training.record import checkpoint
from vggnet.weights.named import load_weights

OPTIONS = [
    "--workers", "0", "--config", SMALL.config, "--width", str(SMALL.width), "--input-size", "32",
    "--batch-size", "8", "--holdout", "10", "--precision", "fp32", "--sizes", "32x2",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them would take most of the time."""
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: False)


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status and standard error of `vggnet train`."""
    with pytest.raises(SystemExit) as end:
        main(["train", *arguments])
    out, err = capsys.readouterr()
    assert out == ""
    return int(end.value.code or 0), err


def _training(folder: Path) -> dict[str, Any]:
    return dict(load_weights(folder / "model.safetensors").training)


def test_a_run_is_resumed_without_its_options(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "run")]
    arguments = [str(pictures), *out, *OPTIONS, "--dtype", "fp16", "--average", "0.5"]
    status, err = _run(capsys, *arguments, "--stop-after", "3")
    assert status == 0, err
    assert "stopped at step 3 of 12; go on with --resume" in err
    status, err = _run(capsys, str(pictures), *out, "--resume", "--width", "0.5")
    assert status == 2
    assert err.endswith("is of another run: width 0.05 there and 0.5 here\n")
    status, err = _run(capsys, str(pictures), *out, "--resume", "--recipe", "paper")
    assert status == 2
    assert "config 'A' there and 'D' here" in err
    status, err = _run(capsys, *arguments, "--resume", "--stop-after", "5")
    assert status == 0, err
    status, err = _run(capsys, str(pictures), *out, "--resume")
    assert status == 0, err
    assert "resuming at step 5 of 12" in err
    assert "epoch 2 at 32: loss" in err
    training = _training(tmp_path / "run")
    assert (training["steps"], training["recipe"]["weight_average"]) == (12, 0.5)
    assert (tmp_path / "run" / "model.safetensors").stat().st_size < 100_000  # fp16


def test_resuming_what_is_not_there_names_the_folder_and_begins_nothing(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, err = _run(capsys, str(pictures), "--out", str(tmp_path / "typo"), "--resume")
    assert status == 2
    assert err.splitlines()[-1].startswith(
        f"vggnet: {tmp_path / 'typo'}: there is no run to resume"
    )
    assert not (tmp_path / "typo").exists()


def test_a_checkpoint_without_fields_is_one_line(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"version": 2}, tmp_path / "checkpoint.pt")
    status, err = _run(capsys, str(pictures), "--out", str(tmp_path), "--resume")
    assert status == 2
    assert err.startswith(f"vggnet: {tmp_path / 'checkpoint.pt'}: damaged: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("mistake", "text"),
    [
        (["--device", "banana"], "device 'banana' must be auto, cpu or cuda"),
        (["--device", "meta"], "device 'meta' must be auto, cpu or cuda"),
        (
            ["--convolutions", "native", "--precision", "bf16"],
            "convolutions 'native': it computes in fp32 on the cpu, not in bf16 on cpu; take 'tor",
        ),
        (["--device", "cuda:99"], "device 'cuda:99': torch"),
        (["--recipe", "grandmother"], "'grandmother' is not one of 'modern', 'paper'"),
        (["--learning-rate", "-1"], "'-1' is too small, give 1e-12 or more"),
        (["--recipe", "paper"], "holdout 10000 leaves none of 60 .* choose a smaller --holdout"),
        (["--init", "tiny-imagenet", "--width", "0.5"], "width 0.5 has no effect on what"),
        (["--init", "tiny-imagenet", "--head", "average"], "head average has no effect"),
        (["--init", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--init-from", "nowhere.safetensors"], "nowhere.safetensors"),
        (
            ["--init-from", "tiny-imagenet", "--config", "E", "--width", "0.6875"],
            "'tiny-imagenet': its fc6.weight is 200 x 352 and in the net to train 3 x 352; both",
        ),
        (
            ["--init-from", "tiny-imagenet", "--config", "E", "--width", "0.1"],
            "its conv1_1.weight is 44 x 3 x 3 x 3 and in the net to train 6 x 3 x 3 x 3; both need",
        ),
        (["--sizes", "16x8,32x4", "--batch-size", "8"], "at least 32 x 32, not 16 x 16"),
    ],
)
def test_mistakes_are_one_line(
    mistake: list[str],
    text: str,
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status, err = _run(capsys, str(pictures), "--out", str(tmp_path / "run"), *mistake)
    assert status == 2
    assert len(err.splitlines()) == 1
    assert re.search(text, err)
    assert not (tmp_path / "run").exists()


def test_fine_tuning_needs_no_other_option(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ["--init", "tiny-imagenet", "--out", str(tmp_path)]
    options = ["--sizes", "32x1", "--workers", "0"]
    status, err = _run(capsys, str(pictures), *weights, *options)
    assert status == 0, err
    assert "not from tiny-imagenet: fc6.bias, fc6.weight" in err
    recipe = _training(tmp_path)["recipe"]
    assert (recipe["init"], recipe["batch_size"], recipe["input_size"]) == ("tiny-imagenet", 32, 32)
    assert recipe["remainder"] == "spread"
    assert "config" not in recipe


def test_help_shows_a_default_for_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Factor on the channels of every layer. [default: modern 0.5, paper 1.0]" in text
    assert "Momentum of SGD. [default: 0.9]" in text
    for field in fields(Recipe):
        assert f"--{field.name.replace('_', '-')}" in text


# Makes standard error the terminal that the process belongs to.
ON_A_TERMINAL = """
import fcntl, runpy, termios
fcntl.ioctl(2, termios.TIOCSCTTY, 0)
runpy.run_module("vggnet", run_name="__main__")
"""


def _begin(folder: Path, terminal: int | None = None) -> subprocess.Popen[str]:
    """A long run in a process group of its own, past its first epoch; perhaps on a terminal."""
    data = write_pictures(folder / "data")
    program = ["-m", "vggnet"] if terminal is None else ["-c", ON_A_TERMINAL]
    process = subprocess.Popen(
        [
            sys.executable, *program, "train", str(data), "--out", str(folder / "run"), *OPTIONS,
            "--sizes", "32x100000", "--workers", "1", "--checkpoint-seconds", "1000",
        ],
        stderr=subprocess.PIPE if terminal is None else terminal,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    metrics = folder / "run" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):
        time.sleep(0.1)
    return process


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_whole_process_group_that_is_ended_leaves_a_checkpoint(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    process = _begin(tmp_path)
    os.killpg(process.pid, number)  # to the process that prepares pictures, too
    _, err = process.communicate(timeout=600)
    assert process.returncode == status, err
    assert "go on with --resume" in err
    assert "Traceback" not in err
    assert checkpoint.load(tmp_path / "run" / "checkpoint.pt").run["step"] > 0


def test_a_terminal_that_is_closed_leaves_a_checkpoint(tmp_path: Path) -> None:
    """The system sends SIGHUP, and every line that is written from then on is an error."""
    ours, theirs = pty.openpty()
    process = _begin(tmp_path, theirs)
    os.close(theirs)
    os.close(ours)
    assert process.wait(timeout=600) == 129
    assert checkpoint.load(tmp_path / "run" / "checkpoint.pt").run["step"] > 0


def test_a_run_goes_on_where_nobody_reads_its_notes_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after `vggnet train DATA 2>&1 | tee log` where tee has ended."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    monkeypatch.setattr("sys.stderr", stream)
    with TrainingReporter() as reporter:
        for epoch in (1, 2):
            reporter.step(epoch, 2, 0.5, 0.5, 1.0)
            reporter.epoch({"epoch": epoch, "size": 32, "train_loss": 0.5})
    with pytest.raises(BrokenPipeError):
        stream.close()  # what was not written, which proves that the pipe is closed


def test_an_interrupt_before_anything_is_saved_does_not_speak_of_resuming(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    out = ["--out", str(tmp_path / "run")]
    with monkeypatch.context() as patch:
        patch.setattr("vggnet.training.beginning.measured_colours", interrupted)
        status, err = _run(capsys, str(pictures), *OPTIONS, *out)
    assert status == 130
    assert err.splitlines()[-1] == "stopped before a step was done; nothing was begun"
    assert _run(capsys, str(pictures), *OPTIONS, *out, "--stop-after", "1")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr("vggnet.training.run.Run.from_values", interrupted)
        status, err = _run(capsys, str(pictures), *out, "--resume")
    assert status == 130
    assert err.splitlines()[-1] == "stopped before a step was done; go on with --resume"


def test_test_pictures_whose_labels_are_hidden_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = open_dataset(write_pictures(tmp_path / "pictures"), "train")
    rows = [{"bytes": files.read(index), "path": None} for index in range(60)]
    write_parquet(tmp_path / "data" / "train-0.parquet", files.labels, rows)
    write_parquet(tmp_path / "data" / "test-0.parquet", [-1, -1])
    status, err = _run(capsys, str(tmp_path / "data"), *OPTIONS, "--out", str(tmp_path / "run"))
    assert status == 0, err
    assert "the test pictures are left out: " in err
    assert set(_training(tmp_path / "run")["metrics"]) == {"held_back"}


def test_validation_classes_that_the_model_lacks_do_not_spoil_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pictures(tmp_path / "data" / "train")
    write_pictures(tmp_path / "data" / "val", num_each=4)
    arguments = [str(tmp_path / "data"), *OPTIONS, "--out"]
    status, err = _run(capsys, *arguments, str(tmp_path / "one"))
    assert status == 0, err
    assert _training(tmp_path / "one")["metrics"]["validation"]["images"] == 12
    (tmp_path / "data" / "val" / "red").rename(tmp_path / "data" / "val" / "pink")
    status, err = _run(capsys, *arguments, str(tmp_path / "other"))
    assert status == 0, err
    assert "not tested on the validation pictures: the model lacks 1 of the 3 classes" in err
    assert set(_training(tmp_path / "other")["metrics"]) == {"held_back"}


def test_epochs_and_lr_as_others_call_them(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [*OPTIONS[:-2], "--epochs", "1", "--lr", "0.02", "--out", str(tmp_path / "run")]
    status, err = _run(capsys, str(pictures), *options)
    assert status == 0, err
    recipe = _training(tmp_path / "run")["recipe"]
    assert recipe["learning_rate"] == 0.02
    assert recipe["sizes"] == "32x1"  # the last of the sizes
    for more, fault in (
        (["--resume"], "--epochs is of a new run"), (["--sizes", "32x2"], "not both")
    ):  # fmt: skip
        status, err = _run(capsys, str(pictures), *options, *more)
        assert status == 2
        assert fault in err


def test_a_mistake_in_the_data_is_told_before_torch_is_missed(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from vggnet.cli import main; main(['train', *sys.argv[1:]])"
    )
    good = write_pictures(tmp_path / "good")
    for data, fault in (
        (tmp_path / "nowhere", "nowhere"),
        (good, "training needs torch: pip install 'vggnet[train]'"),
    ):
        command = [sys.executable, "-c", program, str(data), "--out", str(tmp_path / "run")]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert fault in done.stderr
