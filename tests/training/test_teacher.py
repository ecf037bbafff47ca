"""vggnet.training.teacher: the answers of trained networks, and what is learnt from them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from same_run import assert_same_run
from small_data import SMALL
from torch.nn import functional

from vggnet import torch_network
from vggnet.class_lists import labels_from_names
from vggnet.data import open_dataset
from vggnet.preprocess import Preprocess
from vggnet.torch_network import Convolutions, Network
from vggnet.training.batches import mix
from vggnet.training.loop import Interrupted, TrainingOptions
from vggnet.training.run import Run
from vggnet.training.teacher import Teacher
from vggnet.training.train import resume, train
from vggnet.weights import own_file
from vggnet.weights.random_weights import random_state
from vggnet.weights.weights import Weights

PREPROCESS = Preprocess(32, 32, 1 / 255, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
OTHER = Preprocess(32, 32, 1 / 255, (0.2, 0.6, 0.4), (0.4, 0.5, 0.3), colour_order="BGR")
CLASSES = labels_from_names(["blue", "green", "red"])
PIXELS = torch.randint(
    0, 256, (8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
LABELS = torch.arange(8) % 3
PLAIN = replace(SMALL, batch_norm=False, weight_average=0.0)


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing them would take most of the time."""
    monkeypatch.setattr("vggnet.training.loop.can_draw", lambda: False)


def _teacher(path: Path, seed: int = 3, names: tuple[str, ...] = ("blue", "green", "red")) -> str:
    """A file of random weights that answers differently to different pictures."""
    spec = replace(PLAIN, width=0.06).spec(len(names))
    state = random_state(spec, seed)
    state = {name: values * (3 if name == "fc6.weight" else 1) for name, values in state.items()}
    own_file.save(path, Weights(spec, state, OTHER, labels_from_names(names)))
    return str(path)


def _answers(file: str, images: torch.Tensor, temperature: float) -> torch.Tensor:
    weights = own_file.load(Path(file))
    run = Run(PLAIN, weights.spec, OTHER, 1, initial=weights.state)
    with torch.no_grad():
        return (run.network.eval()(images) / temperature).softmax(dim=1)


@pytest.mark.parametrize("mixes", [{}, {"mixup": 1.0}, {"cutmix": 1.0, "accumulate": 2}])
def test_the_loss_is_of_the_labels_and_of_the_answers_to_the_same_views(
    mixes: dict[str, Any], tmp_path: Path
) -> None:
    files = [_teacher(tmp_path / f"{seed}.safetensors", seed) for seed in (3, 4)]
    recipe = replace(
        PLAIN, teacher=",".join(files), distillation=0.7, temperature=3.0, label_smoothing=0.1,
        **mixes,
    )  # fmt: skip
    run = Run(recipe, recipe.spec(3), PREPROCESS, 20, teacher=Teacher(recipe, CLASSES))
    how = mix.draw(recipe, 0, 32)
    ours, theirs = (
        how.images(images, images.roll(1, 0)) if mixes else images
        for images in (
            torch.from_numpy(each.pixels_to_input(PIXELS.numpy())) for each in (PREPROCESS, OTHER)
        )
    )
    hot = functional.one_hot(LABELS, 3).float()
    targets = how.share * hot + (1 - how.share) * hot.roll(1, 0)
    with torch.no_grad():
        logits = run.network(ours)
    labels = functional.cross_entropy(logits, targets, label_smoothing=0.1)
    soft = sum(_answers(file, theirs, 3.0) for file in files) / 2
    divergence = (soft * (soft.log() - (logits / 3).log_softmax(dim=1))).sum(dim=1).mean()
    assert divergence > 1e-4
    expected = 0.3 * labels + 0.7 * 9 * divergence
    assert run.train_step(PIXELS, LABELS).loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_answers_come_in_the_order_of_the_datas_classes(tmp_path: Path) -> None:
    file = _teacher(tmp_path / "a.safetensors", names=("red", "mauve", "blue", "green"))
    teacher = Teacher(replace(PLAIN, teacher=file, temperature=1.0), CLASSES)
    found = teacher.soft_targets(lambda transfer: transfer(PIXELS))
    images = torch.from_numpy(OTHER.pixels_to_input(PIXELS.numpy()))
    expected = _answers(file, images, 1.0)[:, [2, 3, 0]]
    torch.testing.assert_close(found, expected / expected.sum(dim=1, keepdim=True))


