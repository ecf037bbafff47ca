import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from comparison import relative_error
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

import vggnet
from vggnet import native_kernels
from vggnet.class_lists import Label
from vggnet.configurations import configuration
from vggnet.engines.reference import ReferenceEngine
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.torch_network import Network, network
from vggnet.weights import own_file
from vggnet.weights.rewrite import fully_convolutional
from vggnet.weights.weights import Weights


def loaded(spec: Spec, seed: int = 0) -> Network:
    """The network of a spec with random weights, ready to answer."""
    network = Network(spec, initialization=None)
    state = {name: torch.from_numpy(array) for name, array in random_state(spec, seed).items()}
    network.load_state_dict(state, assign=True)
    return network.eval()


@pytest.mark.parametrize("spec", [EVERYTHING, AVERAGE, HEADLESS], ids=lambda spec: spec.name)
def test_its_state_is_the_canonical_state(spec: Spec) -> None:
    shapes = {name: tuple(each.shape) for name, each in Network(spec).state_dict().items()}
    assert shapes == spec.state_shapes
    assert tuple(name for name, _ in Network(spec).named_children()) == spec.layer_names


def test_vgg16_has_the_paper_s_parameters_and_no_memory_until_it_is_loaded() -> None:
    network = Network(configuration("D"), initialization=None)
    assert sum(each.numel() for each in network.parameters()) == 138_357_544
    assert all(each.is_meta for each in network.parameters())


def test_a_configuration_s_name_stands_for_its_spec() -> None:
    assert Network("vgg16_bn", initialization=None).spec == configuration("D-BN")


def test_a_state_that_does_not_fit_is_refused() -> None:
    state = {name: torch.from_numpy(array) for name, array in random_state(AVERAGE).items()}
    del state["fc3.bias"]
    with pytest.raises(RuntimeError, match=r"fc3\.bias"):
        Network(AVERAGE).load_state_dict(state)


def test_forward_gives_logits_a_map_or_the_deepest_features() -> None:
    images = torch.from_numpy(random_images(2, 16, 16))
    assert loaded(FULLY_CONNECTED)(images).shape == (2, 7)
    assert loaded(HEADLESS)(images).shape == (2, 8, 8, 8)
    dense, _ = fully_convolutional(FULLY_CONNECTED, random_state(FULLY_CONNECTED))
    assert loaded(dense)(torch.from_numpy(random_images(2, 24, 20))).shape == (2, 7, 3, 2)


def test_forward_is_before_the_soft_max() -> None:
    network = loaded(AVERAGE)
    images = torch.from_numpy(random_images(2, 16, 16))
    probabilities = network.features(images, ["prob"])["prob"]
    torch.testing.assert_close(network(images).softmax(dim=1), probabilities)


def test_a_size_that_the_head_cannot_take() -> None:
    with pytest.raises(ValueError, match=r"16 x 16 pictures, not 20 x 16"):
        loaded(FULLY_CONNECTED)(torch.from_numpy(random_images(1, 20, 16)))


def test_features_are_differentiable_in_the_picture() -> None:
    network = loaded(EVERYTHING)
    images = torch.from_numpy(random_images(1, 24, 24)).requires_grad_()
    found = network.features(images, ["relu1_1", "fc3"])
    assert list(found) == ["relu1_1", "fc3"]
    (found["relu1_1"].square().sum() + found["fc3"].square().sum()).backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0


def test_features_before_relu_stay_what_they_were() -> None:
    found = loaded(HEADLESS).features(
        torch.from_numpy(random_images(1, 16, 16)), ["conv1_1", "relu1_1"]
    )
    assert found["conv1_1"].min() < 0
    torch.testing.assert_close(found["relu1_1"], found["conv1_1"].clamp(min=0))


def test_features_stop_at_the_deepest_layer() -> None:
    network = loaded(FULLY_CONNECTED)
    run: list[str] = []
    for name, module in network.named_children():
        module.register_forward_hook(lambda *_, name=name: run.append(name))
    network.features(torch.from_numpy(random_images(1, 16, 16)), ["pool1"])
    assert run == ["conv1_1", "relu1_1", "pool1"]
    with pytest.raises(ValueError, match=r"no layer 'conv9_9'"):
        network.features(torch.from_numpy(random_images(1, 16, 16)), ["conv9_9"])


@pytest.mark.parametrize(
    ("shape", "fault"),
    [
        ((3, 16, 16), r"images must have the shape \(N, 3, H, W\), not \(3, 16, 16\)"),
        ((1, 16, 16, 3), r"images must have the shape \(N, 3, H, W\), not \(1, 16, 16, 3\)"),
        ((1, 3, 16, 17), r"take 16 x 16 pictures, not 16 x 17; give that size"),
    ],
)
def test_shapes_that_are_refused(shape: tuple[int, ...], fault: str) -> None:
    network = Network(FULLY_CONNECTED)
    for call in (network, lambda images: network.features(images, ["conv1_1"])):
        with pytest.raises(ValueError, match=fault):
            call(torch.zeros(shape))


