"""benchmarks/: what they report, refuse, keep and write; nothing here is timed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from places import ROOT
from small_nets import AVERAGE, random_state

import vggnet

sys.path.append(str(ROOT / "benchmarks"))
import cold_start
import files
import inference
import machine
import measured_before
import peers
import report

QUESTION = {"network": "vgg16", "batch": 1, "threads": 2, "avx2": False}
MEDIANS = {"vggnet fp32": 0.05, "torch fp32": 0.2, "mnn fp32": 0.08, "ncnn fp32": 0.1}
ERRORS = dict.fromkeys(MEDIANS, 1e-6)


def test_a_runtime_that_is_slower_than_before_is_marked() -> None:
    found = report.result(QUESTION, MEDIANS, ERRORS)
    ncnn, mnn = found["engines"]["ncnn fp32"], found["engines"]["mnn fp32"]
    assert ncnn["ratio_to_torch"] == pytest.approx(0.5)
    assert ncnn["ratio_to_torch_before"] == pytest.approx(66 / 217)  # 63 to 69 of 209 to 225 ms
    assert (ncnn["handicapped"], mnn["handicapped"]) == (True, False)
    assert "ratio_to_torch_before" not in found["engines"]["vggnet fp32"]
    marked = [line for line in report.lines(found) if line.endswith("HANDICAPPED")]
    assert len(marked) == 1
    assert marked[0].startswith("ncnn fp32")
    assert "0.500 of torch (measured before by this project: 0.304)" in marked[0]


def test_a_faster_torch_makes_no_other_runtime_slower() -> None:
    before = measured_before.ratios_to_torch("vgg16", 1, 2, False)
    now = {peer: ratio if peer == "torch fp32" else 1.15 * ratio for peer, ratio in before.items()}
    assert measured_before.handicapped(now, before) == set()
    now["mnn fp32"] *= 1.15
    assert measured_before.handicapped(now, before) == {"mnn fp32"}
    assert measured_before.handicapped({}, before) == set()


def test_only_what_was_measured_before_is_compared_with_it() -> None:
    assert measured_before.ratios_to_torch("vgg16", 8, 2, False)["mnn fp32"] == 67 / 225
    for other in (("embedded", 1, 2, False), ("vgg16", 3, 2, False), ("vgg16", 1, 1, False)):
        assert measured_before.ratios_to_torch(*other) == {}
    assert measured_before.ratios_to_torch("vgg16", 1, 2, True) == {}
    unknown = {1: {"ncnn fp16"}, 8: {"ncnn fp16", "ncnn bf16"}}
    for batch, missing in unknown.items():
        known = measured_before.ratios_to_torch("vgg16", batch, 2, False)
        others = {peer for peer in peers.PEERS if not peer.startswith("vggnet")}
        assert others - set(known) == missing


def test_ratios_are_to_the_best_of_each_precision() -> None:
    medians = {**MEDIANS, "vggnet bf16": 0.03, "ncnn bf16": 0.06, "openvino int8": 0.04}
    assert report.ratios(medians) == pytest.approx(
        {
            "vggnet fp32 / mnn fp32": 0.625,
            "vggnet bf16 / ncnn bf16": 0.5,
            "vggnet bf16 / openvino int8": 0.75,
        }
    )


def test_without_torch_there_is_no_ratio_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    medians = {peer: each for peer, each in MEDIANS.items() if peer != "torch fp32"}
    found = report.result(QUESTION, medians, ERRORS)
    assert not any("torch" in line for line in report.lines(found))
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results")
    path = report.write("found.json", found)
    assert "NaN" not in path.read_text()
    assert json.loads(path.read_text()) == found
    with pytest.raises(ValueError, match="not JSON compliant"):
        report.write("found.json", {"ratio": float("nan")})


def test_some_of_the_runtimes_are_not_all() -> None:
    assert inference.parse([]).peers == list(peers.PEERS)
    assert inference.parse([]).complete
    some = inference.parse(["--peers", "torch fp32", "vggnet fp32"])
    assert (some.peers, some.complete) == (["vggnet fp32", "torch fp32"], False)
    assert inference.parse(["--peers", *reversed(peers.PEERS)]).complete


def test_avx2_is_asked_of_what_it_limits() -> None:
    everyone = inference.parse(["--avx2"])
    assert (everyone.peers, everyone.complete) == (["vggnet fp32", "torch fp32"], True)
    assert not inference.parse(["--avx2", "--peers", "torch fp32"]).complete


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--avx2", "--peers", "vggnet bf16"], "--avx2 does not limit vggnet bf16"),
        (["--peers", "abacus fp32"], "invalid choice: 'abacus fp32'"),
        (["--peers"], "expected at least one argument"),
    ],
)
def test_mistakes_are_told(
    arguments: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        inference.parse(arguments)
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err


def test_a_fall_back_to_another_precision_is_noticed(tmp_path: Path) -> None:
    given = (AVERAGE, random_state(AVERAGE), tmp_path, 1)
    with mock.patch.dict(os.environ, VGGNET_ISA="portable"):
        assert peers.PEERS["vggnet fp32"](*given).precision == "fp32"
        with (
            pytest.warns(UserWarning, match="fp32 is used instead"),
            pytest.raises(peers.Lacking, match="vggnet would compute in fp32 on this machine"),
        ):
            peers.PEERS["vggnet bf16"](*given)


def test_what_a_machine_lacks_is_left_out_and_named() -> None:
    command = [sys.executable, inference.__file__, "--network", "embedded", "--threads", "1"]
    command += ["--repeats", "1", "--peers", "vggnet bf16", "vggnet fp32"]
    environment = {**os.environ, "VGGNET_ISA": "portable"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("vggnet fp32 ")
    assert "vggnet bf16 " not in done.stdout
    assert (
        "vggnet bf16 is left out: vggnet would compute in fp32 on this machine, not in bf16\n"
        in done.stderr
    )


def test_files_are_kept_for_the_weights_that_they_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = random_state(AVERAGE)
    folder = files.folder_for("net", AVERAGE, state, tmp_path / "cache")
    path = files.weights_file(AVERAGE, state, folder)
    before = path.stat()
    assert files.folder_for("net", AVERAGE, random_state(AVERAGE), tmp_path / "cache") == folder
    assert files.weights_file(AVERAGE, state, folder).stat() == before
    state["conv1_1.bias"][0] += 1
    other = files.folder_for("net", AVERAGE, state, tmp_path / "cache")
    assert other != folder
    assert path.exists()
    monkeypatch.setattr(files, "versions", lambda names: dict.fromkeys(names, "2.0"))
    assert files.folder_for("net", AVERAGE, state, tmp_path / "cache") not in (folder, other)


def test_a_file_whose_writing_failed_is_not_kept(tmp_path: Path) -> None:
    def fail(made: Path) -> None:
        made.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        files._once(tmp_path / "network.onnx", fail)
    assert list(tmp_path.iterdir()) == []
    files._once(tmp_path / "network.onnx", lambda made: made.write_text("whole"))
    assert (tmp_path / "network.onnx").read_text() == "whole"


def test_what_the_figures_hold_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGGNET_ISA", "portable")
    found = machine.machine()
    assert found["instruction_set"] == "portable"
    assert found["cores"] >= 1
    assert found["machine"]
    versions = found["versions"]
    assert (versions["vggnet"], versions["numpy"]) == (vggnet.__version__, np.__version__)
    assert {"onnx", "pnnx", "onnxruntime"} <= set(versions)
    assert machine.versions(("no-such-package",)) == {"no-such-package": None}


@pytest.mark.skipif(sys.platform != "linux", reason="VmHWM is Linux's")
class TestPeakOfAProcess:
    def program(self, code: str) -> list[str]:
        return [sys.executable, "-c", cold_start.PEAK + code]

    def test_is_its_own_and_not_that_of_its_parent(self) -> None:
        ballast = np.ones(32 << 20)  # 256 MiB
        seconds, small = cold_start.once(self.program("pass"))
        _, large = cold_start.once(self.program("b'1' * (100 << 20)"))
        assert ballast.all()
        assert seconds > 0
        assert 2 < small < 60
        assert 95 < large - small < 110

    def test_of_a_program_that_says_much_and_exits(self) -> None:
        code = "import sys; print('x' * 200_000, file=sys.stderr); print('five'); sys.exit(0)"
        assert cold_start.once(self.program(code))[1] > 2

    def test_of_one_that_failed_is_not_taken(self) -> None:
        with pytest.raises(SystemExit, match=r"(?s)ended with 1: .*no photograph"):
            cold_start.once(self.program("raise OSError('no photograph')"))
        with pytest.raises(SystemExit, match="ended with 0"):
            cold_start.once(self.program("import os; os._exit(0)"))
