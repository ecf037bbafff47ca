import pytest
from published_forms import TORCHVISION, small

from vggnet.configurations import configuration
from vggnet.weights.recognition.naming import ByOrder, ByPosition, ByStage, Sketch, Unfit

HEAD = ("classifier.0", "classifier.3", "classifier.6")
STAGES = ByStage("block{stage}_conv{index}", head=("fc1", "fc2", "predictions"))


@pytest.mark.parametrize("name", TORCHVISION)
def test_positions_are_torchvision_s_in_both_directions(name: str) -> None:
    scheme = ByPosition(HEAD)
    names = scheme.layer_names(small(name))
    convolutions = [each for layer, each in names.items() if layer.startswith("conv")]
    assert convolutions == [f"features.{position}" for position in TORCHVISION[name]]
    axes = {each: 1 if layer.startswith("bn") else 4 for layer, each in names.items()}
    sketch = scheme.sketch(axes)
    assert sketch.convolutions == tuple(convolutions)
    sizes = [2, 2, 3, 3, 3] if name.startswith("D") else None
    assert sizes is None or [len(stage) for stage in sketch.stages] == sizes
    assert sketch.matrices == HEAD
    assert bool(sketch.norms) == name.endswith("BN")


@pytest.mark.parametrize(("axes", "fault"), [
    ({"features.1": 4}, "no convolution is at features.0 or features.1, and one at features.1"),
    ({"features.0": 4, "features.2": 1}, "features.2 follows no convolution"),
    ({"features.0": 4, "features.1": 1, "features.3": 4}, "1 batch norms for 2 convolutions"),
    ({"features.0": 4, "features.5": 4}, "no convolution is at features.2 or features.3"),
    ({"features.0": 4, "classifier.0": 2}, "it has classifier.0 and lacks classifier.3"),
    ({"classifier.0": 2, "classifier.3": 2, "classifier.6": 2}, "it has no convolutions"),
])  # fmt: skip
def test_positions_that_are_no_vgg_s(axes: dict[str, int], fault: str) -> None:
    with pytest.raises(Unfit, match=fault.replace(".", r"\.")):
        ByPosition(HEAD).sketch(axes)


def test_names_by_stage_in_both_directions() -> None:
    names = STAGES.layer_names(small("A"))
    assert names["conv3_2"] == "block3_conv2"
    assert (names["fc6"], names["fc8"]) == ("fc1", "predictions")
    sketch = STAGES.sketch(dict.fromkeys(names.values(), 4))
    assert sketch.stages[2] == ("block3_conv1", "block3_conv2")
    assert sketch.matrices == ("fc1", "fc2", "predictions")


@pytest.mark.parametrize(("names", "fault"), [
    (("block1_conv2",), "it lacks block1_conv1"),
    (("block1_conv1", "block3_conv1"), "it lacks block2_conv1"),
    (("block1_conv1", "fc1", "fc2"), "it has fc1, fc2 and lacks predictions"),
    (("fc1", "fc2", "predictions"), "it has no convolutions"),
])  # fmt: skip
def test_stages_that_are_not_whole(names: tuple[str, ...], fault: str) -> None:
    with pytest.raises(Unfit, match=fault):
        STAGES.sketch(dict.fromkeys(names, 4))


def test_fc_layers_that_a_fine_tuned_net_has_renamed() -> None:
    scheme = ByStage("conv{stage}_{index}")
    layers = dict.fromkeys(("conv1_1", "fc6", "fc7", "fc8_flickr"), 4)
    assert scheme.sketch(layers).matrices == ("fc6", "fc7", "fc8_flickr")
    del layers["fc7"]
    with pytest.raises(Unfit, match="it lacks fc7"):
        scheme.sketch(layers)


def test_names_by_order() -> None:
    scheme = ByOrder()
    names = scheme.layer_names(small("A"))
    assert (names["conv1_1"], names["conv5_2"], names["fc8"]) == ("conv2d", "conv2d_7", "dense_2")
    sketch = scheme.sketch(dict.fromkeys(reversed(names.values()), 4))
    assert not sketch.pooled
    assert sketch.convolutions[:2] == ("conv2d", "conv2d_1")
    with pytest.raises(Unfit, match="it lacks conv2d_1"):
        scheme.sketch({"conv2d": 4, "conv2d_2": 4})


def test_one_fc_layer_has_the_name_of_the_last() -> None:
    spec = small("A").scaled(head="average")
    assert ByPosition(HEAD).layer_names(spec)["fc6"] == "classifier.6"
    assert STAGES.layer_names(spec)["fc6"] == "predictions"


def test_layers_without_a_name_are_refused() -> None:
    lrn, alexnet = configuration("A-LRN"), configuration("AlexNet")
    with pytest.raises(Unfit, match="it has no name for norm1_1"):
        ByPosition(HEAD).layer_names(lrn)
    with pytest.raises(Unfit, match="it has no name for conv1"):
        STAGES.layer_names(alexnet)
    with pytest.raises(Unfit, match="it has no name for bn1_1"):
        STAGES.layer_names(configuration("A-BN"))


def test_a_sketch_has_convolutions() -> None:
    assert Sketch((("a", "b"), ("c",))).convolutions == ("a", "b", "c")
    for stages in ((), (("a",), ())):
        with pytest.raises(Unfit, match="it has no convolutions"):
            Sketch(stages)