def test_local_response_norm_is_krizhevsky_s() -> None:
    spec = Spec("lrn", ("conv1-9 LRN",), 6)
    images = 100 * random_images(2, 6, 6)  # large, so that the sum of squares counts
    found = loaded(spec)(torch.from_numpy(images)).detach().numpy()
    oracle = ReferenceEngine(spec, random_state(spec))
    assert relative_error(found, oracle.features(images, ["norm1_1"])["norm1_1"]) < 1e-5


def test_dropout_works_in_training_alone() -> None:
    network = Network(FULLY_CONNECTED, seed=0, dropout=0.5)
    images = torch.from_numpy(random_images(4, 16, 16))
    drawn = network.train().features(images, ["relu3", "drop3"])
    kept = drawn["drop3"] != 0
    assert kept.any()
    assert (~kept & (drawn["relu3"] > 0)).any()
    torch.testing.assert_close(drawn["drop3"][kept], 2 * drawn["relu3"][kept])
    still = network.eval().features(images, ["relu3", "drop3"])
    assert torch.equal(still["drop3"], still["relu3"])


WIDE = Spec("wide", ("conv3-64 conv3-128", "maxpool", "FC-300 FC-200"), 8, batch_norm=True)


@pytest.mark.parametrize(
    ("how", "convolution", "connected"),
    [
        ("paper", 0.1, 0.1),  # the variance is 1e-2
        ("he", math.sqrt(2 / (128 * 9)), 0.01),
        ("glorot", math.sqrt(2 / ((64 + 128) * 9)), math.sqrt(2 / (300 + 128 * 16))),
    ],
)
def test_initial_weights_have_their_deviation(
    how: str, convolution: float, connected: float
) -> None:
    network = Network(WIDE, how, seed=3)
    assert network.conv1_2.weight.std().item() == pytest.approx(convolution, rel=0.02)
    assert network.fc2.weight.std().item() == pytest.approx(connected, rel=0.02)
    assert abs(network.fc2.weight.mean().item()) < 0.02 * connected
    bound = math.sqrt(3) * connected
    assert (network.fc2.weight.abs().max().item() <= bound) == (how == "glorot")  # it is uniform
    for name, values in network.state_dict().items():
        if name.endswith(("bias", "running_mean")):
            assert not values.any()
        elif name.startswith("bn"):
            assert (values == 1).all()


def test_the_seed_decides_the_initial_weights() -> None:
    first, second, other = (Network(WIDE, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["fc2.weight"], other["fc2.weight"])


def test_without_a_seed_torch_s_own_generator_decides() -> None:
    def drawn() -> torch.Tensor:
        return Network(WIDE).state_dict()["fc2.weight"]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        first, second = drawn(), drawn()
        torch.manual_seed(5)
        assert torch.equal(drawn(), first)
        assert not torch.equal(second, first)
        before = torch.random.get_rng_state()
        Network(WIDE, seed=5)  # and with one it is left alone
        assert torch.equal(torch.random.get_rng_state(), before)


def test_a_seed_draws_what_it_always_drew() -> None:
    generator = torch.Generator().manual_seed(7)
    expected = torch.empty(64, 3, 3, 3).normal_(0, math.sqrt(2 / (64 * 9)), generator=generator)
    assert torch.equal(Network(WIDE, seed=7).state_dict()["conv1_1.weight"], expected)


def test_an_initialization_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"'xavier' must be one of he, glorot, paper"):
        Network(WIDE, "xavier")


PREPROCESS = Preprocess.torchvision(resize=18, crop=16)


def weights(spec: Spec, seed: int = 0) -> Weights:
    return Weights(spec, random_state(spec, seed), PREPROCESS)


def images(number: int = 2, side: int = 16) -> torch.Tensor:
    return torch.from_numpy(random_images(number, side, side))


def trainable(module: Network) -> set[str]:
    """The layers whose arrays an optimizer would change."""
    return {
        name.rpartition(".")[0] for name, each in module.named_parameters() if each.requires_grad
    }


