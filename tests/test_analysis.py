"""Costs and receptive fields, against the paper's figures and against sums written out here."""

import json
from math import prod
from typing import Any

import pytest
from table_1 import FIELDS_OF_D, PARAMETERS, STAGES, WIDTHS

from vggnet.analysis import Analysis, LayerCost, analyze
from vggnet.configurations import configuration
from vggnet.spec import Layer, Spec

GIGA_CONV_MACS = {
    "A": 7.485, "A-LRN": 7.485, "B": 11.185, "C": 11.647, "D": 15.347, "E": 19.508
}  # fmt: skip
FC_MACS = 7 * 7 * 512 * 4096 + 4096 * 4096 + 4096 * 1000  # 0.124 G in every column
D = analyze(configuration("D"))


def layer_of(analysis: Analysis, name: str) -> LayerCost:
    return next(layer for layer in analysis.layers if layer.name == name)


def counted_by_hand(stages: tuple[list[int], ...]) -> tuple[int, int, int]:
    """Weights, biases and MACs of the convolutions at 224 x 224."""
    weights = biases = macs = 0
    channels, side = 3, 224
    for kernels, width in zip(stages, WIDTHS, strict=True):
        for kernel in kernels:
            weights += kernel**2 * channels * width
            macs += kernel**2 * channels * width * side**2
            biases += width
            channels = width
        side //= 2
    return weights, biases, macs


@pytest.mark.parametrize("name", STAGES)
def test_parameters_and_macs_of_the_paper(name: str) -> None:
    analysis = analyze(configuration(name))
    weights, biases, macs = counted_by_hand(STAGES[name])
    conv, fc = analysis.of_type("conv"), analysis.of_type("fc")
    assert (conv.weights, conv.biases, conv.macs) == (weights, biases, macs)
    assert (fc.weights, fc.biases, fc.macs) == (FC_MACS, 4096 + 4096 + 1000, FC_MACS)
    assert analysis.parameters == PARAMETERS[name]
    assert analysis.parameters == weights + biases + FC_MACS + 4096 + 4096 + 1000
    assert analysis.macs == macs + FC_MACS
    assert round(conv.macs / 1e9, 3) == GIGA_CONV_MACS[name]
    assert round(fc.macs / 1e9, 3) == 0.124
    assert analysis.flops == 2 * analysis.macs


def test_d_to_the_unit() -> None:
    assert D.macs == 15_470_264_320
    assert D.flops == 30_940_528_640
    assert round(4 * D.parameters / 2**20) == 528  # MiB in fp32


