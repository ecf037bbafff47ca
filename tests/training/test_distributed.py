"""vggnet.training.distributed: several processes train as one would."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from places import HELPERS
from same_run import assert_same_run
from small_data import SMALL, write_pictures
from train_together import GRADIENT

from vggnet.cli import main
from vggnet.data import open_dataset
from vggnet.torch_network import Network
from vggnet.training.batches.pictures import keys
from vggnet.training.distributed import ALONE, Process, this_process
from vggnet.training.loop import TrainingOptions
from vggnet.training.record import checkpoint
from vggnet.training.record.history import read
from vggnet.training.sync_batch_norm import synchronize_batch_norm
from vggnet.training.train import train
from vggnet.weights import own_file

# What a batch is divided by would change the result: batch norm and dropout.
PLAIN: dict[str, Any] = {
    "batch_norm": False, "initialization": "he", "remainder": "spread", "batch_size": 12,
    "learning_rate": 0.02,
}  # fmt: skip


def ranks(number: int) -> list[Process]:
    return [Process(rank, number, rank, number) for rank in range(number)]


@pytest.fixture(scope="module")
def broken_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few of them cannot be read."""
    folder = write_pictures(tmp_path_factory.mktemp("broken"))
    for number in (3, 9, 15):
        (folder / "red" / f"{number:03}.png").write_bytes(b"no picture")
    return folder


