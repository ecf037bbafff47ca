"""Table 1 as data: names, variations, JSON, and what is said of rows that are no network."""

import json
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from table_1 import STAGES, WEIGHT_LAYERS

from vggnet.configurations import configuration
from vggnet.layers import nearest_token
from vggnet.spec import Spec, SpecError

EVERY_NAME = (*STAGES, "AlexNet", "vgg11", "vgg13", "vgg16", "vgg19")
D = configuration("D")


def average_head(spec: Spec) -> Spec:
    return spec.scaled(head="average")


def test_names_of_d_are_those_of_the_original_release() -> None:
    assert " ".join(D.layer_names) == (
        "conv1_1 relu1_1 conv1_2 relu1_2 pool1 conv2_1 relu2_1 conv2_2 relu2_2 pool2 "
        "conv3_1 relu3_1 conv3_2 relu3_2 conv3_3 relu3_3 pool3 "
        "conv4_1 relu4_1 conv4_2 relu4_2 conv4_3 relu4_3 pool4 "
        "conv5_1 relu5_1 conv5_2 relu5_2 conv5_3 relu5_3 pool5 "
        "fc6 relu6 drop6 fc7 relu7 drop7 fc8 prob"
    )
    assert D.logits_layer == "fc8"
    assert " ".join(configuration("AlexNet").layer_names) == (
        "conv1 relu1 norm1 pool1 conv2 relu2 norm2 pool2 conv3 relu3 conv4 relu4 conv5 relu5 pool5 "
        "fc6 relu6 drop6 fc7 relu7 drop7 fc8 prob"
    )


def test_state_shapes() -> None:
    shapes = D.state_shapes
    assert len(shapes) == 32
    assert next(iter(shapes)) == "conv1_1.weight"
    assert shapes["conv1_1.weight"] == (64, 3, 3, 3)
    assert shapes["conv1_1.bias"] == (64,)
    assert shapes["fc6.weight"] == (4096, 512 * 7 * 7)
    assert shapes["fc8.bias"] == (1000,)
    assert configuration("C").state_shapes["conv3_3.weight"] == (256, 256, 1, 1)
    assert configuration("AlexNet").state_shapes["conv1.weight"] == (96, 3, 11, 11)
    norm = {k: v for k, v in configuration("A-BN").state_shapes.items() if k.startswith("bn1_1")}
    parts = ("weight", "bias", "running_mean", "running_var")
    assert norm == {f"bn1_1.{part}": (64,) for part in parts}


def test_tokens_spell_out_kernel_stride_and_padding() -> None:
    spec = Spec("mine", ("conv11-96/4p0 LRN", "maxpool3/2", "conv5-8", "conv3-8p0"), 227)
    layers = {layer.name: layer for layer in spec.layers}
    assert layers["conv1_1"].output == (96, 55, 55)
    assert layers["pool1"].output == (96, 27, 27)
    assert (layers["conv2_1"].padding, layers["conv2_1"].output) == (2, (8, 27, 27))
    assert layers["conv2_2"].output == (8, 25, 25)
    even = Spec("even", ("conv4-8",), 10).layers[0]
    assert (even.padding, even.output) == (2, (8, 11, 11))


def test_a_linear_convolution_has_no_relu() -> None:
    spec = Spec("mine", ("conv3-8-linear conv5-8/2p1-linear conv3-8", "maxpool"), 16, True)
    names = "conv1_1 bn1_1 conv1_2 bn1_2 conv1_3 bn1_3 relu1_3 pool1"
    assert spec.layer_names == tuple(names.split())
    assert spec.scaled(0.5).rows[0] == "conv3-4-linear conv5-4/2p1-linear conv3-4"


def test_fully_connected_layers_as_windows_take_larger_pictures() -> None:
    rows = ("conv3-8", "maxpool", "FC4-16 FC1-10", "soft-max")
    spec = Spec("dense", rows, 8)
    assert spec.any_size
    assert spec.num_classes == 10
    assert spec.state_shapes["fc2.weight"] == (16, 8, 4, 4)
    assert spec.layers[-2].output == (10, 1, 1)
    assert spec.layers_at(12, 16)[-2].output == (10, 3, 5)


