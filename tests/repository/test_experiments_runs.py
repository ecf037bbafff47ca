"""experiments/: the pictures and their parts, single runs, each claim's script in quick form."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from places import ROOT

sys.path.append(str(ROOT / "experiments"))
import run as experiments
import times
from harness import command, made_up, one_run, pictures, protocols, side_by_side
from harness.jobs import stored_side
from harness.results import Results
from harness.scales import SCALES, recipe

from vggnet.training.run import Run
from vggnet.weights.named import load_weights

EXPERIMENTS = Path(experiments.__file__).parent
QUICK = SCALES["quick"]
A = recipe(QUICK, {"config": "A"}, 0.05, 0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write(tmp_path_factory.mktemp("made_up"))


@pytest.fixture
def place(data: Path, tmp_path: Path) -> one_run.Place:
    pictures.prepare(data, QUICK, stored_side(A), tmp_path)
    return one_run.Place(tmp_path, "quick", "cpu", threads=1, workers=0)


class TestPictures:
    def test_parts_have_every_picture_once(self, data: Path, tmp_path: Path) -> None:
        path = pictures.prepare(data, QUICK, 37, tmp_path)
        parts = {name: pictures.part(path, name) for name in pictures.PARTS}
        counts = {name: np.bincount(each.labels).tolist() for name, each in parts.items()}
        assert counts == {
            "training": [16] * 3, "choosing": [2] * 3, "kept_apart": [2] * 3, "validation": [4] * 3,
        }  # fmt: skip
        everything = np.concatenate([each.pixels_NHWC for each in parts.values()])
        assert everything.shape == (72, 37, 37, 3)
        assert len(np.unique(everything.reshape(72, -1), axis=0)) == 72
        blue = parts["validation"].pixels_NHWC[parts["validation"].labels == 0]
        assert blue[..., 2].mean() > 150 > blue[..., 0].mean()
        assert [label.name for label in parts["choosing"].classes] == ["blue", "green", "red"]

    def test_they_are_decoded_once(self, data: Path, tmp_path: Path) -> None:
        path = pictures.prepare(data, QUICK, 37, tmp_path)
        before = path.stat()
        assert pictures.prepare(data, QUICK, 37, tmp_path).stat() == before
        fewer = pictures.prepare(data, replace(QUICK, choosing=1), 37, tmp_path)
        assert len(pictures.part(fewer, "choosing").labels) == 3

    def test_they_are_decoded_anew_where_that_was_cut_off(
        self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Between the pixels and what is said of them, the first time and later."""

        def cut_off(_: object) -> str:
            raise KeyboardInterrupt

        expected = pictures.part(pictures.prepare(data, QUICK, 37, tmp_path / "whole"), "choosing")
        fewer = replace(QUICK, choosing=1)
        for scale in (QUICK, fewer):
            with monkeypatch.context() as patch:
                patch.setattr("harness.pictures.json.dumps", cut_off)
                with pytest.raises(KeyboardInterrupt):
                    pictures.prepare(data, scale, 37, tmp_path)
            path = pictures.prepare(data, QUICK, 37, tmp_path)
            found = pictures.part(path, "choosing")
            np.testing.assert_array_equal(found.pixels_NHWC, expected.pixels_NHWC)

    def test_classes_are_spread_over_those_of_the_data(self, data: Path, tmp_path: Path) -> None:
        path = pictures.prepare(data, replace(QUICK, classes=2), 37, tmp_path)
        part = pictures.part(path, "training")
        assert [label.name for label in part.classes] == ["blue", "green"]
        assert set(part.labels.tolist()) == {0, 1}

    def test_the_digest_is_of_the_pictures_and_not_of_their_side(
        self, data: Path, tmp_path: Path
    ) -> None:
        def digest(data: Path, side: int, folder: str) -> str:
            path = pictures.prepare(data, QUICK, side, tmp_path / folder)
            return pictures.part(path, "training").digest

        assert digest(data, 37, "a") == digest(data, 40, "b")
        other = made_up.write(tmp_path / "other", side=44)
        assert digest(other, 37, "c") != digest(data, 37, "a")


