"""Fine-tuned nets in files that hold names and shapes alone: what torch and Keras answer, or what
is left out."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_nets
import numpy as np
import pytest
import torch
from comparison import relative_error
from numpy.typing import NDArray
from published_forms import contents, keras, oxford, small, torchvision
from small_nets import random_state
from torch import nn

from vggnet import engines
from vggnet.engines.reference import softmax
from vggnet.weights.containers import keras_files, safetensors_files
from vggnet.weights.files import inspect, load, weights_of
from vggnet.weights.recognition.recognise import recognise

BOUND = 1e-5
Layers = list[nn.Module]


def body(depth: int = 2, norm: bool = False) -> nn.Sequential:
    """torchvision's `features`: a convolution of 4 or 6 channels a stage."""
    layers: Layers = []
    channels = 3
    for stage in range(depth):
        width = (4, 6)[stage % 2]
        layers += [nn.Conv2d(channels, width, 3, padding=1), *([nn.BatchNorm2d(width)] * norm),
                   nn.ReLU(), nn.MaxPool2d(2)]  # fmt: skip
        channels = width
    return nn.Sequential(*layers)


class Net(nn.Module):
    """Features, an average where it is asked for, and one layer or several under any name."""

    def __init__(self, name: str, head: nn.Module, features: nn.Module, average: bool) -> None:
        super().__init__()
        self.features = features
        self.average = nn.AdaptiveAvgPool2d(1) if average else nn.Identity()
        self.add_module(name, head)
        self.behind = [head]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.behind[0](torch.flatten(self.average(self.features(images)), 1))