def run_jobs(pictures: Path, *jobs: dict[str, Any]) -> None:
    script = HELPERS / "train_together.py"
    command = [sys.executable, str(script), str(pictures), json.dumps(jobs, default=str)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("remainder", ["drop", "spread"])
@pytest.mark.parametrize("number", [1, 2, 4])
def test_each_picture_comes_once_an_epoch_in_the_order_of_one_process(
    number: int, remainder: Any
) -> None:
    recipe, indices = replace(SMALL, remainder=remainder), np.arange(3, 54)
    alone = list(keys(recipe, indices, 0))
    together = [
        [key for part in parts for key in part]
        for parts in zip(*(keys(recipe, indices, 0, each) for each in ranks(number)), strict=True)
    ]
    assert together == alone
    seen = [index for batch in together for epoch, index, _ in batch if epoch == 1]
    assert len(seen) == len(set(seen)) == (51 if remainder == "spread" else 48)
    later = [
        [key for part in parts for key in part]
        for parts in zip(*(keys(recipe, indices, 9, each) for each in ranks(number)), strict=True)
    ]
    assert later == alone[9:]


def test_a_part_is_led_by_the_picture_that_its_first_is_mixed_with() -> None:
    batch = [5, 6, 7, 8, 9]
    assert [each.part(batch) for each in ranks(2)] == [[5, 6, 7], [8, 9]]
    assert [each.part(batch, led=True) for each in ranks(2)] == [[9, 5, 6, 7], [7, 8, 9]]


def test_torchrun_says_who_a_process_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert this_process() is ALONE
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    assert this_process() == Process(1, 4, 1, 2)
    assert not this_process().writes
    monkeypatch.delenv("MASTER_PORT")  # something else that counts ranks
    assert this_process() is ALONE


ENVIRONMENT = {
    "RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1",
}  # fmt: skip


@pytest.mark.parametrize("what", ["find-lr DATA", "ladder DATA", "train DATA --dry-run"])
@pytest.mark.parametrize("rank", ["0", "1"])
def test_what_runs_in_one_process_says_so_once(
    what: str, rank: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in (ENVIRONMENT | {"RANK": rank}).items():
        monkeypatch.setenv(name, value)
    waited: list[float] = []
    monkeypatch.setattr("vggnet.training.distributed.time.sleep", waited.append)
    with pytest.raises(SystemExit) as end:
        main(what.split())
    assert end.value.code == 2
    assert bool(waited) == (rank == "1")  # torchrun ends rank 0 as soon as this one has ended
    named = what.replace(" DATA", "")
    line = f"vggnet: vggnet {named} runs in one process: start it without torchrun\n"
    assert capsys.readouterr().err == (line if rank == "0" else "")


def test_a_batch_has_a_picture_for_each_process(pictures: Path, tmp_path: Path) -> None:
    crowd = Process(rank=0, world_size=9, local_rank=0, local_world_size=9)
    with pytest.raises(ValueError, match=r"^9 processes for batches of 8 pictures: start fewer"):
        train(open_dataset(pictures, "train"), SMALL, TrainingOptions(tmp_path, process=crowd))


def test_batch_norm_is_synchronised_on_cuda_alone(pictures: Path, tmp_path: Path) -> None:
    options = TrainingOptions(tmp_path / "run", device="cpu")
    with pytest.raises(ValueError, match=r"^sync-batch-norm: torch synchronises batch norm on CUD"):
        train(open_dataset(pictures, "train"), replace(SMALL, sync_batch_norm=True), options)
    assert not options.folder.exists()


def test_synchronised_batch_norm_keeps_arrays_and_names() -> None:
    network = Network(SMALL.spec(3), seed=0)
    before = network.state_dict()
    images_NCHW = torch.rand(2, 3, 32, 32)
    expected = network.eval()(images_NCHW)
    synchronize_batch_norm(network)
    assert isinstance(network.get_submodule("bn1_1"), torch.nn.SyncBatchNorm)
    after = network.state_dict()
    assert before.keys() == after.keys()
    assert all(after[name].data_ptr() == before[name].data_ptr() for name in before)
    assert torch.equal(network.eval()(images_NCHW), expected)
    network.train()(images_NCHW)  # alone, and so on the CPU too
    assert not torch.equal(network.state_dict()["bn1_1.running_mean"], torch.zeros(3))


LEVERS = {"mixup": 0.2, "cutmix": 1.0, "accumulate": 2}


@pytest.mark.parametrize("levers", [{}, LEVERS], ids=["plain", "levers"])
def test_two_and_four_processes_learn_what_one_does(
    levers: dict[str, Any], broken_pictures: Path, pictures: Path, tmp_path: Path
) -> None:
    one, *others = (tmp_path / str(number) for number in (1, 2, 4))
    recipe = PLAIN | levers
    seen = {"memory_limit": 0}  # each process sees the pictures of its parts alone
    run_jobs(
        pictures if levers else broken_pictures,
        *({"folder": folder, "processes": int(folder.name), "recipe": recipe, "options": seen}
          for folder in (one, *others)),
    )  # fmt: skip
    broken = checkpoint.load(one / "checkpoint.pt").broken
    assert bool(broken) is not bool(levers)
    for other in others:
        with np.load(one / GRADIENT) as wanted, np.load(other / GRADIENT) as found:
            assert found.files == wanted.files
            for name in wanted.files:
                error = np.linalg.norm(found[name] - wanted[name])
                assert error < 1e-5 * np.linalg.norm(wanted[name]), name
        assert_close(read(other / "metrics.jsonl"), read(one / "metrics.jsonl"))
        assert checkpoint.load(other / "checkpoint.pt").broken == broken
        assert held_back_score(other) == held_back_score(one)


def held_back_score(folder: Path) -> Any:
    """The score of the finished weights on the held-back pictures, and how many they were."""
    metrics: Any = own_file.load(folder / "model.safetensors").training["metrics"]
    return metrics["held_back"]


def assert_close(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """The same figures, as far as rounding over a few steps lets them be."""
    assert len(found) == len(wanted)
    for line, expected in zip(found, wanted, strict=True):
        assert line == pytest.approx(expected, rel=1e-3)


def test_a_cut_run_goes_on_to_the_bit_in_as_many_processes(pictures: Path, tmp_path: Path) -> None:
    recipe = {"head": "fc", "mixup": 0.2, "batch_size": 10}  # dropout, batch norm; uneven parts
    cut = {"folder": tmp_path / "cut", "processes": 3}  # so that the order of terms matters
    run_jobs(
        pictures,
        {"folder": tmp_path / "alone", "processes": 3, "recipe": recipe},
        cut | {"recipe": recipe, "options": {"stop_after": 3}},
        cut | {"resume": True},
    )
    assert_same_run(tmp_path / "alone", tmp_path / "cut")


@pytest.fixture
def start(pictures: Path, tmp_path: Path) -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `vggnet train` under torchrun in so many processes; none outlives the test."""
    started = []

    def under_torchrun(number: int, *arguments: str) -> "subprocess.Popen[str]":
        command = [
            sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={number}",
            "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0",
            "-m", "vggnet", "train", str(pictures), "--out=run", *arguments,
        ]  # fmt: skip
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield under_torchrun
    for process in started:
        process.terminate()  # torchrun ends those that it started
        process.wait()


RUN = [
    "--config=A", "--width=0.05", "--input-size=32", "--head=average", "--sizes=32x100",
    "--holdout=10", "--precision=fp32", "--workers=0", "--checkpoint-seconds=0", "--batch-size=12",
    "--lr=0.001",
]  # fmt: skip


def wait_for_steps(folder: Path, process: "subprocess.Popen[str]", number: int) -> int:
    """Until so many steps or more are on the disk: how many."""
    path, done = folder / "metrics.jsonl", 0
    while done < number:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
        done = path.read_bytes().count(b'{"step"') if path.exists() else 0
    return done


def trainers(torchrun: int) -> list[int]:
    """The processes that train, by rank."""
    children = Path(f"/proc/{torchrun}/task/{torchrun}/children").read_text().split()
    return sorted(map(int, children))


def said(process: "subprocess.Popen[str]") -> list[str]:
    """What vggnet said of the end, not torchrun, once all have ended."""
    return [line for line in process.communicate()[1].splitlines() if line.startswith("vggnet: ")]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_all_and_another_number_goes_on_in_the_same_order(
    rank: int, pictures: Path, tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    folder = tmp_path / "run"
    process = start(3, *RUN)
    steps = wait_for_steps(folder, process, 20)
    pids = trainers(process.pid)
    os.kill(pids[rank], signal.SIGKILL)
    lines = said(process)
    assert process.returncode != 0
    assert lines == [
        "vggnet: another of the 3 processes has ended; go on with --resume, with as many or "
        "another number of them"
    ]
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    done = checkpoint.load(folder / "checkpoint.pt").run["step"]
    assert done >= steps - 1  # a checkpoint a step
    job = {"folder": folder, "processes": 2, "resume": True, "options": {"stop_after": done + 6}}
    run_jobs(pictures, job)
    assert checkpoint.load(folder / "checkpoint.pt").hardware["processes"] == 2
    numbers = [line["step"] for line in read(folder / "metrics.jsonl") if "step" in line]
    assert numbers == list(range(1, done + 7))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_sigterm_stops_all_after_the_same_step_which_is_saved(
    tmp_path: Path, start: Callable[..., "subprocess.Popen[str]"]
) -> None:
    # More steps than any machine does before the signal comes.
    process = start(2, *RUN, "--checkpoint-seconds=1000", "--sizes=32x10000")
    path = tmp_path / "run" / "checkpoint.pt"
    wait_for_steps(tmp_path / "run", process, 3)
    process.send_signal(signal.SIGTERM)
    lines = said(process)
    step = checkpoint.load(path).run["step"]
    assert step > 0
    assert lines == [f"vggnet: stopped at step {step} of 40000; go on with --resume"]