class TestOneRun:
    def test_it_is_measured_on_each_part(self, place: one_run.Place) -> None:
        found = one_run.one_run(A, ("choosing", "validation"), place)
        assert found is not None
        assert {"images", "top1", "top5", "loss", "calibration_error"} == set(found["choosing"])
        assert (found["choosing"]["images"], found["validation"]["images"]) == (6, 12)
        assert len(found["epochs"]) == 1
        assert found["recipe"] == A.to_json()
        assert found["net"].startswith("conv3-1 / maxpool / conv3-3 / maxpool")
        assert list((place.folder / "runs").iterdir()) == []  # nothing is left of the run itself

    def test_one_that_was_stopped_goes_on_and_ends_as_if_alone(
        self, place: one_run.Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        alone = one_run.one_run(A, ("validation",), place)
        steps: list[int] = []
        train_step = Run.train_step

        def counted(run: Run, *batch: Any) -> Any:
            outcome = train_step(run, *batch)
            steps.append(outcome.step)
            return outcome

        monkeypatch.setattr(Run, "train_step", counted)
        assert one_run.one_run(A, ("validation",), place, lambda: len(steps) == 3) is None
        again = one_run.one_run(A, ("validation",), place)
        assert steps == [1, 2, 3, 4, 5, 6]
        assert alone is not None
        assert again is not None
        assert again["validation"] == alone["validation"]
        assert again["epochs"] == alone["epochs"]

    def test_one_whose_removal_was_cut_off_is_done_anew(
        self, place: one_run.Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cut_off(folder: Path, ignore_errors: bool = False) -> None:
            if not ignore_errors:
                (folder / "metrics.jsonl").unlink()
                raise OSError("the machine went down")

        with monkeypatch.context() as patch:
            patch.setattr("harness.one_run.shutil.rmtree", cut_off)
            with pytest.raises(OSError, match="went down"):
                one_run.one_run(A, ("choosing",), place)
        (folder,) = (place.folder / "runs").iterdir()
        assert (folder / "model.safetensors").exists()
        assert one_run.one_run(A, ("choosing",), place) is not None

    def test_one_that_diverged_is_a_result(self, place: one_run.Place) -> None:
        wild = replace(A, batch_norm=False, learning_rate=1e3, initialization="paper", width=0.5)
        found = one_run.one_run(wild, ("validation",), place)
        assert found is not None
        assert "step" in found["diverged"]
        assert "validation" not in found


def test_weights_that_are_not_there_are_trained_again(data: Path, tmp_path: Path) -> None:
    """As where results were copied from another machine: what needs their weights makes them."""
    common = ("--scale", "quick", "--workers", "0", "--threads", "1", "--device", "cpu")
    folders = ("--out", str(tmp_path), "--work", str(tmp_path / "work"))
    asked = options(str(data), *common, *folders)
    claim = replace(experiments.claims("initialization")[0](QUICK), differences=(), series=())
    first = replace(claim, arms=(claim.arm("A plain paper"),))
    assert command.run((lambda _: first,), asked) == 0
    (kept,) = (tmp_path / "work" / "weights").iterdir()
    before = load_weights(kept).state
    kept.unlink()
    second = replace(claim, arms=(claim.arm("E plain from A"),))
    assert command.run((lambda _: second,), asked) == 0
    lines = [json.loads(line) for line in (tmp_path / "quick.jsonl").read_text().splitlines()]
    assert [line["name"] for line in lines] == ["A plain paper, seed 0", "E plain from A, seed 0"]
    assert lines[1]["recipe"]["init_from"] == kept.name
    again = load_weights(kept).state
    for name, values in before.items():
        np.testing.assert_array_equal(again[name], values)


def test_the_centre_protocol_gives_what_the_training_measured(place: one_run.Place) -> None:
    trained = one_run.one_run(A, ("kept_apart", "validation"), place)
    wide = place.pictures(stored_side(A))
    for suffix in (".npy", ".json"):  # so that both are measured on the very same pixels
        shutil.copy(wide.with_suffix(suffix), place.pictures(64).with_suffix(suffix))
    tested = protocols.protocol_test(A, "centre", place)
    assert trained is not None
    assert tested is not None
    assert tested["protocol"]["scales"] == [37]
    for name in ("kept_apart", "validation"):
        assert tested[name] == pytest.approx(trained[name], abs=2e-5)
    assert protocols.protocol_test(A, "both", place, lambda: True) is None


def options(*arguments: str) -> Any:
    return command.parser_of("").parse_args([*arguments])


@pytest.mark.parametrize("name", experiments.CLAIMS)
def test_every_claim_runs(name: str, tmp_path: Path) -> None:
    claims = experiments.claims(name)
    asked = options("--quick", "--seeds", "1", "--out", str(tmp_path))
    assert command.run(claims, asked) == 0
    results, claim = Results(tmp_path / "quick.jsonl", QUICK), claims[0](QUICK)
    assert [arm.name for arm in claim.run_arms if not results.runs(arm, 1)] == []
    recipes = [results.recipe(arm, 0) for arm in claim.range_tests]
    assert [each for each in recipes if each and not results.find(each, "find-lr")] == []


def test_side_by_side(tmp_path: Path) -> None:
    arguments = ["--quick", "--seeds", "1", "--jobs", "2", "--out", str(tmp_path)]
    program = [sys.executable, str(EXPERIMENTS / "run.py"), "--claims", "head", *arguments]
    done = subprocess.run(program, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (tmp_path / "quick.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    assert {line["side_by_side"] for line in lines} == {2}
    assert command.run(experiments.claims("head"), options(*arguments)) == 0  # nothing to do
    assert len((tmp_path / "quick.jsonl").read_text().splitlines()) == 4


def test_a_time_limit_ends_it_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = options("--quick", "--seconds", "0", "--out", str(tmp_path))
    assert command.run(experiments.claims("head"), asked) == 0
    assert "12 runs are left" in capsys.readouterr().err
    assert not (tmp_path / "quick.jsonl").exists()


def test_a_run_that_fails_is_told_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail_once(recipe: Any, *rest: Any) -> Any:
        if "FC-512" in recipe.config:
            raise RuntimeError("out of memory")
        return one_run.one_run(recipe, *rest)

    monkeypatch.setattr("harness.side_by_side.one_run", fail_once)
    asked = options("--quick", "--seeds", "1", "--out", str(tmp_path))
    assert command.run(experiments.claims("head"), asked) == 1
    assert "FC-512 FC-512, seed 0: RuntimeError: out of memory\n" in capsys.readouterr().err
    assert len((tmp_path / "quick.jsonl").read_text().splitlines()) == 3


class _Deadly:
    """Ends the process that it is sent to, as the system does where memory runs out."""

    def __reduce__(self) -> Any:
        return os._exit, (9,)


def test_a_process_that_is_killed_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    after = side_by_side._next

    def deadly(job: Any, results: Any, place: Any) -> Any:
        key, _ = after(job, results, place)
        return key, _Deadly()

    monkeypatch.setattr(side_by_side, "_next", deadly)
    asked = options("--quick", "--seeds", "1", "--jobs", "2", "--out", str(tmp_path))
    assert command.run(experiments.claims("head"), asked) == 1
    err = capsys.readouterr().err
    assert "\na process was killed, perhaps since memory ran out: give fewer --jobs; " in err
    assert err.endswith(" s\n")
    assert "4 runs are left" in err


@pytest.mark.parametrize("scale", ["small", "full"])
def test_a_dry_run_says_what_it_would_run(
    scale: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = options("--dry-run", "--scale", scale, "--out", str(tmp_path))
    assert command.run(experiments.claims("depth"), asked) == 0
    found = capsys.readouterr()
    assert "A-LRN plain" in found.out
    assert "runs are to be done" in found.err


def test_nets_are_timed(tmp_path: Path) -> None:
    times.main(["--engines", "torch", "--threads", "1", "--repeats", "1", "--out", str(tmp_path)])
    found = json.loads((tmp_path / "times.json").read_text())
    assert len(found["nets"]) == len(experiments.claims("kernels")[0](SCALES["small"]).arms)
    assert all(each["torch"] > 0 for each in found["nets"].values())


def test_mistakes_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claims, out = experiments.claims("head"), ("--out", str(tmp_path))
    assert command.run(claims, options(*out)) == 2
    assert command.run(claims, options(str(tmp_path / "nowhere"), *out)) == 2
    assert command.run(claims, options(str(tmp_path), "--jobs", "0", *out)) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    assert [line.partition(" ")[2][:26] for line in errors] == [
        "where are the pictures? Gi", f"{tmp_path / 'nowhere'}"[:26], "--jobs 0 must be 1 or more",
    ]  # fmt: skip
    with pytest.raises(Exception, match="no hea: there are kernels,"):
        experiments.claims("hea")


def test_results_of_other_pictures_are_not_added_to(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    claims, work = experiments.claims("head"), str(tmp_path / "work")
    common = [
        "--scale",
        "quick",
        "--threads",
        "1",
        "--workers",
        "0",
        "--out",
        str(tmp_path),
        "--work",
        work,
    ]
    assert command.run(claims, options(str(data), "--seeds", "1", *common)) == 0
    other = made_up.write(tmp_path / "other", side=44)
    assert command.run(claims, options(str(other), *common)) == 2
    assert "its results are of other pictures than" in capsys.readouterr().err
