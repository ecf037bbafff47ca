"""What a file is taken for, of nets in memory."""

import json
from dataclasses import replace

import numpy as np
import pytest
from published_forms import FORMS, contents, flipped, in_form, keras, oxford, small, torchvision
from small_nets import random_state

from vggnet.class_lists import labels
from vggnet.configurations import configuration
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights.containers import Contents, StoredArray
from vggnet.weights.recognition.recognise import Recognition, recognise

# Oxford's conv1_1, output 0: the plane of B, and the bias.
BLUE_16 = [[0.42947057, 0.373467, -0.061360113], [0.27476987, 0.038680777, -0.36722335],
           [-0.05746817, -0.26224968, -0.35009676]]  # fmt: skip


def headless(name: str = "A") -> Spec:
    spec = configuration(name)
    return replace(spec, rows=tuple(r for r in spec.rows if "FC" not in r and r != "soft-max"))


def original(depth: int = 16) -> tuple[Spec, dict[str, np.ndarray]]:
    """A net without head, whose first convolution begins as the original release's, in R, G, B."""
    spec = headless({16: "D", 19: "E"}[depth])
    state = {
        name: np.broadcast_to(np.float32(0.01), shape)  # which takes no memory
        for name, shape in spec.state_shapes.items()
    }
    first = {name: state[f"conv1_1.{name}"].copy() for name in ("weight", "bias")}
    if depth == 16:
        first["weight"][0, 2] = BLUE_16
        first["bias"][0] = 0.73429835
    else:
        first["weight"][0, 2, 0, 0] = 0.341195
        first["bias"][0] = 0.7301776
    return spec, state | {f"conv1_1.{name}": array for name, array in first.items()}


def shapes_only(found: Contents) -> Contents:
    """The same, of which nothing but the first convolution and biases can be read."""

    def unreadable(name: str, array: StoredArray) -> StoredArray:
        return replace(array, load=lambda: pytest.fail(f"{name} was read"))

    first = next(iter(found.arrays))
    arrays = {
        name: array if name == first or len(array.shape) == 1 else unreadable(name, array)
        for name, array in found.arrays.items()
    }
    return replace(found, arrays=arrays)


@pytest.mark.parametrize("depth", [16, 19])
@pytest.mark.parametrize("convention", ["frossard", "keras", "tensorflow-vgg", "torchvision"])
def test_the_original_s_first_convolution_tells_the_colours(depth: int, convention: str) -> None:
    spec, state = original(depth)
    for order, stored in (("RGB", state), ("BGR", flipped(state))):
        found = shapes_only(contents(with_form(convention, spec, stored)))
        recognition = recognise(found, "net")
        assert recognition.spec == spec
        assert recognition.preprocessing.colour_order == order
        assert recognition.known_colours
        assert recognition.confidence == "certain"
        assert f"in the order {order}" in " ".join(recognition.evidence)
        asked = recognise(found, "net", colour_order=order[::-1])  # type: ignore[arg-type]
        assert asked.preprocessing.colour_order == order[::-1]