def test_a_taught_run_resumes_to_the_bit_and_with_its_own_teacher_alone(
    pictures: Path, tmp_path: Path
) -> None:
    dataset, file = open_dataset(pictures, "train"), _teacher(tmp_path / "a.safetensors")
    recipe = replace(SMALL, teacher=file, mixup=0.2, head="fc")
    taught = train(dataset, recipe, TrainingOptions(tmp_path / "alone", workers=0))
    options = TrainingOptions(tmp_path / "cut", workers=0)
    with pytest.raises(Interrupted):
        train(dataset, recipe, replace(options, stop_after=3))
    kept = Path(file).read_bytes()
    _teacher(Path(file), seed=5)
    with pytest.raises(ValueError, match=r"teacher .*a\.safetensors: these are other weights"):
        resume(dataset, options)
    Path(file).write_bytes(kept)
    resume(dataset, options)
    assert_same_run(tmp_path / "alone", tmp_path / "cut")
    assert len(str(taught.training["teacher_sha256"])) == 64
    plain = train(dataset, replace(recipe, teacher=""), TrainingOptions(tmp_path / "plain", 0))
    assert (plain.state["conv1_1.weight"] != taught.state["conv1_1.weight"]).any()
    assert "teacher_sha256" not in plain.training


@pytest.mark.parametrize("convolutions", ["native", "torch"])
def test_the_engine_of_the_run_computes_the_teacher_too(
    convolutions: Convolutions, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, file = open_dataset(pictures, "train"), _teacher(tmp_path / "a.safetensors")
    recipe, asked = replace(SMALL, teacher=file), []

    def network(weights: Weights, convolutions: Convolutions) -> Network:
        asked.append(convolutions)
        return torch_network.network(weights, convolutions=convolutions)

    monkeypatch.setattr("vggnet.training.teacher.network", network)
    options = TrainingOptions(tmp_path / "run", 0, stop_after=1, convolutions=convolutions)
    with pytest.raises(Interrupted):
        train(dataset, recipe, options)
    with pytest.raises(Interrupted):
        resume(dataset, replace(options, stop_after=2, convolutions="auto"))
    assert asked == [convolutions] * 2


def test_mistakes_are_one_line_that_names_the_weights(pictures: Path, tmp_path: Path) -> None:
    dataset = open_dataset(pictures, "train")
    file = _teacher(tmp_path / "a.safetensors", names=("blue", "green"))
    for recipe, text in (
        (replace(SMALL, teacher=file), r"teacher .*a\.safetensors: the model lacks 1 of the 3"),
        (replace(SMALL, teacher="nowhere.safetensors"), r"nowhere\.safetensors"),
        (
            replace(SMALL, teacher=_unnamed(tmp_path / "b.safetensors")),
            r"teacher .*b\.safetensors: it does not name its 4 classes, and the data have 3",
        ),
    ):
        with pytest.raises(ValueError, match=text):
            train(dataset, recipe, TrainingOptions(tmp_path / "run", workers=0))
    assert not (tmp_path / "run").exists()


def _unnamed(path: Path) -> str:
    spec = PLAIN.spec(4)
    own_file.save(path, Weights(spec, random_state(spec, 0), OTHER))
    return str(path)


def test_a_teacher_that_cannot_take_the_views_is_refused(tmp_path: Path) -> None:
    spec = replace(PLAIN, head="fc").spec(3)
    path = tmp_path / "fc.safetensors"
    own_file.save(path, Weights(spec, random_state(spec, 0), OTHER, CLASSES))
    recipe = replace(PLAIN, sizes="32x1,64x1", input_size=64, short_side="73", teacher=str(path))
    with pytest.raises(ValueError, match=r"teacher .*fc.safetensors: .*not 64 x 64"):
        Teacher(recipe, CLASSES)


def test_a_digest_is_of_the_arrays(tmp_path: Path) -> None:
    files = [_teacher(tmp_path / f"{number}.safetensors", number % 2) for number in range(3)]
    one, other, same = (Teacher(replace(PLAIN, teacher=file), CLASSES).digest for file in files)
    assert one == same != other