class Around(nn.Module):
    """`base` inside, which gives features, and `fc` beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Net("classifier", nn.Identity(), body(), False)
        self.fc1 = nn.Linear(96, 5)
        self.fc2 = nn.Linear(5, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.fc2(torch.relu(self.fc1(self.base(images))))


def net(name: str, *head: nn.Module, average: bool = False, depth: int = 2,
        norm: bool = False) -> nn.Module:  # fmt: skip
    whole = head[0] if len(head) == 1 else nn.Sequential(*head)
    return Net(name, whole, body(depth, norm), average)


BODY = ("conv3-4", "maxpool", "conv3-6", "maxpool")
DEEP = ("conv3-4", "maxpool", "conv3-6", "maxpool") * 2 + ("conv3-4", "maxpool")
HEADS: dict[str, tuple[Callable[[], nn.Module], int, tuple[str, ...]]] = {
    "one layer": (lambda: net("classifier", nn.Linear(96, 3)), 16, (*BODY, "FC-3")),
    "one layer, averaged": (lambda: net("fc", nn.Linear(6, 3), average=True), 16,
                            (*BODY, "avgpool", "FC-3")),
    "the last one made several": (
        lambda: net("classifier", nn.Linear(96, 9), nn.ReLU(), nn.Dropout(), nn.Linear(9, 8),
                    nn.ReLU(), nn.Dropout(),
                    nn.Sequential(nn.Linear(8, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3))),
        16, (*BODY, "FC-9", "FC-8", "FC-5", "FC-3")),
    "two of its own": (lambda: net("classifier", nn.Linear(96, 9), nn.ReLU(), nn.Linear(9, 3)), 16,
                       (*BODY, "FC-9", "FC-3")),
    "more than ten": (lambda: net("classifier", *[nn.Dropout()] * 8, nn.Linear(96, 9), nn.ReLU(),
                                  nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 3)), 16,
                      (*BODY, "FC-9", "FC-9", "FC-3")),
    "with names": (
        lambda: net("classifier", nn.Sequential(OrderedDict(
            zz=nn.Linear(96, 9), relu=nn.ReLU(), drop=nn.Dropout(), aa=nn.Linear(9, 3)))), 16,
        (*BODY, "FC-9", "FC-3")),
    "around a base": (Around, 16, (*BODY, "FC-5", "FC-3")),
    "CIFAR, one layer": (lambda: net("classifier", nn.Linear(4, 10), depth=5, norm=True), 32,
                         (*DEEP, "avgpool", "FC-10")),
    "CIFAR, three layers": (
        lambda: net("classifier", nn.Dropout(), nn.Linear(4, 5), nn.ReLU(), nn.Dropout(),
                    nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 10), depth=5), 32,
        (*DEEP, "FC-5", "FC-5", "FC-10")),
    "averaged, two layers": (lambda: net("head", nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 3),
                                         average=True), 16, (*BODY, "avgpool", "FC-6", "FC-3")),
}  # fmt: skip


def made(build: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(0)
    module = build()
    for name, values in module.state_dict().items():
        if values.ndim == 1 and values.is_floating_point():
            values.uniform_(0.5, 1.5) if "var" in name else values.normal_(0, 0.3)
    return module.eval()


def answered(path: Path, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weights = load(path)
    images = np.random.default_rng(3).standard_normal((3, 3, side, side), np.float32)
    return images, engines.create("numpy", weights.spec, weights.state)(images)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("name", HEADS)
def test_the_net_answers_as_torch_does(tmp_path: Path, name: str, suffix: str) -> None:
    build, side, tokens = HEADS[name]
    module, path = made(build), tmp_path / f"net.{suffix}"
    if suffix == "pth":
        torch.save(module.state_dict(), path)
    else:
        state = {n: values.numpy() for n, values in module.state_dict().items()}
        safetensors_files.write(path, dict(sorted(state.items())))
    found = inspect(path)
    assert found.spec.tokens == (*tokens, "soft-max")
    assert (found.convention, found.notes) == ("torchvision", ())
    if not found.spec.any_size or "CIFAR" in name:
        assert found.spec.input_size == side
    images, logits = answered(path, side)
    with torch.inference_mode():
        expected = module(torch.from_numpy(images)).numpy()
    assert relative_error(logits, expected) < BOUND


def test_one_unit_becomes_the_second_of_two_classes(tmp_path: Path) -> None:
    module, path = made(lambda: net("classifier", nn.Linear(96, 1))), tmp_path / "net.pth"
    torch.save(module.state_dict(), path)
    images, logits = answered(path, 16)
    with torch.inference_mode():
        expected = module(torch.from_numpy(images))
        probability = torch.sigmoid(expected).numpy()
    assert (logits[:, 0] == 0).all()
    assert relative_error(logits[:, 1:], expected.numpy()) < BOUND
    assert relative_error(softmax(logits)[:, 1:], probability) < BOUND
    assert "its one unit is taken for a sigmoid's" in " ".join(inspect(path).evidence)
    assert any("taken for a sigmoid's" in each for each in load(path).notes)  # for `predict`
    assert [label.name for label in load(path).labels] == ["no", "yes"]


@pytest.fixture(scope="module")
def library() -> Iterator[Any]:
    with keras_nets.keras_library() as found:
        yield found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("is_averaged", [False, True])
@pytest.mark.parametrize("is_nested", [False, True])
@pytest.mark.parametrize("frozen", [False, True])
def test_the_net_answers_as_keras_does_with_weights_alone(
    library: Any, tmp_path: Path, is_averaged: bool, is_nested: bool, frozen: bool
) -> None:
    layers, path = library.layers, tmp_path / "net.weights.h5"
    base = keras_nets.base(library, trainable=not frozen)
    picture = library.Input((16, 16, 3)) if is_nested else base.input
    x = base(picture) if is_nested else base.output
    x = layers.GlobalAveragePooling2D()(x) if is_averaged else layers.Flatten()(x)
    x = layers.Dropout(0.5)(layers.Dense(6, "relu")(x))
    whole = keras_nets.with_random_numbers(library.Model(picture, layers.Dense(3, "softmax")(x)))
    whole.save_weights(path)
    average = ("avgpool",) if is_averaged else ()
    assert inspect(path).spec.tokens == (*BODY, *average, "FC-6", "FC-3", "soft-max")
    images, logits = answered(path, 16)
    expected = keras_nets.answers(whole, images.transpose(0, 2, 3, 1))
    assert relative_error(softmax(logits), expected) < BOUND


def test_keras_2_lists_its_layers_in_order(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    shapes = {"block1_conv1": ((3, 3, 3, 4), (4,)), "block1_pool": (), "flatten": (),
              "later": ((16, 5), (5,)), "last": ((5, 5), (5,)), "earliest": ((5, 5), (5,)),
              "done": ((5, 3), (3,))}  # fmt: skip
    layers = {
        layer: {
            f"{layer}/{part}:0": chance.standard_normal(shape, np.float32)
            for part, shape in zip(("kernel", "bias"), of, strict=False)
        }
        for layer, of in shapes.items()
    }
    path = tmp_path / "net.h5"
    keras_files.write(path, layers)
    found = inspect(path)
    assert found.spec.tokens == ("conv3-4", "maxpool", "FC-5", "FC-5", "FC-5", "FC-3", "soft-max")
    order = [found.sources[f"fc{index}.weight"].name.split("/")[0] for index in (2, 3, 4, 5)]
    assert order == ["later", "last", "earliest", "done"]


@pytest.mark.parametrize(("head", "fault"), [
    ((nn.Linear(96, 9), nn.Linear(9, 3)), "no ReLU lies between classifier.0 and classifier.1"),
    ((nn.Linear(96, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.Linear(9, 3)), "no layer takes classifi"),
    ((nn.Linear(96, 9), nn.ReLU(), nn.ModuleDict({"age": nn.Linear(9, 2), "sex": nn.Linear(9, 2)})),
     "classifier.2.age and classifier.2.sex take the same 9 numbers"),
])  # fmt: skip
def test_a_head_that_cannot_be_read_is_left_out_and_named(
    head: tuple[nn.Module, ...], fault: str
) -> None:
    found = recognise(contents(arrays_of(net("classifier", *head))), "net")
    assert found.spec.tokens == BODY
    (note,) = found.notes
    assert note.startswith("its head is left out: ")
    assert fault in note


def arrays_of(module: nn.Module) -> dict[str, NDArray[Any]]:
    return {name: values.numpy() for name, values in module.state_dict().items()}


SPEC = small("D")
TORCH = torchvision(SPEC, random_state(SPEC))


def linear(out: int, num_in: int, name: str) -> dict[str, NDArray[Any]]:
    return {f"{name}.weight": np.ones((out, num_in), "f4"), f"{name}.bias": np.ones(out, "f4")}


def test_a_layer_behind_the_classes_leaves_no_head() -> None:
    net = {f"base.{name}": array for name, array in TORCH.items()} | linear(3, 7, "fc")
    found = recognise(contents(net), "net")
    assert found.spec.num_classes is None
    assert "fc takes the scores of base.classifier.6" in found.notes[0]


def test_the_head_of_another_net_is_not_this_one_s() -> None:
    spec = small("A")
    arrays = torchvision(spec, random_state(spec))
    copy = {f"teacher.{n}": a for n, a in arrays.items() if "classifier" not in n}
    both = {f"student.{n}": a for n, a in arrays.items() if "classifier" not in n} | copy
    both |= linear(3, 32 * 4, "student.fc") | linear(5, 32 * 4, "teacher.fc")
    assert recognise(contents(both), "net").spec.num_classes == 3


@pytest.mark.parametrize("name", ["torchvision", "keras", "oxford"])
def test_a_head_without_its_last_layer_gives_no_classes(name: str) -> None:
    """fc7 of fc6 and fc7 is not taken for the classes."""
    spec = small("D")
    state = random_state(spec) | {"fc7.weight": np.ones((256, 256), "f4"),
                                  "fc7.bias": np.ones(256, "f4")}  # fmt: skip
    forms = {"torchvision": torchvision, "keras": keras, "oxford": oxford}
    arrays = forms[name](spec, state)
    kept = {n: a for n, a in arrays.items() if not any(w in n for w in ("er.6", "predic", "fc8"))}
    found = recognise(contents(kept), "net")
    assert found.spec.num_classes is None
    last = {"torchvision": "classifier.3", "keras": "fc2", "oxford": "fc7"}[name]
    assert f"it ends at {last}, whose numbers are no classes" in found.notes[0]


def test_what_else_a_file_holds_is_told_to_whoever_uses_it() -> None:
    decoder = {"decoder.0.weight": np.ones((4, 4, 3, 3), "f4")}
    found = recognise(contents(decoder | {f"encoder.{n}": a for n, a in TORCH.items()}), "net")
    assert found.notes == ("1 weights are left out, which no VGG has: decoder.0.weight",)
    copies = {f"ema.{n}": a for n, a in TORCH.items()} | {
        "optimizer.exp_avg": np.ones((2, 2), "f4")
    }
    assert (
        recognise(contents({f"model.{n}": a for n, a in TORCH.items()} | copies), "net").notes == ()
    )


def test_what_was_left_out_reaches_the_weights() -> None:
    file = contents(arrays_of(net("classifier", nn.Linear(96, 9), nn.Linear(9, 3))))
    recognition = recognise(file, "net")
    assert weights_of(file, recognition, "net").notes == recognition.notes != ()
