"""vggnet.configurations: the rows of Table 1, and the names that people give them."""

import pytest
from table_1 import STAGES, WEIGHT_LAYERS, WIDTHS

from vggnet.configurations import configuration, configuration_names
from vggnet.spec import Spec

EVERY_NAME = (*STAGES, "AlexNet", "vgg11", "vgg13", "vgg16", "vgg19")
D = configuration("D")


@pytest.mark.parametrize("name", STAGES)
def test_configurations_are_those_of_table_1(name: str) -> None:
    layers = configuration(name).layers
    convolutions = [layer for layer in layers if layer.kind == "conv"]
    expected = [
        (f"conv{stage}_{index}", width, kernel, 1, kernel // 2)
        for stage, (kernels, width) in enumerate(zip(STAGES[name], WIDTHS, strict=True), 1)
        for index, kernel in enumerate(kernels, 1)
    ]
    found = [(c.name, c.output[0], c.kernel, c.stride, c.padding) for c in convolutions]
    assert found == expected
    pools = [(p.name, p.kernel, p.stride) for p in layers if p.kind == "maxpool"]
    assert pools == [(f"pool{stage}", 2, 2) for stage in range(1, 6)]
    assert [(f.name, f.output) for f in layers if f.kind == "fc"] == [
        ("fc6", (4096, 1, 1)), ("fc7", (4096, 1, 1)), ("fc8", (1000, 1, 1))
    ]  # fmt: skip
    assert len(convolutions) + 3 == WEIGHT_LAYERS[name]
    norms = [layer.name for layer in layers if layer.kind == "lrn"]
    assert norms == (["norm1_1"] if name == "A-LRN" else [])


@pytest.mark.parametrize(
    ("familiar", "paper"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16", "D"), ("vgg19", "E")]
)
def test_familiar_names(familiar: str, paper: str) -> None:
    assert configuration(familiar) == configuration(paper) == configuration(familiar.upper())
    with_norm = configuration(f"{familiar}_bn")
    assert with_norm == configuration(f"{paper}-BN") == configuration(f"{familiar}-BN")
    assert with_norm.batch_norm
    assert with_norm.name == f"{paper}-BN"
    assert with_norm.rows == configuration(paper).rows
    assert with_norm.layer_names[:3] == ("conv1_1", "bn1_1", "relu1_1")
    norms = [name[2:] for name in with_norm.layer_names if name.startswith("bn")]
    assert norms == [name[4:] for name in with_norm.layer_names if name.startswith("conv")]


def test_every_name_is_listed_and_known() -> None:
    assert configuration_names() == EVERY_NAME
    assert configuration("a-lrn").name == "A-LRN"
    assert configuration("alexnet").name == "AlexNet"
    assert configuration("alexnet_bn").name == "AlexNet-BN"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("VGG16", "D"),
        ("VGG-16", "D"),
        ("vgg_16", "D"),
        (" Vgg 16 ", "D"),
        ("VGG16_bn", "D-BN"),
        ("vgg16bn", "D-BN"),
        ("VGG-19-BN", "E-BN"),
        ("VGG-D", "D"),
        ("vgg_a_lrn", "A-LRN"),
        ("a_lrn", "A-LRN"),
        ("B", "B"),
        ("B-BN", "B-BN"),
        ("bbn", "B-BN"),
        ("Alex-Net", "AlexNet"),
        ("alexnetbn", "AlexNet-BN"),
    ],
)
def test_common_spellings(written: str, name: str) -> None:
    spec = configuration(written)
    assert (spec.name, spec.batch_norm) == (name, name.endswith("-BN"))
    assert spec == configuration(name)


def test_a_net_of_ones_own_is_spelled_out() -> None:
    spec = configuration(" conv11-8/4p0 LRN / maxpool3/2 /  conv3-9\n/ FC-10 soft-max")
    rows = ("conv11-8/4p0 LRN", "maxpool3/2", "conv3-9", "FC-10 soft-max")
    assert spec == Spec("custom", rows)
    assert configuration(" conv3-8") == Spec("custom", ("conv3-8",))
    with pytest.raises(ValueError, match="did you mean conv3-64, maxpool"):
        configuration("conv-64 / maxpol")  # it need not begin as a token does
    with pytest.raises(ValueError, match="spec 'custom': bad token 'pool'"):
        configuration("conv3-8 / pool")


@pytest.mark.parametrize(
    ("written", "suggestion"),
    [
        ("vg16", "did you mean vgg16? there are A,"),
        ("VGG-166_bn", "did you mean vgg16? there are A,"),
        ("alexnt", "did you mean AlexNet? there are A,"),
        ("vgg17", "there are A,"),  # as near to four of them
        ("resnet50", "there are A,"),
        ("", "there are A,"),
        ("bn", "there are A,"),
    ],
)
def test_the_nearest_name_is_suggested(written: str, suggestion: str) -> None:
    with pytest.raises(ValueError, match="configuration") as caught:
        configuration(written)
    assert str(caught.value).startswith(f"no configuration {written!r}: {suggestion}")


def test_unknown_configuration() -> None:
    with pytest.raises(ValueError, match="configuration") as caught:
        configuration("vgg17")
    assert str(caught.value) == (
        "no configuration 'vgg17': there are A, A-LRN, B, C, D, E, AlexNet, vgg11, vgg13, vgg16, "
        "vgg19 (each also with -BN or _bn)"
    )
