"""vggnet.training.ladder: the paper's nets, each from the one before, wherever it is stopped."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run as command
from small_data import Notes

from vggnet.analysis import analyze
from vggnet.configurations import configuration
from vggnet.data import open_dataset
from vggnet.training.ladder import climb, rungs
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.recipe import NETWORK_FIELDS
from vggnet.training.recipes import PAPER, SET_BY_LADDER
from vggnet.training.train import train
from vggnet.weights import own_file

SMALL: dict[str, Any] = {
    "width": 0.02, "input_size": 32, "batch_size": 16, "holdout": 10, "epochs": 1, "dropout": 0.0,
}  # fmt: skip
OPTIONS = [
    "--width", "0.02", "--input-size", "32", "--batch-size", "16", "--holdout", "10", "--epochs",
    "1", "--workers", "0",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: False)


def test_the_rungs_are_those_of_section_3_1(tmp_path: Path) -> None:
    ladder = {rung.name: rung for rung in rungs(tmp_path, {})}
    assert list(ladder) == [
        "A-256", "A-LRN-256", "B-256", "C-256", "D-256", "E-256",
        "C-384", "C-256-512", "D-384", "D-256-512", "E-384", "E-256-512",
    ]  # fmt: skip
    assert ladder["A-256"].recipe == replace(PAPER, config="A")
    assert ladder["A-LRN-256"].recipe == replace(PAPER, config="A-LRN")
    deeper = replace(
        PAPER,
        config="E",
        init_from=str(tmp_path / "A-256" / "model.safetensors"),
        normalization="mean-std",  # comes with A
    )
    assert ladder["E-256"].recipe == deeper
    network = {name: getattr(ladder["D-384"].recipe, name) for name in NETWORK_FIELDS}
    changes = {**network, "learning_rate": 1e-3}
    for name, source, short_side in (
        ("D-384", "D-256", "384"),
        ("D-256-512", "D-384", "256-512"),
    ):
        weights = str(tmp_path / source / "model.safetensors")
        expected = replace(PAPER, init=weights, short_side=short_side, **changes)
        assert ladder[name].recipe == expected


def test_it_shrinks_with_the_input_size_and_keeps_what_is_asked_for(tmp_path: Path) -> None:
    ladder = {rung.name: rung.recipe for rung in rungs(tmp_path, {**SMALL, "learning_rate": 0.05})}
    assert [ladder[name].short_side for name in ("A-256", "D-256", "D-384", "D-256-512")] == [
        "37", "37", "55", "37-73"
    ]  # fmt: skip
    assert {len(recipe.epoch_sizes) for recipe in ladder.values()} == {1}
    assert {recipe.batch_size for recipe in ladder.values()} == {16}
    assert [ladder[name].learning_rate for name in ("E-256", "E-384")] == [0.05, 0.005]
    assert ladder["B-256"].width == 0.02
    given = rungs(tmp_path, {"initialization": "paper"})
    assert {rung.recipe.initialization for rung in given[:6]} == {"paper"}


@pytest.mark.parametrize(
    ("field", "value"), [("config", "D"), ("short_side", "300"), ("min_area", "1")]
)
def test_what_the_ladder_sets_is_refused(field: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"{field.replace('_', '-')} {value} is set, or not used"):
        rungs(tmp_path, {field: value})


def test_stopped_anywhere_it_goes_on_to_the_same_weights(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    alone = rungs(tmp_path / "alone", SMALL)[:7]  # A, A-LRN, B, C, D, E and C at 384
    climb(dataset, alone, TrainingOptions(tmp_path / "alone", workers=0), lambda _: None)
    ladder, notes = rungs(tmp_path / "cut", SMALL)[:7], Notes()
    options = TrainingOptions(tmp_path / "cut", workers=0)
    with pytest.raises(Interrupted):
        climb(dataset, ladder, replace(options, stop_after=2), notes.note)
    assert not (tmp_path / "cut" / "A-256" / "model.safetensors").exists()
    in_b = replace(options, should_stop=lambda: "rung 3 of 7: B-256" in notes.lines)
    with pytest.raises(Interrupted):
        climb(dataset, ladder, in_b, notes.note)
    assert (tmp_path / "cut" / "A-256" / "model.safetensors").exists()
    assert not (tmp_path / "cut" / "C-256").exists()
    notes.lines.clear()
    done = climb(dataset, ladder, options, notes.note)
    assert notes.lines[0] == "rung 1 of 7: A-256 is done"
    assert notes.lines[-1] == "rung 7 of 7: C-384"
    for rung in ladder:
        expected = own_file.load(tmp_path / "alone" / rung.name / "model.safetensors")
        found = own_file.load(tmp_path / "cut" / rung.name / "model.safetensors")
        for name, values in expected.state.items():
            np.testing.assert_array_equal(found.state[name], values)
        assert json.loads(json.dumps(done[rung.name])) == found.training  # and no arrays


def test_a_rung_of_another_ladder_is_named(pictures: Path, tmp_path: Path) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    climb(dataset, rungs(tmp_path, SMALL)[:1], options, lambda _: None)
    text = r"A-256.model\.safetensors: of another ladder: width 0\.02 there and 0\.03 here"
    with pytest.raises(ValueError, match=text):
        climb(dataset, rungs(tmp_path, {**SMALL, "width": 0.03})[:1], options, pytest.fail)


def test_a_rung_whose_checkpoint_is_gone_is_done_but_cannot_be_tested(
    pictures: Path, tmp_path: Path
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    ladder = rungs(tmp_path, SMALL)[:1]
    climb(dataset, ladder, options, lambda _: None)
    (tmp_path / "A-256" / "checkpoint.pt").unlink()
    before = (tmp_path / "A-256" / "model.safetensors").read_bytes()
    climb(dataset, ladder, options, lambda _: None)
    validation = open_dataset(pictures, "validation")
    validation.split = "validation"
    text = r"A-256.model\.safetensors: not tested on the validation pictures, .*; move it, and"
    with pytest.raises(ValueError, match=text):
        climb(dataset, ladder, replace(options, validation=validation), lambda _: None)
    assert (tmp_path / "A-256" / "model.safetensors").read_bytes() == before


def test_the_command_can_be_read_before_it_runs(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["ladder", str(pictures), "--out", str(tmp_path / "ladder"), *OPTIONS]
    status, out, err = command(capsys, *arguments, "--dry-run")
    assert status == 0, err
    assert not (tmp_path / "ladder").exists()
    rows = [" ".join(line.split()) for line in out.splitlines()]
    counts = {
        config: f"{analyze(configuration(config).scaled(0.02, 32, 3)).parameters:,}"
        for config in ("A", "A-LRN", "B", "E")
    }
    assert rows[2:5] == [  # 3 steps of 16 of the 50 pictures
        f"A-256 A {counts['A']} 37 drawn (glorot) 0.01 1 3 to do",
        f"A-LRN-256 A-LRN {counts['A-LRN']} 37 drawn (glorot) 0.01 1 3 to do",
        f"B-256 B {counts['B']} 37 A-256, the rest drawn (glorot) 0.01 1 3 to do",
    ]
    assert rows[-1] == f"E-256-512 E {counts['E']} 37-73 E-384, all layers 0.001 1 3 to do"
    dataset, ladder = open_dataset(pictures, "train"), rungs(tmp_path / "ladder", SMALL)
    options = TrainingOptions(tmp_path / "ladder" / "A-256", workers=0)
    train(dataset, ladder[0].recipe, options)
    status, out, err = command(capsys, *arguments, "--dry-run", "--dropout", "0")
    assert status == 0, err
    assert " done, top-1 " in out.splitlines()[2]
    status, out, err = command(capsys, *arguments, "--config", "D")
    assert status == 2
    assert err == "vggnet: config D is set, or not used, by the ladder: leave it out\n"


def test_the_help_has_what_the_ladder_takes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = command(capsys, "ladder", "-h")
    assert (status, err) == (0, "")
    offered = re.findall(r"^  --([a-z-]+)", out, re.MULTILINE)
    assert "width" in offered
    assert not {field.replace("_", "-") for field in SET_BY_LADDER} & set(offered)
    assert "modern" not in out  # a recipe that it does not start from


def test_the_command_climbs(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = command(capsys, "ladder", str(pictures), "--out", str(tmp_path), *OPTIONS)
    assert status == 0, err
    assert "rung 12 of 12: E-256-512" in err
    assert out.count("done, top-1") == 12
    assert len(list(tmp_path.glob("*/model.safetensors"))) == 12
