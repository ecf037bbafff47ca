"""vggnet.training.train: a run is begun or resumed, and its weights say where they come from."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from same_run import assert_same_run
from small_data import SMALL, Notes, write_pictures

from vggnet.data import open_dataset
from vggnet.evaluation import Score
from vggnet.model import Model, load
from vggnet.training.batches.colours import measured_colours, measured_preprocessing
from vggnet.training.batches.held_back import split
from vggnet.training.beginning import begin
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.recipe import Recipe
from vggnet.training.recipes import fine_tuning, pre_training
from vggnet.training.record import checkpoint
from vggnet.training.record.history import read
from vggnet.training.record.lock import locked
from vggnet.training.train import resume, train
from vggnet.weights import own_file


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them would take most of the time."""
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: False)


def test_a_run_learns_what_is_easy_and_its_file_says_so(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: True)
    recipe = replace(SMALL, sizes="32x6", test_sizes="32,40")
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    held_back = weights.training["metrics"]["held_back"]  # type: ignore[index]
    assert set(held_back) == {"32", "40"}
    assert max(score["top1"] for score in held_back.values()) >= 0.9
    assert not weights.spec.batch_norm
    assert weights.preprocessing.crop in (32, 40)
    assert [label.name for label in weights.labels] == ["blue", "green", "red"]
    epochs = [line for line in read(tmp_path / "metrics.jsonl") if "epoch" in line]
    assert len(epochs) == 6
    assert (tmp_path / "curves.png").exists()
    training = own_file.load(tmp_path / "model.safetensors").training
    assert training["recipe"] == json.loads(json.dumps(recipe.to_json()))
    assert training["steps"] == 36


def test_the_weights_are_saved_in_the_recipes_type(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, dtype="fp16", sizes="32x1")
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    saved = own_file.load(tmp_path / "model.safetensors")
    assert saved.training == json.loads(json.dumps(weights.training))
    assert saved.labels == weights.labels
    for name, values in weights.state.items():
        np.testing.assert_array_equal(saved.state[name], values.astype(np.float16))


def test_what_is_kept_apart_is_tested_with_the_threads_of_the_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[Model] = []

    def loaded(*arguments: Any, **options: Any) -> Model:
        models.append(load(*arguments, **options))
        return models[-1]

    monkeypatch.setattr("vggnet.training.finish.load", loaded)
    dataset = open_dataset(pictures, "train")
    options = TrainingOptions(tmp_path, workers=0, validation=dataset, threads=1)
    train(dataset, replace(SMALL, sizes="32x1"), options)
    assert [model._options["threads"] for model in models] == [1]


@pytest.mark.parametrize(("word", "split"), [("val", "validation"), ("test", "test")])
def test_what_is_kept_apart_is_tested_and_recorded_as_what_it_is(
    word: str, split: str, tmp_path: Path
) -> None:
    write_pictures(tmp_path / "data" / "train")
    broken = write_pictures(tmp_path / "data" / word, num_each=4) / "blue" / "001.png"
    broken.write_bytes(b"nonsense")
    validation, notes = open_dataset(tmp_path / "data", "validation"), Notes()
    options = TrainingOptions(tmp_path / "run", workers=0, validation=validation, reporter=notes)
    weights = train(open_dataset(tmp_path / "data", "train"), SMALL, options)
    saved = own_file.load(tmp_path / "run" / "model.safetensors").training["metrics"]
    assert set(saved) == {"held_back", split}  # type: ignore[call-overload]
    assert saved[split]["images"] == 11  # type: ignore[index]
    assert len([line for line in notes.lines if line.startswith(f"left out: {broken}: ")]) == 1
    assert saved == weights.training["metrics"]
    assert any(line.startswith(f"{split}: * Acc@1 ") for line in notes.lines)
    (tmp_path / "run" / "model.safetensors").unlink()
    asked = replace(
        options, should_stop=lambda: any(line.startswith("testing on") for line in notes.lines)
    )
    notes.lines.clear()
    with pytest.raises(Interrupted, match="stopped at step 12 of 12"):
        resume(open_dataset(tmp_path / "data", "train"), asked)
    metrics = own_file.load(tmp_path / "run" / "model.safetensors").training["metrics"]
    assert set(metrics) == {"held_back"}  # type: ignore[call-overload]


