"""What else a file may hold, and what may not be passed over."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from published_forms import contents, frossard, keras, matconvnet, small
from published_forms import torchvision as torch_names
from small_nets import random_state

from vggnet.weights import files
from vggnet.weights.containers import onnx_files
from vggnet.weights.export.onnx_network import onnx_graph
from vggnet.weights.recognition.recognise import recognise
from vggnet.weights.recognition.unused import unused_arrays

SPEC = small("A")
STATE = random_state(SPEC)
VECTOR, MATRIX = np.ones(4, np.float32), np.ones((7, 3), np.float32)
TORCH = torch_names(SPEC, STATE)
FROSSARD = frossard(SPEC, STATE)
KERAS = keras(SPEC, STATE, "{0}/{0}/{1}:0")


@pytest.mark.parametrize(("net", "others", "first"), [
    (FROSSARD, {"conv1_1_gamma": VECTOR, "conv1_1_beta": VECTOR}, "conv1_1_gamma"),
    (FROSSARD, {"bn1_1_W": VECTOR}, "bn1_1_W"),
    (FROSSARD, {"scale1_1": VECTOR}, "scale1_1"),
    (FROSSARD, {"se1_1_W": MATRIX}, "se1_1_W"),
    (KERAS, {"batch_normalization/batch_normalization/gamma:0": VECTOR}, "batch_normalization"),
    (KERAS, {"stem/stem/moving_mean:0": VECTOR}, "stem/stem/moving_mean:0"),
    (KERAS, {"p_re_lu/p_re_lu/alpha:0": VECTOR}, "p_re_lu"),
    ({f"layers/{n.split('/')[0]}/vars/{'kb'.index(n.split('/')[2][0])}": a
      for n, a in KERAS.items()}, {"layers/odd/vars/0": VECTOR}, "layers/odd/vars/0"),
    (matconvnet(SPEC, STATE), {"bn1_1/2": MATRIX}, "bn1_1/2"),
    (TORCH, {"classifier.1.weight": VECTOR, "classifier.1.bias": VECTOR}, "classifier.1.weight"),
    (TORCH, {"features.1.weight_scale": VECTOR}, "features.1.weight_scale"),
    ({f"convs.{n}": a for n, a in TORCH.items()}, {"norms.0.weight": VECTOR}, "norms.0.weight"),
])  # fmt: skip
def test_what_may_belong_between_the_layers_is_refused(
    net: dict[str, np.ndarray], others: dict[str, np.ndarray], first: str
) -> None:
    assert recognise(contents(net), "net").spec == SPEC
    with pytest.raises(ValueError, match=r"^net: memory whose \d+ arrays ") as caught:
        recognise(contents(others | net), "net")
    assert f"no layer takes {first}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("net", "others"), [
    (TORCH, {"aux.weight": MATRIX, "classifier.7.weight": MATRIX, "classifier.7.bias": VECTOR}),
    (TORCH, {"ema.classifier.1.running_mean": VECTOR, "optimizer.state.0.exp_avg": VECTOR}),
    ({f"model.{n}": a for n, a in TORCH.items()}, {"decoder.0.weight": MATRIX, "mean": VECTOR}),
    (KERAS, {"dense_1/dense_1/kernel:0": MATRIX, "dense_1/dense_1/bias:0": VECTOR}),
    ({f"model_weights/{n}": a for n, a in KERAS.items()}, {"optimizer_weights/param_1": VECTOR}),
    (FROSSARD, {"conv1_1_W/Adam": VECTOR, "logits_W": MATRIX, "logits_b": VECTOR}),
])  # fmt: skip
def test_what_lies_outside_the_net_is_passed_over_and_told(
    net: dict[str, np.ndarray], others: dict[str, np.ndarray]
) -> None:
    recognition = recognise(contents(others | net), "net")
    assert recognition.spec == SPEC
    assert f"{len(others)} arrays are not used: {', '.join(others)}" in recognition.evidence


def test_a_head_of_its_own_leaves_the_features() -> None:
    net = {f"vgg_bn.{n}": a for n, a in TORCH.items() if n.startswith("features")}
    head = {"vgg_bn.classifier.2.weight": MATRIX, "vgg_bn.classifier.5.running_mean": VECTOR}
    assert recognise(contents(head | net), "net").spec.num_classes is None
    with pytest.raises(ValueError, match=r"no layer takes vgg_bn\.neck\.norm, without"):
        recognise(contents({"vgg_bn.neck.norm": VECTOR} | net), "net")


def test_a_number_alone_makes_no_copy() -> None:
    features = {f"convs.{n}": a for n, a in TORCH.items() if n.startswith("features")}
    with pytest.raises(ValueError, match=r"no layer takes norms\.0\.weight"):
        recognise(contents({"norms.0.weight": VECTOR} | features), "net")
    copy = {n.replace("convs.", "ema."): a for n, a in features.items()}
    assert recognise(contents(features | copy), "net").notes == ()


def test_a_copy_of_the_net_with_its_norms_is_passed_over() -> None:
    spec = small("A-BN")
    arrays = torch_names(spec, random_state(spec))
    both = {f"{prefix}{n}": a for prefix in ("online.", "target.") for n, a in arrays.items()}
    assert recognise(contents(both), "net").spec == spec


def test_counters_and_whole_numbers_are_no_layer_s() -> None:
    found = contents({"bn.count": np.array(3.0), "bn.steps": np.arange(3), "bn.mean": VECTOR})
    assert unused_arrays(found, set()) == ["bn.mean"]


def test_where_a_graph_says_what_is_taken_names_do_not_count(tmp_path: Path) -> None:
    graph = onnx_graph(SPEC, STATE)
    more = replace(graph, initialisers={**graph.initialisers, "norm.of": VECTOR})
    onnx_files.write(tmp_path / "net.onnx", more)
    assert "1 arrays are not used: norm.of" in files.inspect(tmp_path / "net.onnx").evidence
