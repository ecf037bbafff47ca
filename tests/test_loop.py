"""vggnet.training.loop: a run learns, resumes to the bit, and starts from a file."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_data import SMALL, write_pictures

from vggnet.data import open_dataset
from vggnet.image import PictureError
from vggnet.training import checkpoint
from vggnet.training.history import read
from vggnet.training.loop import Interrupted, Options, train
from vggnet.weights import state


def _flat(values: object, name: str = "") -> dict[str, object]:
    """Nested values as one dictionary, tensors as bytes."""
    if isinstance(values, dict):
        items = [(f"{name}/{key}", value) for key, value in values.items()]
    elif isinstance(values, list | tuple):
        items = [(f"{name}/{key}", value) for key, value in enumerate(values)]
    else:
        is_tensor = isinstance(values, torch.Tensor)
        return {name: values.numpy().tobytes() if is_tensor else values}
    return {key: value for part, inside in items for key, value in _flat(inside, part).items()}


def _assert_same_run(one: Path, other: Path) -> None:
    """Equal bits in weights, average, optimizer, random state, metrics; wall time may differ."""
    ours, theirs = (_flat(checkpoint.load(folder / "checkpoint.pt")) for folder in (one, other))
    for values in (ours, theirs):
        del values["/progress/seconds"]
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if ours[key] != theirs[key]] == []
    assert (one / "metrics.jsonl").read_bytes() == (other / "metrics.jsonl").read_bytes()


def test_a_run_learns_what_is_easy_and_its_file_says_so(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(SMALL, sizes="32x6", test_sizes="32,40")
    weights = train(open_dataset(pictures, "train"), recipe, Options(tmp_path, workers=0))
    held_back = weights.training["metrics"]["held_back"]  # type: ignore[index]
    assert set(held_back) == {"32", "40"}
    assert max(score["top1"] for score in held_back.values()) >= 0.9
    assert not weights.spec.batch_norm
    assert weights.preprocess.crop in (32, 40)
    assert [label.name for label in weights.labels] == ["blue", "green", "red"]
    epochs = [line for line in read(tmp_path / "metrics.jsonl") if "epoch" in line]
    assert len(epochs) == 6
    assert (tmp_path / "curves.png").exists()
    state.save(tmp_path / "model.safetensors", weights, "fp16")
    training = state.load(tmp_path / "model.safetensors").training
    assert training["recipe"] == json.loads(json.dumps(recipe.to_json()))
    assert training["steps"] == 36


def test_an_interrupted_run_resumes_to_the_bit(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    recipe = replace(SMALL, head="fc")  # dropout, so the random state counts
    train(dataset, recipe, Options(tmp_path / "alone", workers=0))
    for stop_after in (3, 6, 7):  # within an epoch, at its end, within the next
        options = Options(tmp_path / "cut", resume=True, workers=1, stop_after=stop_after)
        with pytest.raises(Interrupted, match=f"stopped at step {stop_after} of 12"):
            train(dataset, recipe, options)
    weights = train(dataset, recipe, Options(tmp_path / "cut", resume=True, workers=0))
    _assert_same_run(tmp_path / "alone", tmp_path / "cut")
    again = train(dataset, recipe, Options(tmp_path / "cut", resume=True, workers=0))
    for name, values in weights.state.items():
        np.testing.assert_array_equal(values, again.state[name])


def test_killed_twenty_times_it_ends_with_the_same_bits(pictures: Path, tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_and_resume.py")
    command = [sys.executable, str(script), str(pictures), str(tmp_path), "20"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) >= 5  # kills while a checkpoint was being written
    _assert_same_run(tmp_path / "alone", tmp_path / "killed")
    ours, theirs = (
        state.load(tmp_path / name / "model.safetensors") for name in ("alone", "killed")
    )
    for name, values in ours.state.items():
        np.testing.assert_array_equal(values, theirs.state[name])


def test_this_comparison_can_fail(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, Options(tmp_path / "one", workers=0))
    train(dataset, replace(SMALL, seed=1), Options(tmp_path / "other", workers=0))
    with pytest.raises(AssertionError):
        _assert_same_run(tmp_path / "one", tmp_path / "other")


def test_a_folder_with_a_run_is_not_overwritten(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    train(dataset, SMALL, Options(tmp_path, workers=0))
    with pytest.raises(ValueError, match="a run was begun there; resume it"):
        train(dataset, SMALL, Options(tmp_path, workers=0))
    options = Options(tmp_path, resume=True, workers=0)
    with pytest.raises(ValueError, match=r"another run: learning_rate 0\.05 there and 0\.5 here"):
        train(dataset, replace(SMALL, learning_rate=0.5), options)


def test_starting_from_a_file_takes_its_weights_and_a_new_head(
    pictures: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(pictures, "train")
    first = train(dataset, SMALL, Options(tmp_path / "first", workers=0))
    fewer = write_pictures(tmp_path / "fewer", num_each=10)
    (fewer / "green").rename(tmp_path / "green")
    recipe = replace(SMALL, learning_rate=1e-9, sizes="32x1", holdout=4, average=0.0)
    options = Options(tmp_path / "second", workers=0)
    second = train(open_dataset(fewer, "train"), recipe, options, first)
    assert [label.name for label in second.labels] == ["blue", "red"]
    assert second.state["fc6.weight"].shape[0] == 2
    np.testing.assert_allclose(
        second.state["conv3_1.weight"], first.state["conv3_1.weight"], atol=1e-6
    )
    assert second.preprocess.mean == first.preprocess.mean


def test_broken_pictures_are_counted_and_strict_stops(tmp_path: Path) -> None:
    folder = write_pictures(tmp_path / "data")
    for name in ("blue/001.png", "red/002.png"):
        (folder / name).write_bytes(b"nonsense")
    dataset = open_dataset(folder, "train")
    recipe = replace(SMALL, sizes="32x3", holdout=0)
    weights = train(dataset, recipe, Options(tmp_path / "run", workers=0))
    assert weights.training["broken_pictures"] == 2
    with pytest.raises(PictureError, match="png: "):
        train(dataset, recipe, Options(tmp_path / "strict", workers=0, strict=True))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"holdout": 60}, "holdout 60 leaves none of 60 pictures to train on"),
        ({"batch_size": 64}, "batch size 64 is larger than the 50 training pictures"),
        ({"sizes": "16x1"}, "at least 32 x 32, not 16 x 16"),
        ({"head": "fc", "sizes": "64x1"}, "FC layers take 32 x 32 pictures, not 64 x 64"),
    ],
)
def test_recipes_that_do_not_fit_the_data(
    changes: dict[str, object], text: str, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=text):
        train(open_dataset(pictures, "train"), replace(SMALL, **changes), Options(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_plateau_ends_the_run_early(pictures: Path, tmp_path: Path) -> None:
    recipe = replace(
        SMALL, schedule="plateau", patience=1, sizes="32x40", learning_rate=1e-9, average=0.0,
        batch_norm=False,
    )  # fmt: skip
    train(open_dataset(pictures, "train"), recipe, Options(tmp_path, workers=0))
    epochs = [line for line in read(tmp_path / "metrics.jsonl") if "epoch" in line]
    assert len(epochs) < 40
