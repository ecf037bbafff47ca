"""`vggnet benchmark` and `vggnet describe --plan`: what they print, and what they refuse."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from instruction_sets import SETS

from vggnet.cli import benchmark_training, main
from vggnet.engines.native import NativeEngine
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.torch_network import Network
from vggnet.weights.own_file import save
from vggnet.weights.random_weights import random_state
from vggnet.weights.weights import Weights


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "vggnet", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_every_engine_is_timed() -> None:
    found = run("benchmark", "--batch", "2", "--repeats", "2", "--format", "json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    assert report["batch"] == 2
    assert set(report["engines"]) == {"native", "torch", "numpy"}
    assert all(each["milliseconds_per_image"] > 0 for each in report["engines"].values())
    assert {each["precision"] for each in report["engines"].values()} == {"fp32"}


def test_each_engine_names_what_it_computed_in() -> None:
    arguments = ("--precision", "bf16", "--repeats", "1", "--format", "json")
    found = run("benchmark", *arguments, VGGNET_ISA="portable")  # which has no bf16
    engines = json.loads(found.stdout)["engines"]
    precisions = {name: entry["precision"] for name, entry in engines.items()}
    assert precisions == {"native": "fp32", "torch": "bf16"}
    assert "fp32 is used instead" in found.stderr


def test_engines_that_lack_what_is_asked_are_left_out() -> None:
    found = run("benchmark", "--threads", "1", "--repeats", "1", "--format", "json")
    assert set(json.loads(found.stdout)["engines"]) == {"native", "torch"}


def test_training_steps_are_timed_beside_torch_s(tmp_path: Path) -> None:
    small = Spec("small", ("conv3-16 conv3-16", "maxpool", "avgpool FC-5"), 16, batch_norm=True)
    path = tmp_path / "small.safetensors"
    save(path, Weights(small, random_state(small), Preprocess(16, 16, 1 / 255, (0.5, 0.5, 0.5))))
    arguments = ("benchmark", "--train", "--weights", str(path), "--batch", "2", "--repeats", "2")
    found = run(*arguments, "--threads", "1", "--format", "json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    made_for = (report["batch"], report["threads"], report["repeats"], report["instruction_set"])
    assert made_for == (2, 1, 2, os.environ.get("VGGNET_ISA", SETS[0]))
    rows = {(row["convolutions"], row["precision"]): row for row in report["training"]}
    assert {("native", "fp32"), ("torch", "fp32")} <= set(rows)
    speed = rows["native", "fp32"]["images_per_second"] / rows["torch", "fp32"]["images_per_second"]
    assert rows["native", "fp32"]["ratio_to_torch_fp32"] == pytest.approx(speed)
    assert rows["torch", "fp32"]["ratio_to_torch_fp32"] == 1
    table = run(*arguments).stdout
    assert re.search(r"^native +fp32 +[0-9.]+ +[0-9.]+ *$", table, re.M), table


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (["--layers"], "--train times whole steps in every precision: leave --layers out"),
        (
            ["--precision", "bf16"],
            "--train times whole steps in every precision: leave --precision",
        ),
    ],
)
def test_what_does_not_go_with_training_is_one_line(more: list[str], text: str) -> None:
    found = run("benchmark", "--train", *more)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"vggnet: {text}")
    assert len(found.stderr.splitlines()) == 1


def test_both_take_turns_at_the_same_weights() -> None:
    spec = Spec("small", ("conv3-16 conv3-16", "maxpool", "avgpool FC-5"), 16, batch_norm=True)
    network = Network(spec, seed=0, convolutions="torch")
    twin = benchmark_training._twin(network, "native")
    assert twin.convolutions == "native"
    assert [*map(id, twin.parameters())] == [*map(id, network.parameters())]
    images = torch.randn(2, 3, 16, 16)
    theirs = network.eval()(images)
    torch.testing.assert_close(twin.eval()(images), theirs)


def test_layers_against_the_peak() -> None:
    found = run("benchmark", "--layers", "--repeats", "2", "--format", "json")
    assert found.returncode == 0, found.stderr
    report = json.loads(found.stdout)
    made_for = (report["precision"], report["instruction_set"], report["threads"] >= 1)
    assert made_for == ("fp32", os.environ.get("VGGNET_ISA", SETS[0]), True)
    assert report["steps"][0]["layers"] == ["conv1_1", "relu1_1"]
    assert report["steps"][-1]["layers"] == ["fc6"]
    for step in report["steps"]:
        assert step["milliseconds_per_image"] > 0
        # Rates and shares are of the same products.
        share = step["gflops"] / report["peak_gflops"]
        assert abs(share - step["share_of_peak"]) <= 1e-6 * max(share, 1)


def test_layers_refuse_what_would_not_fit_in_memory(tmp_path: Path) -> None:
    spec = Spec("large", ("conv3-64", "avgpool FC-2 soft-max"), 256)
    path = tmp_path / "large.safetensors"
    save(path, Weights(spec, random_state(spec), Preprocess(256, 256, 1 / 255, (0.5, 0.5, 0.5))))
    # Three maps of 64 channels in float32 are 48 MiB a picture.
    found = run("benchmark", "--weights", str(path), "--layers", "--batch", "86")
    assert (found.returncode, found.stdout) == (2, "")
    assert len(found.stderr.splitlines()) == 1, found.stderr
    assert "4.0 GiB" in found.stderr
    assert "--batch 85 or less" in found.stderr


def test_tables() -> None:
    found = run("benchmark", "--layers", "--repeats", "1")
    assert "F(" in found.stdout
    assert "GFLOP/s with" in found.stdout
    assert "numpy" in run("benchmark", "--repeats", "1").stdout


def test_mistakes_are_one_line() -> None:
    for arguments in (("--precision", "fp8"), ("--weights", "vgg61"), ("--batch", "0")):
        found = run("benchmark", *arguments)
        assert (found.returncode, found.stdout) == (2, "")
        assert len(found.stderr.splitlines()) == 1, found.stderr


def test_the_plan_of_vgg16() -> None:
    found = run("describe", "vgg16_bn", "--plan", "--format", "json")
    plan = json.loads(found.stdout)
    assert plan["input"] == [3, 224, 224]
    algorithms = [step["algorithm"] for step in plan["steps"]]
    assert algorithms[0] == "direct"
    assert sum(name.startswith("F(") for name in algorithms) == 12
    assert algorithms[-3:] == ["linear"] * 3
    assert plan["products"] == sum(step["products"] for step in plan["steps"])
    assert "conv1_2 relu1_2 pool1" in run("describe", "D", "--plan").stdout


def test_the_plan_at_another_size_and_precision() -> None:
    arguments = ("describe", "tiny-imagenet", "--plan", "--precision", "bf16", "--format", "json")
    small, large = (
        json.loads(run(*arguments, "--input-size", size).stdout) for size in ("64", "64x96")
    )
    assert (small["precision"], large["input"]) == ("bf16", [3, 64, 96])
    assert small["products"] < large["products"]
    refused = run("describe", "D", "--plan", "--input-size", "225")
    assert refused.returncode == 2
    assert "224 x 224" in refused.stderr


def test_the_plan_is_this_machines() -> None:
    found = run("describe", "D", "--plan", "--precision", "bf16", VGGNET_ISA="portable")
    lines = found.stdout.splitlines()
    assert found.returncode == 0
    assert found.stderr == (
        "vggnet: this machine has no products in bf16 (portable); fp32 is used instead\n"
    )
    assert lines[0].rstrip().endswith("fp32")
    (here,) = [line for line in lines if line.startswith("here")]
    assert re.fullmatch(r"here      portable, fp32, \d+ threads", here.rstrip())
    assert lines[-1].startswith("F(6x6, 3x3)  Winograd's algorithm: 6x6 outputs of a 3x3 ")
    assert "64 products, where the definition takes 324" in lines[-1]
    plan = json.loads(run("describe", "D", "--plan", "--format", "json").stdout)
    assert plan["instruction_set"] == os.environ.get("VGGNET_ISA", SETS[0])


def test_no_step_is_above_the_peak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A clock that was low while the peak was measured is made good for by the fastest step."""
    monkeypatch.setattr(NativeEngine, "peak", lambda self: 1.0)
    with pytest.raises(SystemExit) as end:
        main(["benchmark", "--layers", "--repeats", "1", "--format", "json"])
    assert not end.value.code
    report = json.loads(capsys.readouterr().out)
    shares = [step["share_of_peak"] for step in report["steps"]]
    assert max(shares) == 1
    assert report["peak_gflops"] == pytest.approx(max(s["gflops"] for s in report["steps"]))
