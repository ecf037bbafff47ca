"""benchmarks/training.py: what it computes, compares and reports; nothing here is timed."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from places import ROOT

from vggnet.spec import Spec

sys.path.append(str(ROOT / "benchmarks"))
import training
import training_seeds
from training_layers import layer_times
from training_tasks import PEERS, Task, make_step

TINY = Task(Spec("tiny", ("conv3-16 conv3-16", "maxpool", "FC-5"), 8, batch_norm=True), 2, "tiny")
TO_A_LAYER = Task(
    Spec("tiny", ("conv3-16 conv3-16", "maxpool", "avgpool FC-5"), 8), 1, "tiny", "relu1_2"
)


@pytest.mark.parametrize("task", [TINY, TO_A_LAYER])
def test_everyone_computes_the_same_step(task: Task, tmp_path: Path) -> None:
    for peer in PEERS:
        step = make_step(task, peer, task.batch)
        found = step()
        torch.save({name: each.clone() for name, each in found.items()}, tmp_path / f"{peer}.pt")
        again = step()
        assert torch.equal(again["logits"], found["logits"]) == (task.layer is not None)
    expected = tmp_path / "torch fp32.pt"
    assert training.errors(expected, expected) == (0, 0)
    assert max(training.errors(tmp_path / "vggnet fp32.pt", expected)) < 1e-5
    assert 1e-4 < max(training.errors(tmp_path / "torch bf16.pt", expected)) < 0.7


def test_convolutions_by_themselves() -> None:
    spec = Spec("tiny", ("conv3-16 conv3-12", "maxpool", "FC-5"), 8)
    first, second = layer_times(Task(spec, 2, "tiny"), 2, 1, 1)
    operations = {f"torch {each}" for each in ("forward", "input", "kernel")}
    ours = {each.replace("torch", "vggnet") for each in operations}
    assert set(first) == {"layer", *operations, *ours}
    assert set(second) == {"layer", *operations}  # 12 outputs, which stay with torch
    assert (first["layer"], second["layer"]) == ("conv1_1", "conv1_2")


def test_ratios_are_to_torch() -> None:
    found = {
        "vggnet fp32": {"seconds": 1.0, "peak_mebibytes": 300.0},
        "torch fp32": {"seconds": 3.0, "peak_mebibytes": 400.0},
        "torch bf16": {"seconds": 2.0, "peak_mebibytes": 350.0},
    }
    assert training.ratios(found) == {
        "speed / torch fp32": 3.0,
        "speed / torch's best (bf16)": 2.0,
        "memory / torch fp32": 0.75,
    }


def test_bf16_is_left_out_where_only_avx2_is_measured() -> None:
    assert training.parse(["--avx2"]).peers == ["vggnet fp32", "torch fp32"]
    assert training.parse(["--task", "paper"]).batch == 8
    assert training.parse(["--batch", "3"]).batch == 3


def test_runs_of_several_seeds_are_compared(pictures: Path, tmp_path: Path) -> None:
    options = ["--sizes", "32x1", "--threads", "1", "--batch-size", "4", "--holdout", "10"]
    options += ["--lr", "1e-4"]
    found: dict[str, list[Any]] = {"native": [], "torch": []}
    for engine, outcomes in found.items():
        training_seeds.train(str(pictures), tmp_path / engine, engine, 3, options)
        outcomes.append(training_seeds.outcome(tmp_path / engine))
        assert len(outcomes[0]["losses"]) == 12
        assert 0 <= outcomes[0]["top1"] <= 1
    compared = training_seeds.compare(found)
    assert 0 < compared["first_losses_differ_by"] < 1e-3
    one, other = [{"losses": [1.0, 2.0], "top1": top1} for top1 in (0.5, 0.7)]
    again = [one, {"losses": [1.0, 2.25], "top1": 0.8}]
    compared = training_seeds.compare({"native": [one, other], "torch": again})
    assert compared["first_losses_differ_by"] == 0.25
    assert compared["mean"] == pytest.approx({"native": 0.6, "torch": 0.65})
    assert compared["deviation"]["native"] == pytest.approx(0.02**0.5)
    assert compared["means_differ_by"] == pytest.approx(0.05)