def test_width_scales_every_layer_but_the_last() -> None:
    half = D.scaled(width=0.5)
    channels = [layer.output[0] for layer in half.layers if layer.kind in ("conv", "fc")]
    assert channels == [32, 32, 64, 64, *[128] * 3, *[256] * 6, 2048, 2048, 1000]
    assert "conv3-154" in D.scaled(width=0.3).tokens  # of 153.6
    smallest = D.scaled(width=1e-9)
    assert {layer.output[0] for layer in smallest.layers if layer.kind == "conv"} == {1}
    assert D.scaled() == D


def test_scaled_changes_size_classes_and_head() -> None:
    small = D.scaled(0.5, 64, 200, "average")
    assert (small.input_size, small.num_classes, small.any_size) == (64, 200, True)
    assert small.layer_names[-4:] == ("pool5", "avgpool", "fc6", "prob")
    assert small.state_shapes["fc6.weight"] == (200, 256)
    assert small.state_shapes["conv5_3.weight"] == (256, 256, 3, 3)
    back = small.scaled(head="fc")
    assert back.tokens[-4:] == ("FC-4096", "FC-4096", "FC-200", "soft-max")
    assert D.scaled(num_classes=10).rows == (*D.rows[:-2], "FC-10", "soft-max")
    assert D.scaled(input_size=64).state_shapes["fc6.weight"] == (4096, 512 * 2 * 2)
    assert D.scaled(batch_norm=True).layer_names == configuration("vgg16_bn").layer_names
    assert configuration("vgg16_bn").scaled(0.5).batch_norm


def test_a_net_without_a_head_gets_a_thousand_classes_with_its_first() -> None:
    body = Spec("body", ("conv3-8", "maxpool"), 32)
    assert body.num_classes is None
    assert body.logits_layer == "pool1"
    assert body.scaled(width=2).tokens == ("conv3-16", "maxpool")
    assert body.scaled(head="average").num_classes == 1000


@pytest.mark.parametrize("name", [*STAGES, "AlexNet"])
def test_minimum_size_is_the_smallest_that_works(name: str) -> None:
    spec = average_head(configuration(name))

    def works(size: int) -> bool:
        try:
            return bool(spec.scaled(input_size=size).layers)
        except ValueError:
            return False

    assert next(size for size in range(1, 100) if works(size)) == spec.minimum_size
    assert spec.minimum_size == (67 if name == "AlexNet" else 32)


def test_which_nets_take_any_size() -> None:
    assert not D.any_size
    assert average_head(D).any_size
    assert Spec("body", ("conv3-8", "maxpool")).any_size
    assert D.layers_at(224, 224) is D.layers
    shapes = {layer.name: layer.output for layer in average_head(D).layers_at(96, 65)}
    assert (shapes["pool5"], shapes["avgpool"]) == ((512, 3, 2), (512, 1, 1))
    assert average_head(D).layers_at(32, 32)[-1].name == "prob"
    with pytest.raises(ValueError, match="must be at least 32 x 32, not 31 x 40"):
        average_head(D).layers_at(31, 40)
    # At 32 pixels fc6 sees a 1x1 map, yet its weights fit no other size.
    smallest = D.scaled(input_size=32)
    assert not smallest.any_size
    with pytest.raises(ValueError, match="its FC layers take 32 x 32"):
        smallest.layers_at(64, 64)


@pytest.mark.parametrize("name", EVERY_NAME)
def test_json_round_trip(name: str) -> None:
    for spec in (configuration(name), configuration(name).scaled(0.3, 96, 7, "average", True)):
        back = Spec.from_json(json.loads(json.dumps(spec.to_json())))
        assert back == spec
        assert hash(back) == hash(spec)
        assert back.layers == spec.layers


def test_json_of_the_first_files_has_no_version() -> None:
    values = D.to_json()
    assert values.pop("version") == 1
    assert Spec.from_json(values) == D