def test_a_pretrained_network_is_that_of_its_weights(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    own_file.save(path, weights(EVERYTHING))
    expected = loaded(EVERYTHING)(images(side=24))
    for source in (path, str(path), weights(EVERYTHING)):
        assert torch.equal(network(source).eval()(images(side=24)), expected)
    assert network(path).training
    assert network().spec.num_classes == 200  # the model inside the package


def test_training_a_pretrained_network_leaves_its_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    own_file.save(path, weights(AVERAGE))
    source = own_file.load(path)  # mapped and read-only
    module = network(source)
    with torch.no_grad():
        for each in module.parameters():
            each += 1
    assert np.array_equal(source.state["conv1_1.weight"], random_state(AVERAGE)["conv1_1.weight"])


@pytest.mark.parametrize("num_classes", [3, 7])  # 7 is what it has
def test_a_new_head_is_drawn_and_the_rest_kept(num_classes: int) -> None:
    old = random_state(FULLY_CONNECTED)
    first, again, other = (
        network(weights(FULLY_CONNECTED), num_classes=num_classes, seed=seed).state_dict()
        for seed in (1, 1, 2)
    )
    assert first["fc4.weight"].shape == (num_classes, 10)
    assert first["fc4.weight"].std().item() == pytest.approx(0.01, rel=0.5)
    assert not first["fc4.bias"].any()
    assert torch.equal(first["fc4.weight"], again["fc4.weight"])
    assert not torch.equal(first["fc4.weight"], other["fc4.weight"])
    for name in old.keys() - {"fc4.weight", "fc4.bias"}:
        assert np.array_equal(first[name].numpy(), old[name]), name


def test_a_network_without_a_head_gets_the_one_that_is_asked_for() -> None:
    module = network(weights(HEADLESS), num_classes=3, head="average", seed=0)
    assert module(images()).shape == (2, 3)
    with pytest.raises(ValueError, match="it has no head to give 3 classes; choose one"):
        network(weights(HEADLESS), num_classes=3)
    three = network(weights(FULLY_CONNECTED), head="average", seed=0)  # another head
    assert three.spec.num_classes == 7
    assert np.array_equal(three.conv1_1.weight.detach(), random_state(HEADLESS)["conv1_1.weight"])
    assert not three.fc3.weight.is_meta


@pytest.mark.parametrize(
    ("names", "frozen"),
    [
        ((), set()),
        ("conv1_1", {"conv1_1", "bn1_1"}),
        (["conv2"], {"conv2_1", "conv2_2", "bn2_1", "bn2_2"}),
        (["conv[1]_2", "fc3"], {"conv1_2", "bn1_2", "fc3"}),
        (["bn1_1"], {"bn1_1"}),
        ("features", {f"{kind}{i}_{j}" for kind in ("conv", "bn") for i in (1, 2) for j in (1, 2)}),
    ],
)
def test_layers_are_frozen_by_name(names: str | list[str], frozen: set[str]) -> None:
    every = trainable(Network(EVERYTHING))
    module = network(weights(EVERYTHING), freeze=names)
    assert trainable(module) == every - frozen
    assert set(module.frozen) == frozen
    before = {name: each.clone() for name, each in module.state_dict().items()}
    optimizer = torch.optim.SGD([each for each in module.parameters() if each.requires_grad], 0.1)
    module(images(4, side=24)).square().sum().backward()
    optimizer.step()
    changed = {
        name.rpartition(".")[0]
        for name, each in module.state_dict().items()
        if not torch.equal(each, before[name])
    }
    assert changed == every - frozen  # the statistics of a frozen batch norm stay, too
    module.freeze(())
    assert trainable(module) == every


def test_everything_can_be_frozen_and_gives_gradients_in_the_picture() -> None:
    module = network(weights(HEADLESS), freeze="*")
    assert trainable(module) == set()
    pictures = images().requires_grad_()
    module.features(pictures, ["relu1_1"])["relu1_1"].sum().backward()
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0


def test_names_that_no_layer_with_weights_has() -> None:
    with pytest.raises(ValueError, match=r"no layer with weights is called") as caught:
        network(weights(AVERAGE), freeze=["conv1", "conv9", "pool1"])
    assert "called 'conv9', 'pool1': there are conv1_1, conv2_1, fc3; a stage" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_network_becomes_weights_again(tmp_path: Path) -> None:
    module = network(weights(EVERYTHING), num_classes=2, seed=0).eval()
    path = tmp_path / "mine.safetensors"
    own_file.save(path, module.to_weights(PREPROCESS, ["tabby, mine", "n02123045"]))
    read = own_file.load(path)
    assert read.labels == (Label(0, "", "tabby, mine"), Label(1, "n02123045", "tabby, tabby cat"))
    assert read.preprocessing == PREPROCESS
    logits = vggnet.load(path, engine="numpy").logits(images(side=24).numpy())
    assert relative_error(logits, module(images(side=24)).detach().numpy()) < 1e-5
    same = module.to_weights(PREPROCESS, read.labels)
    assert same.labels == read.labels
    with pytest.raises(ValueError, match="1 labels for 2 classes"):
        module.to_weights(PREPROCESS, ["one"])
    for neither in ([0, 1], [b"one", b"two"], ["one", read.labels[1]]):
        with pytest.raises(ValueError, match="must be texts, or Labels, one a class"):
            module.to_weights(PREPROCESS, neither)  # type: ignore[arg-type]
    with torch.no_grad():
        module.fc4.bias += 1
    assert not np.array_equal(same.state["fc4.bias"], module.fc4.bias.detach())


def test_weights_of_another_type_become_float32() -> None:
    doubled = replace(weights(AVERAGE), state=random_state(AVERAGE, dtype=np.float64))
    assert {each.dtype for each in network(doubled).parameters()} == {torch.float32}


PLAIN = Spec("plain", ("conv3-16 conv3-32", "maxpool", "conv3-48", "maxpool", "FC-20 FC-7"), 20)
NORMED = Spec(
    "normed", ("conv3-16 conv3-32", "maxpool", "conv3-48", "avgpool FC-7"), 19, batch_norm=True
)
SMALL = [
    (PLAIN, 3),
    (NORMED, 3),
    (Spec("33", ("conv3-33 conv3-48", "maxpool", "conv3-48", "avgpool FC-7"), 19), 1),
    (configuration("D").scaled(1 / 4, 32, 7), 2),
]


@pytest.mark.parametrize(("spec", "pictures"), SMALL, ids=lambda each: getattr(each, "name", each))
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_gradients_of_whole_networks_by_the_native_engine(
    spec: Spec, pictures: int, order: torch.memory_format
) -> None:
    network = Network(spec, seed=1, dropout=0, convolutions="native").to(memory_format=order)
    oracle = Network(spec, seed=1, dropout=0, convolutions="torch").double()
    images = torch.from_numpy(random_images(pictures, spec.input_size, spec.input_size))
    runs = []
    for each in (network, oracle):
        given = images.to(next(each.parameters()).dtype, copy=True).requires_grad_()
        logits = each(given)
        torch.nn.functional.cross_entropy(logits, torch.arange(pictures) % 7).backward()
        runs.append({"logits": logits, "images": given.grad})
        runs[-1] |= {name: parameter.grad for name, parameter in each.named_parameters()}
        runs[-1] |= dict(each.named_buffers())
    for name, right in runs[1].items():
        if spec.batch_norm and name.startswith("conv") and name.endswith("bias"):
            assert runs[0][name].abs().max() < 1e-6  # the norm takes any constant away
        else:
            assert relative_error(runs[0][name].detach(), right.detach()) < 1e-5, name


def test_layers_that_are_looked_at_are_run_one_by_one() -> None:
    network = Network(NORMED, seed=1, convolutions="native")
    images = torch.from_numpy(random_images(3, 19, 19))
    names = [layer.name for layer in NORMED.layers]
    together = network(images)
    apart = network.features(images, names)
    assert relative_error(apart[NORMED.logits_layer].detach(), together.detach()) < 1e-5
    assert apart["bn1_2"].min() < 0
    torch.testing.assert_close(apart["relu1_2"], apart["bn1_2"].clamp(min=0))
    torch.testing.assert_close(apart["pool1"], torch.nn.functional.max_pool2d(apart["relu1_2"], 2))
    seen: list[str] = []
    handle = network.relu1_2.register_forward_hook(lambda *_: seen.append("relu1_2"))
    torch.testing.assert_close(network(images), together)
    assert seen == ["relu1_2"]
    handle.remove()
    network.relu1_2 = torch.nn.Identity()
    assert relative_error(network(images).detach(), together.detach()) > 1e-3


def test_who_computes_the_convolutions(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.from_numpy(random_images(2, 20, 20))
    grad_fns = {}
    for how in ("auto", "native", "torch"):
        found = Network(PLAIN, seed=1, convolutions=how).features(images, ["conv1_1", "conv1_2"])
        grad_fns[how] = [found[name].grad_fn.name() for name in found]
    assert grad_fns["torch"] == ["ConvolutionBackward0"] * 2
    assert grad_fns["native"] == grad_fns["auto"] == ["_ConvolutionBackward"] * 2
    with pytest.raises(ValueError, match="convolutions 'mkl' must be one of auto, native, torch"):
        Network(PLAIN, convolutions="mkl")
    monkeypatch.setattr(native_kernels, "absence", lambda: "it was not built")
    with pytest.raises(ValueError, match="convolutions 'native': it was not built"):
        Network(PLAIN, convolutions="native")
    found = Network(PLAIN, seed=1).features(images, ["conv1_2"])
    assert found["conv1_2"].grad_fn.name() == "ConvolutionBackward0"


def test_a_network_in_float64_or_under_autocast_is_torch_s() -> None:
    images = torch.from_numpy(random_images(2, 20, 20))
    network = Network(PLAIN, seed=1)
    twin = Network(PLAIN, seed=1, convolutions="torch")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.eval()(images), twin.eval()(images))
    assert torch.equal(network.double()(images.double()), twin.double()(images.double()))
