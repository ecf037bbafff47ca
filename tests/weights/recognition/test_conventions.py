"""Each convention against a net that is written down by the letter of its converters."""

from dataclasses import replace

import numpy as np
import pytest
from comparison import relative_error
from published_forms import (
    FORMS,
    PREPROCESS,
    contents,
    flipped,
    in_form,
    keras,
    small,
    tensorflow_vgg,
    torchvision,
)
from small_nets import random_state

from vggnet.configurations import configuration
from vggnet.engines.reference import ReferenceEngine
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights.export.convert import in_convention, stored_arrays
from vggnet.weights.files import weights_of
from vggnet.weights.published.catalog import CATALOG
from vggnet.weights.recognition.conventions import CONVENTIONS, Convention, convention
from vggnet.weights.recognition.recognise import recognise
from vggnet.weights.weights import State, Weights

WITH_BATCH_NORM = ("torchvision", "timm")
PICTURE = np.random.default_rng(3).integers(0, 256, (80, 90, 3), dtype=np.uint8)


def read(spec: Spec, state: State, name: str) -> Weights:
    found = in_form(name, spec, dict(state))
    return weights_of(found, recognise(found, "net"), "net")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("configuration_name", ["A", "D"])
def test_a_net_is_read_to_the_bit(name: str, configuration_name: str) -> None:
    spec = small(configuration_name)
    state = random_state(spec)
    weights = read(spec, state, name)
    assert weights.spec == spec
    assert weights.training["convention"] == name
    side = spec.input_size
    assert weights.preprocessing == PREPROCESS[name](round(side * 256 / 224), side)
    if weights.preprocessing.colour_order == "BGR":
        state = flipped(state)
    for canonical, array in state.items():
        assert np.array_equal(weights.state[canonical], array), canonical


@pytest.mark.parametrize("name", WITH_BATCH_NORM)
@pytest.mark.parametrize("configuration_name", ["A-BN", "D-BN"])
def test_batch_norm_is_read_to_the_bit(name: str, configuration_name: str) -> None:
    spec = small(configuration_name)
    state = random_state(spec)
    weights = read(spec, state, name)
    assert weights.spec == spec
    assert all(np.array_equal(weights.state[each], state[each]) for each in state)


@pytest.mark.parametrize("configuration_name", ["A", "D"])
def test_a_photograph_gets_the_same_logits_in_every_form(configuration_name: str) -> None:
    """Oxford's range in R, G, B; in B, G, R; and torchvision's, folded into the first layer."""
    spec = small(configuration_name)
    state = random_state(spec)
    state["conv1_1.weight"] = state["conv1_1.weight"] / 64  # for pixels of 0..255
    original = Weights(spec, state, Preprocess.paper(73, 64))
    expected = logits(original)
    assert np.ptp(expected) > 0.1
    for name in FORMS:
        ready, _ = in_convention(original, CONVENTIONS[name])
        found = read(spec, in_rgb(ready), name)
        mean = ready.preprocessing.mean  # torchvision's is another one, which a file does not hold
        found = replace(found, preprocessing=replace(found.preprocessing, mean=mean))
        assert relative_error(logits(found), expected) < 1e-5, name


def test_a_form_in_another_order_of_colours_gives_other_logits() -> None:
    spec = small("A")
    weights = read(spec, random_state(spec), "oxford")
    wrong = replace(weights, preprocessing=replace(weights.preprocessing, colour_order="RGB"))
    assert relative_error(logits(wrong), logits(weights)) > 1e-2


def in_rgb(weights: Weights) -> State:
    state = dict(weights.state)
    return flipped(state) if weights.preprocessing.colour_order == "BGR" else state


def logits(weights: Weights) -> np.ndarray:
    engine = ReferenceEngine(weights.spec, weights.state)
    return engine(weights.preprocessing(PICTURE)[np.newaxis])