def test_specs_are_frozen_values() -> None:
    assert len({configuration("D"), configuration("vgg16"), D.scaled(), configuration("E")}) == 2
    assert D.scaled(input_size=256) != D
    assert Spec("x", ["conv3-8"]) == Spec("x", ("conv3-8",))  # a list is fine, and is hashable
    assert hash(Spec("x", ["conv3-8"])) == hash(Spec("x", ("conv3-8",)))
    with pytest.raises(FrozenInstanceError):
        D.input_size = 256  # type: ignore[misc]


def test_prints_as_the_column_of_table_1() -> None:
    assert str(configuration("A-LRN")).splitlines() == [
        "---------------------",
        "        A-LRN",
        "   11 weight layers",
        "input (224 x 224 RGB)",
        "---------------------",
        "       conv3-64",
        "         LRN",
        "---------------------",
        "       maxpool",
        "---------------------",
        "      conv3-128",
        "---------------------",
        "       maxpool",
        "---------------------",
        "      conv3-256",
        "      conv3-256",
        "---------------------",
        "       maxpool",
        "---------------------",
        "      conv3-512",
        "      conv3-512",
        "---------------------",
        "       maxpool",
        "---------------------",
        "      conv3-512",
        "      conv3-512",
        "---------------------",
        "       maxpool",
        "---------------------",
        "       FC-4096",
        "       FC-4096",
        "       FC-1000",
        "       soft-max",
        "---------------------",
    ]


@pytest.mark.parametrize("name", STAGES)
def test_the_column_counts_weight_layers(name: str) -> None:
    assert f"{WEIGHT_LAYERS[name]} weight layers" in str(configuration(name))


def test_the_column_of_other_nets() -> None:
    assert "conv3-64 BN" in str(configuration("vgg11_bn"))
    rule, *lines = [line.strip() for line in str(average_head(D)).splitlines()]
    assert lines[-7:] == ["maxpool", rule, "avgpool", rule, "FC-1000", "soft-max", rule]
    rule, *lines = [line.strip() for line in str(Spec("x", ("conv3-8", "maxpool"))).splitlines()]
    assert lines[-4:] == ["conv3-8", rule, "maxpool", rule]


TOKENS = (
    "the tokens are like conv3-64, conv11-96/4p0, LRN, maxpool, maxpool3/2, avgpool, FC-4096, "
    "soft-max"
)
ORDER = "first come the convolutions and pools, then avgpool, then FC layers, then soft-max"