def with_form(convention: str, spec: Spec, state: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if convention in ("frossard", "keras", "tensorflow-vgg"):  # whose helper wants a head
        transposed = {
            name: array.transpose(2, 3, 1, 0) if array.ndim == 4 else array
            for name, array in state.items()
        }
        replaced = {
            "frossard": (("", "_W", "_b"),),
            "tensorflow-vgg": (("", "/0", "/1"),),
        }.get(convention)
        if replaced:
            _, weight, bias = replaced[0]
            return {
                n.replace(".weight", weight).replace(".bias", bias): a
                for n, a in transposed.items()
            }
        return {
            f"block{n[4]}_conv{n[6]}/block{n[4]}_conv{n[6]}_{'W' if 'weight' in n else 'b'}_1:0": a
            for n, a in transposed.items()
        }
    return torchvision(spec, state)


def test_torchvision_s_names_over_the_original_s_numbers_are_its_features() -> None:
    spec, state = original()
    recognition = recognise(contents(torchvision(spec, state)), "net")
    assert recognition.convention == "torchvision-features"
    assert (recognition.preprocessing.scale, recognition.preprocessing.std) == (
        1 / 255,
        (1 / 255,) * 3,
    )
    assert recognition.preprocessing.mean == pytest.approx((0.48235, 0.45882, 0.40784), abs=1e-5)
    asked = recognise(contents(torchvision(spec, state)), "net", "torchvision")
    assert asked.convention == "torchvision"
    assert asked.preprocessing == Preprocess.torchvision()


def test_fc_layers_of_nan_are_left_out() -> None:
    spec = small("A")
    state = random_state(spec)
    state |= {name: np.full_like(a, np.nan) for name, a in state.items() if name[:2] == "fc"}
    recognition = recognise(contents(torchvision(spec, state)), "net")
    assert recognition.spec.num_classes is None
    assert set(recognition.sources) == set(recognition.spec.state_shapes)
    assert "its FC layers hold no numbers: left out" in recognition.evidence
    for name, array in random_state(spec).items():  # damage, which may not pass for that
        if name in ("fc6.bias", "fc7.bias", "fc8.bias"):
            state[name] = np.where(np.arange(len(array)) == 0, np.float32(np.nan), array)
    assert recognise(contents(torchvision(spec, state)), "net").spec == spec


def test_unknown_colours_are_the_usual_ones_or_those_asked_for() -> None:
    spec = small("A")
    found = in_form("keras", spec, random_state(spec))
    usual = recognise(found, "net")
    assert (usual.preprocessing.colour_order, usual.known_colours) == ("BGR", False)
    assert "colour order unknown, BGR is usual here" in usual.evidence[1]
    asked = recognise(found, "net", colour_order="RGB")
    assert (asked.preprocessing.colour_order, asked.known_colours) == ("RGB", True)


@pytest.mark.parametrize("name", ["A", "B", "C", "D", "E", "A-BN", "D-BN"])
def test_the_paper_s_configurations_are_known_by_name(name: str) -> None:
    spec = configuration(name)
    arrays = {
        canonical: StoredArray(shape, np.dtype("f4"), lambda shape=shape: np.zeros(shape, "f4"))
        for canonical, shape in spec.state_shapes.items()
    }
    recognition = recognise(Contents("memory", arrays), "net")
    assert recognition.spec == spec
    assert recognition.convention == "vggnet"
    assert recognition.labels == labels("imagenet-1k")
    assert recognition.num_parameters == sum(
        a.size for n, a in ((n, np.broadcast_to(0, s)) for n, s in spec.state_shapes.items())
        if "running" not in n
    )  # fmt: skip


def test_a_net_of_another_depth_has_a_name_of_its_own() -> None:
    spec = Spec("mine", ("conv3-8 conv1-8", "maxpool", "conv3-9", "maxpool", "FC-5 soft-max"), 12)
    state = random_state(spec)
    recognition = recognise(contents(dict(state)), "net")
    assert recognition.spec.name == "VGG4"
    assert recognition.spec.tokens == spec.tokens
    assert (recognition.spec.input_size, recognition.labels) == (12, ())


def test_one_fc_layer_over_single_pixels_is_a_global_average() -> None:
    spec = configuration("A").scaled(1 / 16, num_classes=10, head="average")
    assert recognise(contents(dict(random_state(spec))), "net").spec == spec


@pytest.mark.parametrize("name", FORMS)
def test_files_without_fc_layers_give_features(name: str) -> None:
    spec = small("D")
    found = in_form(name, spec, random_state(spec))
    kept = {
        n: a for n, a in found.arrays.items()
        if not any(word in n for word in ("fc", "classifier", "predictions"))
    }  # fmt: skip
    recognition = recognise(replace(found, arrays=kept), "net")
    assert recognition.convention in (name, "torchvision")  # timm's features are named the same
    assert recognition.spec.num_classes is None
    assert recognition.spec.rows == tuple(r for r in spec.rows if r[:2] not in ("FC", "so"))
    assert recognition.spec.input_size == 224


def test_what_is_not_used_is_told() -> None:
    spec = small("A")
    arrays = torchvision(spec, random_state(spec)) | {"aux.weight": np.zeros((2, 2), np.float32)}
    assert "1 arrays are not used: aux.weight" in recognise(contents(arrays), "net").evidence


def test_keras_s_tree_without_names_of_layers() -> None:
    spec = small("D")
    arrays: dict[str, np.ndarray] = {}
    for name, array in keras(spec, random_state(spec), "{0}/{1}").items():
        layer, part = name.split("/")
        base = "conv2d" if "conv" in layer else "dense"
        index = sum(base in n for n in arrays) // 2
        suffix = f"_{index}" if index else ""
        arrays[f"layers/{base}{suffix}/vars/{0 if part == 'kernel' else 1}"] = array
    recognition = recognise(contents(arrays), "net")
    assert (recognition.convention, recognition.spec) == ("keras", spec)
    assert recognition.confidence == "guessed"


def test_what_the_file_states_counts() -> None:
    spec = small("A")
    preprocessing = Preprocess(70, 64, 1.0, (1, 2, 3), colour_order="BGR")
    mine = [label.to_json() for label in labels("imagenet-1k")[:7]]
    metadata = {"vggnet_preprocess": json.dumps(preprocessing.to_json()),
                "vggnet_labels": json.dumps(mine)}  # fmt: skip
    arrays = torchvision(spec, random_state(spec))
    recognition = recognise(contents(arrays, **metadata), "net")
    assert recognition.preprocessing == preprocessing
    assert recognition.labels == labels("imagenet-1k")[:7]
    with pytest.raises(ValueError, match=r"^net: broken metadata: vggnet_labels"):
        recognise(contents(arrays, **(metadata | {"vggnet_labels": "["})), "net")
    with pytest.raises(ValueError, match=r"^net: broken metadata: preprocessing lacks"):
        recognise(contents(arrays, vggnet_preprocess="{}"), "net")


def broken(name: str, **changes: np.ndarray | None) -> dict[str, np.ndarray]:
    spec = small("A")
    arrays = {"torchvision": torchvision, "oxford": oxford}[name](spec, random_state(spec))
    for key, array in changes.items():
        arrays.pop(key) if array is None else arrays.update({key: array})
    return arrays


@pytest.mark.parametrize(("name", "changes", "fault"), [
    ("torchvision", {"features.3.bias": None}, "it lacks the bias of features.3"),
    ("torchvision", {"features.3.weight": None, "features.3.bias": None},
     "no convolution is at features.2 or features.3, and one at features.6"),
    ("torchvision", {"classifier.3.weight": None}, "lacks classifier.3"),
    ("torchvision", {"features.3.bias": np.zeros(3, "f4")}, "is (3,) instead of (8,)"),
    ("torchvision", {"features.3.bias": np.zeros(9, "f4")}, "is (9,) instead of (8,)"),
    ("torchvision", {"features.3.weight": np.zeros((8, 4, 5, 5), "f4")}, "features.3 is 5 x 5"),
    ("torchvision", {"features.3.weight": np.zeros((8, 9, 3, 3), "f4")}, "9 channels and is given"),
    ("torchvision", {"features.3.weight": np.zeros((8, 4, 3, 3), "i4")}, "int32, not floating"),
    ("torchvision", {"classifier.0.weight": np.zeros((256, 97), "f4")}, "no square map of 32"),
    ("torchvision", {"classifier.3.weight": np.zeros((40, 97), "f4")}, "97 numbers and is given"),
    ("oxford", {"conv2_1/0": None, "conv2_1/1": None}, "it lacks conv2_1"),
    ("oxford", {"fc7/0": None, "fc7/1": None}, "it lacks fc7"),
])  # fmt: skip
def test_a_net_that_is_not_whole_is_refused_and_the_fault_named(
    name: str, changes: dict[str, np.ndarray | None], fault: str
) -> None:
    with pytest.raises(ValueError, match=r"^net: memory whose \d+ arrays ") as caught:
        recognise(contents(broken(name, **changes)), "net")
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_something_else_is_refused() -> None:
    arrays = {"encoder.layer.0.weight": np.zeros((4, 4), "f4")}
    with pytest.raises(
        ValueError, match=r"1 arrays \(encoder\.layer\.0\.weight\) are no known VGG.*--conv"
    ):
        recognise(contents(arrays), "net")
    with pytest.raises(ValueError, match=r"^net: .*no known VGG's"):
        recognise(contents({}), "net")


def test_a_convention_that_is_asked_for_and_does_not_fit() -> None:
    spec = small("A")
    found = in_form("keras", spec, random_state(spec))
    assert isinstance(recognise(found, "net", "keras"), Recognition)
    with pytest.raises(ValueError, match=r"no known VGG's; none of its names is known"):
        recognise(found, "net", "torchvision")
    with pytest.raises(ValueError, match=r"'lasagne' must be one of"):
        recognise(found, "net", "lasagne")


def test_names_that_do_not_print_leave_one_line() -> None:
    with pytest.raises(ValueError, match=r"\(a\\nb, x+\.\.\.\)") as caught:
        recognise(contents({"a\nb": np.zeros(1, "f4"), "x" * 9999: np.zeros(1, "f4")}), "net")
    assert len(str(caught.value)) < 1000