@pytest.mark.parametrize("name", FORMS)
def test_what_is_written_is_what_the_converters_write(name: str) -> None:
    spec = small("D")
    state = random_state(spec)
    ready = Weights(spec, flipped(state) if is_bgr(name) else state, PREPROCESS[name]())
    written = stored_arrays(ready, CONVENTIONS[name])
    expected = {each: a.load() for each, a in in_form(name, spec, state).arrays.items()}
    assert list(written) == list(expected)
    for array_name, array in expected.items():
        found = written[array_name]
        assert np.array_equal(found.reshape(array.shape), array), array_name
        if name not in ("oxford", "matconvnet"):  # which had biases, or all, of four axes
            assert found.shape == array.shape


def is_bgr(name: str) -> bool:
    return CONVENTIONS[name].preprocessing.colour_order == "BGR"


def test_torchvision_names_of_every_depth() -> None:
    last_ones = {
        "vgg11": 18, "vgg13": 22, "vgg19": 34, "vgg11_bn": 26, "vgg13_bn": 32, "vgg19_bn": 50,
    }  # fmt: skip
    for name, last in last_ones.items():
        names = CONVENTIONS["torchvision"].stored_names(configuration(name))
        positions = [int(each.split(".")[1]) for each in names.values() if "features" in each]
        assert max(positions) == last
        assert names["fc6.weight"] == "classifier.0.weight"


@pytest.mark.parametrize("head", [(0, 3, 6), (1, 4, 6)])
@pytest.mark.parametrize("prefix", ["", "module.", "state_dict.model.", "net.vgg."])
def test_numbering_of_the_classifier_and_prefixes(head: tuple[int, ...], prefix: str) -> None:
    spec = small("A-BN")
    state = random_state(spec)
    arrays = {prefix + n: a for n, a in torchvision(spec, state, head).items()}
    found = contents(arrays)
    weights = weights_of(found, recognise(found, "net"), "net")
    assert weights.spec == spec
    assert all(np.array_equal(weights.state[each], state[each]) for each in state)


def test_of_two_nets_in_a_file_one_is_read_and_not_a_mixture() -> None:
    spec = small("A")
    first, second = random_state(spec, 1), random_state(spec, 2)
    arrays = {f"model.{n}": a for n, a in torchvision(spec, first).items()}
    arrays |= {f"ema.{n}": a for n, a in torchvision(spec, second).items()}
    found = contents(arrays)
    weights = weights_of(found, recognise(found, "net"), "net")
    assert all(np.array_equal(weights.state[each], first[each]) for each in first)


@pytest.mark.parametrize("parts", [("0", "1"), ("weights", "biases")])
def test_dictionaries_of_tensorflow_vgg(parts: tuple[str, str]) -> None:
    spec = small("A")
    found = contents(tensorflow_vgg(spec, random_state(spec), parts), "NumPy .npy")
    recognition = recognise(found, "net")
    assert (recognition.convention, recognition.spec) == ("tensorflow-vgg", spec)


@pytest.mark.parametrize("template", [
    "{0}/{0}_{1}_1:0", "{0}/{0}/{1}:0", "model_weights/{0}/{0}/{1}:0", "{0}/{1}",
    "model_weights/{0}/vgg16/{0}/{1}",
])  # fmt: skip
def test_names_of_every_keras(template: str) -> None:
    spec = small("D")
    found = contents(keras(spec, random_state(spec), template))
    recognition = recognise(found, "net")
    assert (recognition.convention, recognition.spec) == ("keras", spec)
    assert recognition.preprocessing.colour_order == "BGR"


def test_a_convention_has_a_name_and_aliases() -> None:
    assert isinstance(convention("caffe"), Convention)
    assert convention("caffe") is convention("oxford")
    with pytest.raises(ValueError, match=r"'chainer' must be one of vggnet, torchvision, "):
        convention("chainer")


def test_every_convention_has_a_test() -> None:
    assert set(CONVENTIONS) == {*FORMS, "vggnet", "torchvision-features"}


def test_the_catalog_s_files_are_in_conventions_that_are_known() -> None:
    assert {file.convention for file in CATALOG.values()} <= set(CONVENTIONS)


def test_of_several_nets_the_one_with_the_most_arrays_comes_first() -> None:
    form = convention("torchvision").forms[0]
    few = [f"part.features.0.{name}" for name in ("weight", "bias")]
    more = [f"whole.features.{i}.{name}" for i in (0, 3) for name in ("weight", "bias")]
    assert list(form.nets([*few, *more])) == ["whole", "part"]