@pytest.mark.parametrize(
    ("rows", "options", "fault"),
    [
        (("conv3-64 conv3", "pool"), {}, f"bad token 'conv3', 'pool': {TOKENS}"),
        (("conv3--64",), {}, f"bad token 'conv3--64': did you mean conv3-64? {TOKENS}"),
        (
            ("conv3_64 conv3_64", "maxpol relu"),
            {},
            "bad token 'conv3_64', 'conv3_64', 'maxpol', 'relu': did you mean conv3-64, maxpool? "
            f"{TOKENS}",
        ),
        (("conv0-64",), {}, f"bad token 'conv0-64': {TOKENS}"),
        (
            ("conv3-8",),
            {"input_size": 0},
            "input size 0 must be a whole number from 1 to 1,000,000",
        ),
        (
            ("conv3-8",),
            {"input_size": 2.5},
            "input size 2.5 must be a whole number from 1 to 1,000,000",
        ),
        (("conv3-8",), {"numbering": "x"}, "numbering 'x' must be 'stage' or 'layer'"),
        (("conv3-8", "FC-5 maxpool"), {}, f"token 'maxpool' stands too late: {ORDER}"),
        (("conv3-8", "avgpool avgpool"), {}, f"token 'avgpool' stands too late: {ORDER}"),
        (("conv3-8", "FC-5", "soft-max FC-5"), {}, f"token 'FC-5' stands too late: {ORDER}"),
        (
            ("conv3-8", "FC-5", "soft-max soft-max"),
            {},
            f"token 'soft-max' stands too late: {ORDER}",
        ),
        (("maxpool", "FC-5"), {}, "it has no convolution"),
        ((), {}, "it has no convolution"),
        (("conv3-8", "soft-max"), {}, "soft-max needs an FC layer before it"),
        (("conv3-1000001",), {}, "token 'conv3-1000001': numbers go up to 1,000,000"),
        (
            ("conv3-8", "FC-1" + "0" * 5000),
            {},
            "token 'FC-100000000...0000000000000': numbers go up to 1,000,000",
        ),
        (
            ("conv3-8", "FC-1" + "0" * 5000, "soft-max"),
            {},
            "token 'FC-100000000...0000000000000': numbers go up to 1,000,000",
        ),
        (("conv3-8 " * 1001,), {}, "1001 tokens are more than 1000"),
        (("pool " * 1001,), {}, "1001 tokens are more than 1000"),
        (
            ("maxpol",) * 8 + ("conv-64",) * 2,
            {},
            f"bad token {', '.join([repr('maxpol')] * 8)} and 2 more: did you mean maxpool? "
            f"{TOKENS}",
        ),
        (("x" * 10**6,), {}, f"bad token 'xxxxxxxxxxxx...xxxxxxxxxxxxx': {TOKENS}"),
        (
            ("conv3-8/1000", "maxpool1/1001"),
            {},
            "its strides multiply to more than 1,000,000",
        ),
        (("conv3-8 LRN LRN",), {}, "two layers would be named norm1_1"),
        (
            ("conv3-8", "maxpool", "conv3-8", "maxpool"),
            {"input_size": 3},
            "a picture of 3 x 3 is too small: pool2 takes 2 x 2 and is given 1 x 1",
        ),
    ],
)
def test_rows_that_are_no_network(
    rows: tuple[str, ...], options: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match="spec") as caught:
        Spec("mine", rows, **options)
    assert str(caught.value) == f"spec 'mine': {fault}"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("conv-64", "conv3-64"), ("cnv11-96/4p0", "conv11-96/4p0"), ("conv3x3-64", "conv3-64"),
        ("Conv3-64-lin", "conv3-64-linear"), ("lrn", "LRN"), ("max-pool", "maxpool"),
        ("maxpool3:2", "maxpool3/2"), ("softmax", "soft-max"), ("fc4096", "FC-4096"),
        # Which one was meant, nobody knows; or what was meant is no token either.
        ("conv3", None), ("pool", None), ("relu", None), ("64", None), ("conv0_64", None),
        ("{}conv3_64", None), ("conv3_64" * 1000, None),
        # Elsewhere s stands for the stride. Two are equally near, or a padding would be lost.
        ("conv11-96s4", "conv11-96/4"), ("conv11-96s4p0", "conv11-96/4p0"),
        ("maxpool3s2", "maxpool3/2"), ("conv3-64x2", None), ("conv3-64,1", None),
        ("conv3-64 2", None), ("maxpool3p2", None),
    ],
)  # fmt: skip
def test_which_token_was_meant(written: str, meant: str | None) -> None:
    assert nearest_token(written) == meant


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"width": -0.5}, "width -0.5 must be above 0 and at most 1,000,000"),
        ({"width": 0}, "width 0 must be above 0 and at most 1,000,000"),
        ({"width": float("nan")}, "width nan must be above 0 and at most 1,000,000"),
        ({"width": float("inf")}, "width inf must be above 0 and at most 1,000,000"),
        ({"width": 1e308}, "width 1e+308 must be above 0 and at most 1,000,000"),
        ({"width": 1e5}, "token 'conv3-6400000': numbers go up to 1,000,000"),
        ({"num_classes": 0}, "0 classes: there must be 1 to 1,000,000"),
        (
            {"num_classes": 10**200},
            "100000000000000000...0000000000000000000 classes: there must be 1 to 1,000,000",
        ),
        (
            {"input_size": 10**200},
            "input size 100000000000000000...0000000000000000000 must be a whole number from 1 to "
            "1,000,000",
        ),
        ({"head": "big"}, "head 'big' must be 'fc' or 'average'"),
        (
            {"input_size": 31},
            "a picture of 31 x 31 is too small: pool5 takes 2 x 2 and is given 1 x 1",
        ),
    ],
)
def test_variations_that_cannot_be(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match="spec") as caught:
        D.scaled(**changes)
    assert str(caught.value) == f"spec 'D': {fault}"


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="spec") as caught:
        D.layers_at(224, 256)
    assert str(caught.value) == (
        "spec 'D': its FC layers take 224 x 224 pictures, not 224 x 256; "
        "give that size (Model.dense_logits and evaluate --protocol dense take larger ones)"
    )
    with pytest.raises(ValueError, match="spec") as caught:
        average_head(D).layers_at(31, 500)
    assert str(caught.value) == "spec 'D': pictures must be at least 32 x 32, not 31 x 500"
    with pytest.raises(ValueError, match=r"side may be 1,000,000 pixels, not more"):
        average_head(D).layers_at(224, 10**200)