def test_alexnet_in_one_tower() -> None:
    analysis = analyze(configuration("AlexNet"))
    by_hand = {
        "conv1": 55**2 * 96 * 3 * 11**2,
        "conv2": 27**2 * 256 * 96 * 5**2,
        "conv3": 13**2 * 384 * 256 * 3**2,
        "conv4": 13**2 * 384 * 384 * 3**2,
        "conv5": 13**2 * 256 * 384 * 3**2,
        "fc6": 4096 * 256 * 6 * 6,
        "fc7": 4096 * 4096,
        "fc8": 1000 * 4096,
    }
    assert {layer.name: layer.macs for layer in analysis.layers if layer.macs} == by_hand
    assert analysis.macs == sum(by_hand.values()) == 1_135_256_096
    positions = {"conv1": 55**2, "conv2": 27**2, "conv3": 13**2, "conv4": 13**2, "conv5": 13**2}
    weights = sum(macs // positions.get(name, 1) for name, macs in by_hand.items())
    biases = 96 + 256 + 384 + 384 + 256 + 4096 + 4096 + 1000
    assert (analysis.weights, analysis.biases) == (weights, biases)
    assert analysis.parameters == PARAMETERS["AlexNet"]


def test_fc6_holds_three_quarters_of_d() -> None:
    fc6 = layer_of(D, "fc6")
    assert fc6.parameters == 102_764_544 == 7 * 7 * 512 * 4096 + 4096
    assert round(100 * fc6.parameters / D.parameters) == 74
    assert round(100 * D.of_type("fc").parameters / D.parameters) == 89
    assert round(100 * D.of_type("conv").macs / D.macs) == 99
    shares = {layer["name"]: layer["parameter_share"] for layer in as_json(D)["layers"]}
    assert shares["fc6"] == pytest.approx(0.7427, abs=5e-5)
    assert sum(shares.values()) == pytest.approx(1)


def test_batch_norm_trains_two_values_a_channel() -> None:
    with_norm = analyze(configuration("vgg16_bn"))
    channels = sum(layer.biases for layer in D.layers if layer.type == "conv")
    assert with_norm.parameters == D.parameters + 2 * channels
    assert with_norm.of_type("batchnorm").parameters == 2 * channels == 2 * 4224
    assert with_norm.macs == D.macs


def test_receptive_fields_and_jumps_of_d() -> None:
    found = {
        layer.name: (layer.receptive_field, layer.jump)
        for layer in D.layers
        if layer.type in ("conv", "maxpool", "fc")
    }
    assert found == FIELDS_OF_D
    assert layer_of(D, "relu3_3").receptive_field == 40  # what works on single units changes none


def seen_by(unit: int, layers: tuple[Layer, ...]) -> tuple[int, int]:
    """First and last pixel, along a row, that reach this unit of the last layer, padding and all.

    Walks from the unit back to the picture: the other way round than the recurrence.
    """
    first = last = unit
    for layer in reversed(layers):
        kernel = layer.input[1] if layer.kind in ("fc", "avgpool") else layer.kernel
        first = first * layer.stride - layer.padding
        last = last * layer.stride - layer.padding + kernel - 1
    return first, last


@pytest.mark.parametrize(
    "spec",
    [
        *map(configuration, (*STAGES, "AlexNet")),
        configuration("C").scaled(head="average", input_size=96),
        Spec("odd", ("conv7-8/2p1 conv4-8p0", "maxpool3/2", "conv1-8/3 conv5-8p4"), 64),
    ],
    ids=lambda spec: f"{spec.name}-{spec.input_size}",
)
def test_field_jump_and_offset_are_what_units_see(spec: Spec) -> None:
    for position, cost in enumerate(analyze(spec).layers, 1):
        first, last = seen_by(0, spec.layers[:position])
        next_first, _ = seen_by(1, spec.layers[:position])
        assert cost.receptive_field == last - first + 1, cost.name
        assert cost.field_offset == (first + last) / 2, cost.name
        assert cost.jump == next_first - first, cost.name


def test_centre_of_the_field() -> None:
    # 3x3 with padding 1 leaves the centre on the pixel; each pool moves it by half a jump.
    assert layer_of(D, "conv1_2").field_offset == 0
    assert [layer_of(D, f"pool{stage}").field_offset for stage in range(1, 6)] == [
        0.5, 1.5, 3.5, 7.5, 15.5
    ]  # fmt: skip
    assert layer_of(D, "fc6").field_offset == (224 - 1) / 2  # fc6 looks at the picture's middle
    assert layer_of(analyze(configuration("AlexNet")), "conv1").field_offset == 5
    padded = analyze(Spec("padded", ("conv3-8p5",), 16))
    assert layer_of(padded, "conv1_1").field_offset == -4


def test_activations_count_in_place_layers_once() -> None:
    convolutions = (
        2 * 64 * 224**2 + 2 * 128 * 112**2 + 3 * 256 * 56**2 + 3 * 512 * 28**2 + 3 * 512 * 14**2
    )
    pools = 64 * 112**2 + 128 * 56**2 + 256 * 28**2 + 512 * 14**2 + 512 * 7**2
    picture, head = 3 * 224**2, 4096 + 4096 + 1000 + 1000  # fc6, fc7, fc8, prob
    assert D.activations == picture + convolutions + pools + head
    in_place = {layer.type for layer in D.layers if not layer.activations}
    assert in_place == {"relu", "dropout"}
    with_norm = analyze(configuration("vgg16_bn"))  # keeps its input for the backward pass
    assert with_norm.activations == D.activations + convolutions
    normalised = analyze(configuration("A-LRN"))
    assert normalised.activations == analyze(configuration("A")).activations + 64 * 224**2


def test_peak_is_the_largest_input_with_its_output() -> None:
    assert D.peak_activations == 2 * 64 * 224**2
    assert D.peak_layer.name == "conv1_2"
    assert layer_of(D, "relu1_2").live_activations == 64 * 224**2
    assert layer_of(D, "pool1").live_activations == 64 * 224**2 + 64 * 112**2
    a = analyze(configuration("A"))  # one convolution in the first stage: its pool holds more
    assert (a.peak_layer.name, a.peak_activations) == ("pool1", 64 * 224**2 + 64 * 112**2)


def as_json(analysis: Analysis) -> dict[str, Any]:
    return json.loads(json.dumps(analysis.to_json()))


def test_json_keys() -> None:
    values = as_json(D)
    assert values["name"] == "D"
    assert values["input"] == [3, 224, 224]
    assert (values["parameters"], values["macs"]) == (138_357_544, 15_470_264_320)
    assert values["flops"] == 2 * values["macs"]
    for size in ("parameter", "activation", "peak_activation"):
        assert values[f"{size}_bytes"] == 4 * values[f"{size}s"]
    assert (values["activations"], values["peak_layer"]) == (D.activations, "conv1_2")
    for key in ("parameters", "macs", "flops", "weights", "biases"):
        assert values[key] == sum(layer[key] for layer in values["layers"])
    first = values["layers"][0]
    assert first == {
        "name": "conv1_1", "type": "conv", "kernel": 3, "stride": 1, "padding": 1,
        "input": [3, 224, 224], "output": [64, 224, 224],
        "parameters": 1792, "parameter_bytes": 7168, "parameter_share": 1792 / 138_357_544,
        "weights": 1728, "biases": 64,
        "macs": 86_704_128, "mac_share": 86_704_128 / 15_470_264_320, "flops": 173_408_256,
        "activations": 3_211_264, "activation_bytes": 12_845_056,
        "receptive_field": 3, "jump": 1, "field_offset": 0.0,
    }  # fmt: skip
    assert all(layer.keys() == first.keys() for layer in values["layers"])
    assert [layer["name"] for layer in values["layers"]] == list(D.spec.layer_names)
    assert values["totals"].keys() == {"conv", "fc"}
    assert sum(part["macs"] for part in values["totals"].values()) == values["macs"]
    assert Spec.from_json(values["spec"]) == D.spec


def test_other_sizes_with_fc_layers_change_fc6() -> None:
    small = analyze(configuration("D"), 64)
    assert small.input == (3, 64, 64)
    assert layer_of(small, "fc6").weights == 4096 * 512 * 2 * 2
    assert small.of_type("conv").parameters == D.of_type("conv").parameters
    assert small.spec.input_size == 64
    assert layer_of(analyze(configuration("D"), 32), "fc6").weights == 4096 * 512
    larger = analyze(configuration("D"), 448)
    assert larger.of_type("conv").macs == 4 * D.of_type("conv").macs


def test_average_head_takes_pictures_that_are_not_square() -> None:
    spec = configuration("D").scaled(width=0.5, input_size=64, num_classes=200, head="average")
    square, wide = analyze(spec), analyze(spec, (64, 192))
    assert round(square.parameters / 1e6, 2) == 3.73  # half-width D with a global average
    assert wide.parameters == square.parameters
    assert wide.of_type("conv").macs == 3 * square.of_type("conv").macs
    assert layer_of(wide, "pool5").output == (256, 2, 6)
    average = layer_of(wide, "avgpool")
    assert average.output == (256, 1, 1)
    assert average.receptive_field == 212 + (6 - 1) * 32  # along the longer side
    assert analyze(spec, (192, 64)).macs == wide.macs
    assert wide.activations == 3 * 64 * 192 + sum(
        prod(layer.output) for layer in wide.layers if layer.type not in ("relu", "dropout")
    )


@pytest.mark.parametrize(
    ("head", "size", "fault"),
    [
        (
            "fc",
            (224, 256),
            "spec 'D': its FC layers take square pictures, not 224 x 256; "
            "give it the average head for these",
        ),
        (
            "fc",
            31,
            "spec 'D': a picture of 31 x 31 is too small: pool5 takes 2 x 2 and is given 1 x 1",
        ),
        ("fc", 0, "spec 'D': input size 0 must be a whole number from 1 to 1,000,000"),
        ("average", (31, 64), "spec 'D': pictures must be at least 32 x 32, not 31 x 64"),
    ],
)
def test_sizes_that_cannot_be(head: Any, size: Any, fault: str) -> None:
    with pytest.raises(ValueError, match="spec") as caught:
        analyze(configuration("D").scaled(head=head), size)
    assert str(caught.value) == fault


def test_a_configuration_s_name_stands_for_its_spec() -> None:
    assert analyze("vgg16_bn", 96) == analyze(configuration("D-BN"), 96)
    with pytest.raises(ValueError, match="no configuration 'vgg17'"):
        analyze("vgg17")