def test_the_paper_s_preprocessing_reaches_the_weights(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, normalization="mean", crop="short-side", short_side="36", sizes="32x1")
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    preprocessing = weights.preprocessing
    assert (preprocessing.resize, preprocessing.crop) == (36, 32)
    assert (preprocessing.scale, preprocessing.std) == (1, (1, 1, 1))
    assert set(weights.training["metrics"]["held_back"]) == {"36"}  # type: ignore[index]


def test_the_mean_is_that_of_the_pictures_trained_on(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    training, _ = split(60, SMALL)
    weights = train(dataset, SMALL, TrainingOptions(tmp_path, workers=0))
    expected = measured_preprocessing(measured_colours(dataset, training), SMALL)
    assert (weights.preprocessing.mean, weights.preprocessing.std) == (expected.mean, expected.std)
    all_of_them = measured_preprocessing(measured_colours(dataset, np.arange(60)), SMALL)
    assert expected.mean != all_of_them.mean


def test_a_deeper_net_starts_from_layers_of_a_shallower_one(pictures: Path, tmp_path: Path) -> None:
    dataset, notes = open_dataset(pictures, "train"), Notes()
    plain = replace(SMALL, batch_norm=False, weight_average=0.0, head="fc", sizes="32x1")
    train(dataset, plain, TrainingOptions(tmp_path / "A", workers=0))
    changes = {"config": "D", "init_from": str(tmp_path / "A"), "learning_rate": 1e-12}
    options = TrainingOptions(tmp_path / "D", workers=0, reporter=notes)
    deeper = train(dataset, pre_training(plain, changes), options)
    shallower = own_file.load(tmp_path / "A" / "model.safetensors")
    for layer in ("conv1_1", "conv2_1", "conv3_1", "conv3_2", "fc6", "fc7", "fc8"):
        name = f"{layer}.weight"
        np.testing.assert_allclose(deeper.state[name], shallower.state[name], atol=1e-6)
    assert any(re.match("not from .*A: conv1_2.bias, conv1_2.weight, ", x) for x in notes.lines)
    assert deeper.preprocessing == shallower.preprocessing
    recipe = deeper.training["recipe"]
    assert "normalization" not in recipe  # type: ignore[operator]
    assert Recipe.from_json(recipe).init_from == str(tmp_path / "A")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"A': a net with 11 weight layers, not less than the 11"):
        begin(dataset, pre_training(plain, {"init_from": str(tmp_path / "A")}), options)