def test_shapes_that_are_no_pictures() -> None:
    D.check_shape((2, 3, 224, 224))
    for shape in ((3, 224, 224), (1, 1, 224, 224), (1, 224, 224, 3)):
        with pytest.raises(ValueError, match="images") as caught:
            D.check_shape(shape)
        assert str(caught.value) == f"images must have the shape (N, 3, H, W), not {shape}"


def test_the_largest_numbers_are_no_trouble() -> None:
    spec = Spec("large", ("conv3-1000000",) * 2 + ("FC-1000000",), 1_000_000)
    assert spec.state_shapes["fc2.weight"] == (10**6, 10**18)
    assert len(Spec("deep", ("conv3-8",) * 1000).layers) == 2000


def test_names_that_no_layer_has() -> None:
    spec = Spec("mine", ("conv3-8",))
    assert spec.check_names("conv1_1") == ("conv1_1",)
    assert spec.check_names(["relu1_1", "conv1_1"]) == ("relu1_1", "conv1_1")
    with pytest.raises(ValueError, match="spec") as caught:
        spec.check_names(["conv9_9", "conv1_1", "fc9"])
    assert str(caught.value) == (
        "spec 'mine': no layer 'conv9_9', 'fc9': there are conv1_1, relu1_1"
    )
    with pytest.raises(ValueError, match="spec") as caught:
        spec.check_names([])
    assert str(caught.value) == "spec 'mine': name at least one layer of conv1_1, relu1_1"


@pytest.mark.parametrize(
    ("written", "token"),
    [
        ("conv3-8 / maxpool / pool", 2),
        ("conv3-8 FC-5 / maxpool", 2),
        ("conv3-8 / soft-max", 1),
        ("conv3-8 / conv3-9999999", 1),
        ("conv3-8 / maxpool2/2 / maxpool300/1 conv3-8", 2),
        (" / ".join(["conv3-8"] * 1001), 1000),
        ("conv3-1/1000 conv3-1/1000 conv3-1/1000", None),
    ],
)
def test_which_token_is_at_fault(written: str, token: int | None) -> None:
    with pytest.raises(SpecError) as told:
        configuration(written)
    assert told.value.token == token


FIELDS = "; its fields are batch_norm, input_size, name, numbering, rows"
NEWER = "; this vggnet knows version 1: install a newer one"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"extra": 1}, f"a spec has the unknown ['extra']{FIELDS}"),
        (
            {"extra": 1, "version": 2},
            f"a spec is of version 2 and has the unknown ['extra']{NEWER}",
        ),
        ({"rows": "conv3-8"}, "the rows of a spec are a list of strings, not 'conv3-8'"),
        ({"rows": [3]}, "the rows of a spec are a list of strings, not [3]"),
        ({"name": ["D"]}, "the name of a spec is str, not ['D']"),
        ({"input_size": True}, "the input_size of a spec is int, not True"),
        ({"input_size": "224"}, "the input_size of a spec is int, not '224'"),
        ({"batch_norm": "no"}, "the batch_norm of a spec is bool, not 'no'"),
        ({"numbering": None}, "spec 'D': numbering None must be 'stage' or 'layer'"),
    ],
)
def test_json_that_is_no_spec(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match="spec") as caught:
        Spec.from_json(D.to_json() | change)
    assert str(caught.value) == fault


def test_json_of_another_kind() -> None:
    with pytest.raises(ValueError, match="a spec") as caught:
        Spec.from_json([1])  # type: ignore[arg-type]
    assert str(caught.value) == "a spec is [1]; give an object with named fields"