def test_the_axes_of_the_rgb_shift_are_kept_in_the_checkpoint(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, recipe = open_dataset(pictures, "train"), replace(SMALL, rgb_shift=0.1)
    train(dataset, recipe, TrainingOptions(tmp_path / "alone", workers=0))
    options = TrainingOptions(tmp_path / "cut", workers=1)
    with pytest.raises(Interrupted):
        train(dataset, recipe, replace(options, stop_after=3))
    monkeypatch.setattr("vggnet.training.beginning.measured_colours", pytest.fail)
    resume(dataset, options)
    assert_same_run(tmp_path / "alone", tmp_path / "cut")
    without = TrainingOptions(tmp_path / "without", workers=0)
    monkeypatch.undo()
    train(dataset, SMALL, without)
    losses = [read(tmp_path / name / "metrics.jsonl")[0]["loss"] for name in ("alone", "without")]
    assert losses[0] != losses[1]


def test_the_size_that_is_best_by_its_first_guess_is_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = {32: Score(0.5, 0.9, 10, "", 1), 36: Score(0.7, 0.8, 10, "", 1),
              40: Score(0.6, 1.0, 10, "", 1)}  # fmt: skip
    monkeypatch.setattr(
        "vggnet.training.loop.evaluate",
        lambda _f, _d, preprocessing, **_: scores[preprocessing.resize],
    )
    recipe = replace(SMALL, sizes="32x1", test_sizes="32,36,40")
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    assert (weights.preprocessing.resize, weights.preprocessing.crop) == (36, 36)
    held_back = weights.training["metrics"]["held_back"]  # type: ignore[index]
    assert {size: score["top1"] for size, score in held_back.items()} == {
        "32": 0.5, "36": 0.7, "40": 0.6
    }  # fmt: skip


def test_the_average_is_what_is_kept(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, batch_norm=False, sizes="32x1")
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    saved = checkpoint.load(tmp_path / checkpoint.FILE_NAME).run
    for name, values in weights.state.items():
        np.testing.assert_array_equal(values, saved["averaged"][name].numpy())
        assert (values != saved["network"][name].numpy()).any()


def test_provenance_is_that_of_the_start_and_lists_how_the_run_was_carried_on(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    taken = {"command": "vggnet train here", "commit": "1234"}
    monkeypatch.setattr("vggnet.training.loop.provenance", lambda _: taken)
    with pytest.raises(Interrupted):
        train(dataset, SMALL, replace(options, stop_after=3))
    with pytest.raises(Interrupted):
        resume(dataset, replace(options, stop_after=5))
    later = taken | {"commit": "5678"}
    monkeypatch.setattr("vggnet.training.loop.provenance", lambda _: later)
    training = resume(dataset, options).training
    assert (training["command"], training["commit"]) == ("vggnet train here", "1234")
    assert training["carried_on"] == [{"from_step": 5, **later}]


def test_a_run_left_alone_has_no_list(pictures: Path, tmp_path: Path) -> None:
    weights = train(open_dataset(pictures, "train"), SMALL, TrainingOptions(tmp_path, workers=0))
    assert weights.training["threads"] == torch.get_num_threads()
    assert weights.training["device"] in ("cpu", "cuda")
    assert "carried_on" not in weights.training
    assert "from_step" not in weights.training


def test_a_folder_with_a_run_is_not_overwritten(pictures: Path, tmp_path: Path) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    train(dataset, SMALL, options)
    with pytest.raises(ValueError, match="a run was begun there; --resume it"):
        train(dataset, SMALL, options)
    (tmp_path / "checkpoint.pt").unlink()  # the large file, which many delete
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(ValueError, match=r"model\.safetensors: a trained model is there already"):
        train(dataset, SMALL, options)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_what_contradicts_the_checkpoint_is_refused(pictures: Path, tmp_path: Path) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    with pytest.raises(Interrupted):
        train(dataset, SMALL, replace(options, stop_after=1))
    with pytest.raises(ValueError, match=r"another run: learning_rate 0\.05 there and 0\.5 here"):
        resume(dataset, options, {"learning_rate": 0.5})
    with pytest.raises(ValueError, match=r"with 1 threads, .* other bits on cpu with 2"):
        resume(dataset, replace(options, threads=2))
    fewer = open_dataset(write_pictures(tmp_path / "fewer", num_each=10), "train")
    with pytest.raises(ValueError, match=r"another run: pictures 60 there and 30 here"):
        resume(fewer, options)
    resume(dataset, options, {"learning_rate": 0.05, "seed": 0})


def test_a_folder_where_another_process_trains_is_left_alone(
    pictures: Path, tmp_path: Path
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    with locked(tmp_path), pytest.raises(ValueError, match="another process is training there"):
        train(dataset, SMALL, options)
    assert [path.name for path in tmp_path.iterdir()] == ["run.lock"]
    with pytest.raises(Interrupted):
        train(dataset, SMALL, replace(options, stop_after=1))
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with locked(tmp_path), pytest.raises(ValueError, match="another process is training there"):
        resume(dataset, options)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    resume(dataset, options)


def test_fewer_pictures_than_a_batch_are_one_smaller_batch(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, batch_size=64, accumulate=4)
    weights = train(open_dataset(pictures, "train"), recipe, TrainingOptions(tmp_path, workers=0))
    assert weights.training["steps"] == 2
    assert weights.training["epochs"] == 2


def test_a_class_without_pictures_ends_a_run_before_it_begins(tmp_path: Path) -> None:
    (write_pictures(tmp_path / "data") / "mauve").mkdir()
    with pytest.raises(ValueError, match="class folders without pictures: mauve; put pictures"):
        train(open_dataset(tmp_path / "data", "train"), SMALL, TrainingOptions(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_class_folder_that_was_renamed_is_refused(tmp_path: Path) -> None:
    folder, options = write_pictures(tmp_path / "data"), TrainingOptions(tmp_path / "run", 0)
    with pytest.raises(Interrupted):
        train(open_dataset(folder, "train"), SMALL, replace(options, stop_after=1))
    (folder / "blue").rename(folder / "yellow")  # green's pictures would be learnt as blue
    with pytest.raises(ValueError, match=r"another run: class 0 'blue' there and 'green' here"):
        resume(open_dataset(folder, "train"), options)
    (folder / "yellow").rename(folder / "blue")
    training = resume(open_dataset(folder, "train"), options).training
    assert "class_names" not in training["data"]  # type: ignore[operator]


def test_a_checkpoint_of_the_version_before_goes_on_to_the_same_bits(
    pictures: Path, tmp_path: Path
) -> None:
    dataset, recipe = open_dataset(pictures, "train"), replace(SMALL, precision="bf16")
    train(dataset, recipe, TrainingOptions(tmp_path / "alone", workers=0))
    options = TrainingOptions(tmp_path / "cut", workers=0)
    with pytest.raises(Interrupted):
        train(dataset, recipe, replace(options, stop_after=3))
    path = tmp_path / "cut" / "checkpoint.pt"
    values = torch.load(path, weights_only=True)
    values["version"] = 2
    for part, names in {
        "recipe": ["version", "remainder"],
        "spec": ["version"],
        "hardware": ["precision", "convolutions"],
        "data": ["class_names", "contents_sha256"],
    }.items():
        for name in names:
            del values[part][name]
    torch.save(values, path)
    resume(dataset, options)
    metrics = [(tmp_path / name / "metrics.jsonl").read_bytes() for name in ("alone", "cut")]
    assert metrics[0] == metrics[1]
    files = [own_file.load(tmp_path / name / "model.safetensors") for name in ("alone", "cut")]
    for name, values in files[0].state.items():
        np.testing.assert_array_equal(values, files[1].state[name])


def test_nothing_to_resume_names_the_folder(pictures: Path, tmp_path: Path) -> None:
    options = TrainingOptions(tmp_path / "typo", workers=0)
    with pytest.raises(ValueError, match="typo: there is no run to resume"):
        resume(open_dataset(pictures, "train"), options)
    assert not (tmp_path / "typo").exists()


def test_threads_of_the_start_are_taken_again(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, options = open_dataset(pictures, "train"), TrainingOptions(tmp_path, workers=0)
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(torch, "set_num_threads", seen.append)
    with pytest.raises(Interrupted):
        train(dataset, SMALL, replace(options, threads=before + 1, stop_after=1))
    resume(dataset, options)
    assert seen == [before + 1, before + 1]


def test_who_computes_convolutions_changes_bits_and_is_kept_and_recorded(
    pictures: Path, tmp_path: Path
) -> None:
    dataset, notes = open_dataset(pictures, "train"), Notes()
    recipe, losses = replace(SMALL, width=1 / 4, sizes="32x1"), {}
    for asked in ("auto", "native", "torch"):
        options = TrainingOptions(tmp_path / asked, workers=0, reporter=notes)
        with pytest.raises(Interrupted):
            train(dataset, recipe, replace(options, convolutions=asked, stop_after=2))
        who = "torch" if asked == "torch" else "native"
        saved = checkpoint.load(tmp_path / asked / "checkpoint.pt")
        assert saved.hardware["convolutions"] == who
        other = "native" if who == "torch" else "torch"
        with pytest.raises(ValueError, match=f"convolutions by .*{who}.* and would"):
            resume(dataset, replace(options, convolutions=other))
        assert resume(dataset, options).training["convolutions"] == who
        lines = (tmp_path / asked / "metrics.jsonl").read_text().splitlines()
        losses[asked] = [float(json.loads(line).get("loss", 0)) for line in lines]
    assert losses["auto"] == losses["native"] != losses["torch"]
    np.testing.assert_allclose(losses["native"], losses["torch"], rtol=1e-3)
    assert [line for line in notes.lines if line.startswith("convolutions by the native engine")]
    assert [line for line in notes.lines if line.startswith("convolutions by torch")]


@pytest.mark.parametrize("fast", [True, False])
def test_a_run_keeps_the_precision_that_auto_was_where_it_began(
    fast: bool, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, notes = open_dataset(pictures, "train"), Notes()
    precision = "bf16" if fast else "fp32"
    for name, asked in (("asked", precision), ("auto", "auto")):
        monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: fast)
        recipe = replace(SMALL, precision=asked, sizes="32x1", weight_average=0.0)
        options = TrainingOptions(tmp_path / name, workers=0, reporter=notes)
        begun = replace(options, convolutions="torch", stop_after=2)
        with pytest.raises(Interrupted):
            train(dataset, recipe, begun)
        monkeypatch.setattr("vggnet.training.hardware.multiplies_bf16", lambda _: not fast)
        assert resume(dataset, options).training["precision"] == precision
    first, second = (tmp_path / name / "metrics.jsonl" for name in ("asked", "auto"))
    assert first.read_bytes() == second.read_bytes()
    assert [line for line in notes.lines if f"computes in {precision}" in line]
    assert [line for line in notes.lines if line.startswith("resuming") and precision in line]
    other = replace(SMALL, precision="fp32" if fast else "bf16", sizes="32x1", weight_average=0.0)
    train(dataset, other, TrainingOptions(tmp_path / "other", workers=0, convolutions="torch"))
    assert (tmp_path / "other" / "metrics.jsonl").read_bytes() != first.read_bytes()


def test_starting_from_a_file_takes_its_weights_and_a_new_head(
    pictures: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(pictures, "train")
    first = train(dataset, SMALL, TrainingOptions(tmp_path / "first", workers=0))
    file = tmp_path / "first.safetensors"
    own_file.save(file, first)
    fewer = write_pictures(tmp_path / "fewer", num_each=10)
    (fewer / "green").rename(tmp_path / "green")
    changes = {
        "init": str(file), "learning_rate": 1e-9, "sizes": "32x1", "holdout": 4, "batch_size": 8,
        "weight_average": 0.0,
    }  # fmt: skip
    notes = Notes()
    options = TrainingOptions(tmp_path / "second", workers=0, reporter=notes)
    second = train(open_dataset(fewer, "train"), fine_tuning(SMALL, changes, 32), options)
    assert f"not from {file}: fc6.bias, fc6.weight" in notes.lines
    assert [label.name for label in second.labels] == ["blue", "red"]
    assert second.state["fc6.weight"].shape[0] == 2
    np.testing.assert_allclose(
        second.state["conv3_1.weight"], first.state["conv3_1.weight"], atol=1e-6
    )
    assert second.preprocessing.mean == first.preprocessing.mean
    recipe = second.training["recipe"]
    assert recipe["init"] == str(file)  # type: ignore[index]
    assert "width" not in recipe  # type: ignore[operator]
    file.unlink()  # it is in the checkpoint now
    again = resume(open_dataset(fewer, "train"), options)
    np.testing.assert_array_equal(again.state["fc6.weight"], second.state["fc6.weight"])


def test_without_matplotlib_there_is_a_note_and_no_picture(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.train.can_draw", lambda: False)
    notes = Notes()
    options = TrainingOptions(tmp_path, workers=0, reporter=notes)
    train(open_dataset(pictures, "train"), SMALL, options)
    missing = "no curves will be drawn: matplotlib is missing"
    assert len([line for line in notes.lines if line.startswith(missing)]) == 1
    assert not (tmp_path / "curves.png").exists()


def test_curves_that_are_not_wanted_are_not_drawn(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: True)
    options = TrainingOptions(tmp_path, workers=0, curves=False)
    train(open_dataset(pictures, "train"), replace(SMALL, sizes="32x1"), options)
    assert (tmp_path / "model.safetensors").exists()
    assert not (tmp_path / "curves.png").exists()


def test_who_holds_nothing_back_is_told_how(pictures: Path, tmp_path: Path) -> None:
    notes = Notes()
    options = TrainingOptions(tmp_path, workers=0, reporter=notes)
    train(open_dataset(pictures, "train"), replace(SMALL, holdout=0, sizes="32x1"), options)
    assert "--holdout" in notes.lines[0]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"holdout": 60}, "holdout 60 leaves none of 60 pictures to train on"),
        ({"sizes": "16x1"}, "at least 32 x 32, not 16 x 16"),
        ({"head": "fc", "sizes": "64x1"}, "FC layers take 32 x 32 pictures, not 64 x 64"),
    ],
)
def test_recipes_that_do_not_fit_the_data(
    changes: dict[str, object], text: str, pictures: Path, tmp_path: Path
) -> None:
    options = TrainingOptions(tmp_path)
    with pytest.raises(ValueError, match=text):
        train(open_dataset(pictures, "train"), replace(SMALL, **changes), options)
    assert list(tmp_path.iterdir()) == []
