"""The passes that make a plan, one by one, and numbers that can be worked out by hand."""

import dataclasses
import json

import pytest
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS

from vggnet.configurations import configuration
from vggnet.engines.plan import (
    MANY,
    TILES,
    Plan,
    Step,
    choose_algorithms,
    fuse_pool,
    fuse_relu,
    keep_in_bf16,
    make_plan,
    one_step_a_layer,
    winograd_cost,
    winograd_products,
)
from vggnet.spec import Spec

D = configuration("D")
CONVOLUTION = Step(("conv2_1",), "direct", (8, 6, 6), (5, 6, 6), kernel=3, padding=1)
WINOGRAD = dataclasses.replace(CONVOLUTION, operation="winograd", tile=4)
RELU = Step(("relu2_1",), "relu", (5, 6, 6), (5, 6, 6))
POOL = Step(("pool2",), "max-pool", (5, 6, 6), (5, 3, 3), kernel=2, stride=2)


def steps_of(spec: Spec, *wanted: str) -> list[Step]:
    return one_step_a_layer(spec.layers, frozenset(wanted or [spec.logits_layer]))


def plan_of(spec: Spec, *wanted: str, precision: str = "fp32") -> Plan:
    size = spec.input_size
    return make_plan(spec, size, size, wanted or [spec.logits_layer], precision)


def named(plan: Plan, layer: str) -> Step:
    return next(step for step in plan.steps if layer in step.layers)


class TestOneStepALayer:
    def test_every_kind(self) -> None:
        found = [(step.layers, step.operation) for step in steps_of(EVERYTHING)]
        assert found == [
            (("conv1_1",), "direct"),
            (("bn1_1",), "batch-norm"),
            (("relu1_1",), "relu"),
            (("norm1_1",), "normalise"),
            (("conv1_2",), "direct"),
            (("bn1_2",), "batch-norm"),
            (("relu1_2",), "relu"),
            (("pool1",), "max-pool"),
            (("conv2_1",), "direct"),
            (("bn2_1",), "batch-norm"),
            (("relu2_1",), "relu"),
            (("conv2_2",), "direct"),
            (("bn2_2",), "batch-norm"),
            (("relu2_2",), "relu"),
            (("pool2",), "max-pool"),
            (("fc3",), "linear"),
            (("relu3", "drop3"), "relu"),
            (("fc4",), "linear"),
        ]

    def test_shapes_and_windows_are_the_layers(self) -> None:
        layers = {layer.name: layer for layer in EVERYTHING.layers}
        for step in steps_of(EVERYTHING):
            layer = layers[step.layers[0]]
            assert (step.input, step.output) == (layer.input, layer.output)
            window = (step.kernel, step.stride, step.padding)
            assert window == (layer.kernel, layer.stride, layer.padding)
            assert (step.relu, step.pool, step.half, step.tile) == (False, False, False, 0)

    def test_a_global_average(self) -> None:
        steps = steps_of(AVERAGE)
        assert [step.operation for step in steps][-2:] == ["average", "linear"]
        assert steps[-2].input == (8, 4, 4)
        assert steps[-2].output == (8, 1, 1)

    def test_only_what_is_wanted_is_marked(self) -> None:
        marked = [step.layers for step in steps_of(EVERYTHING, "bn1_1", "pool1") if step.wanted]
        assert marked == [("bn1_1",), ("pool1",)]

    def test_nothing_above_the_deepest_wanted_layer(self) -> None:
        steps = steps_of(EVERYTHING, "conv1_1", "conv2_1")
        assert steps[-1].layers == ("conv2_1",)
        assert [step.layers for step in steps_of(EVERYTHING, "conv1_1")] == [("conv1_1",)]

    def test_dropout_marks_the_step_that_it_joins(self) -> None:
        last = steps_of(FULLY_CONNECTED, "drop3")[-1]
        assert last.layers == ("relu3", "drop3")
        assert last.wanted
        assert "drop3" not in steps_of(FULLY_CONNECTED, "relu3")[-1].layers

    @pytest.mark.parametrize("wanted", ["prob", "fc4"])
    def test_a_soft_max_is_never_planned(self, wanted: str) -> None:
        assert steps_of(FULLY_CONNECTED, wanted)[-1].layers == ("fc4",)

    def test_an_fc_layer_over_every_window_is_linear(self) -> None:
        spec = Spec("dense", ("conv3-6", "FC3-8 FC1-7 soft-max"), 8)
        found = [(step.layers[0], step.operation, step.kernel) for step in steps_of(spec)]
        assert found == [
            ("conv1_1", "direct", 3),
            ("relu1_1", "relu", 1),
            ("fc2", "linear", 3),
            ("relu2", "relu", 1),
            ("fc3", "linear", 1),
        ]


class TestFuseRelu:
    @pytest.mark.parametrize("operation", ["direct", "linear", "batch-norm"])
    def test_into_what_comes_before(self, operation: str) -> None:
        before = dataclasses.replace(CONVOLUTION, operation=operation)
        (step,) = fuse_relu([before, RELU])
        assert step == dataclasses.replace(before, layers=("conv2_1", "relu2_1"), relu=True)

    def test_a_wanted_pre_relu_name_stops_it(self) -> None:
        steps = [dataclasses.replace(CONVOLUTION, wanted=True), RELU]
        assert fuse_relu(steps) == steps

    def test_a_wanted_relu_does_not(self) -> None:
        (step,) = fuse_relu([CONVOLUTION, dataclasses.replace(RELU, wanted=True)])
        assert step.relu
        assert step.wanted

    def test_not_into_other_steps(self) -> None:
        for steps in ([POOL, RELU], [RELU, RELU], [RELU]):
            assert fuse_relu(steps) == steps
        applied = dataclasses.replace(CONVOLUTION, relu=True)
        assert fuse_relu([applied, RELU]) == [applied, RELU]


class TestFusePool:
    @pytest.mark.parametrize("tile", [2, 4, 6])
    def test_into_a_convolution_by_winograd(self, tile: int) -> None:
        convolution = dataclasses.replace(WINOGRAD, tile=tile)
        (step,) = fuse_pool([convolution, POOL])
        assert step == dataclasses.replace(
            convolution, layers=("conv2_1", "pool2"), output=(5, 3, 3), pool=True
        )

    def test_a_wanted_pool_is_still_fused(self) -> None:
        (step,) = fuse_pool([WINOGRAD, dataclasses.replace(POOL, wanted=True)])
        assert step.wanted

    @pytest.mark.parametrize(
        ("convolution", "pool"),
        [
            ({"wanted": True}, {}),
            ({"tile": 5}, {}),  # which cuts through windows
            ({"operation": "direct", "tile": 0}, {}),
            ({"operation": "batch-norm", "tile": 0}, {}),
            ({}, {"kernel": 3}),
            ({}, {"stride": 1}),
        ],
        ids=str,
    )
    def test_not_into_or_from_another(self, convolution: dict, pool: dict) -> None:
        steps = [dataclasses.replace(WINOGRAD, **convolution), dataclasses.replace(POOL, **pool)]
        assert fuse_pool(steps) == steps

    def test_the_second_of_two_is_not(self) -> None:
        second = dataclasses.replace(POOL, layers=("pool3",), input=(5, 3, 3), output=(5, 1, 1))
        assert fuse_pool([WINOGRAD, POOL, second])[1:] == [second]

    def test_not_past_a_normalisation(self) -> None:
        plan = plan_of(configuration("A-LRN"))
        assert named(plan, "pool1").layers == ("pool1",)
        assert named(plan, "norm1_1").layers == ("norm1_1",)


class TestChooseAlgorithms:
    @pytest.mark.parametrize("side", [2, 4, 6, 28, 224])
    @pytest.mark.parametrize("pictures", [1, MANY])
    def test_the_tile_that_takes_least(self, pictures: int, side: int) -> None:
        convolution = dataclasses.replace(CONVOLUTION, input=(8, side, side))
        (step,) = choose_algorithms([convolution], pictures)
        assert step.operation == "winograd"
        least = min(winograd_cost(convolution, tile, pictures) for tile in TILES)
        assert winograd_cost(convolution, step.tile, pictures) == least

    @pytest.mark.parametrize(
        ("pictures", "tiles"),
        # Measured: F(6x6) where maps are large, F(5x5) of 14 x 14 maps where pictures share the
        # reading of its weights (docs/log.md).
        [(1, [6, 6, 6, 6, 6, 6, 6, 4, 4, 4, 4, 4]), (MANY, [6, 6, 6, 6, 6, 6, 6, 6, 6, 5, 5, 5])],
    )
    def test_the_tiles_of_d(self, pictures: int, tiles: list[int]) -> None:
        plan = make_plan(D, 224, 224, [D.logits_layer], pictures=pictures)
        assert [step.tile for step in plan.steps if step.operation == "winograd"] == tiles

    def test_weights_that_many_pictures_share_cost_each_less(self) -> None:
        wide = dataclasses.replace(CONVOLUTION, input=(512, 14, 14), output=(512, 14, 14))
        alone, shared = (
            [winograd_cost(wide, tile, pictures) for tile in TILES] for pictures in (1, MANY)
        )
        assert all(a > b for a, b in zip(alone, shared, strict=True))
        assert shared[-1] / shared[0] < alone[-1] / alone[0]  # F(6x6) has the most weights

    @pytest.mark.parametrize(
        "other",
        [
            {"input": (3, 6, 6)},
            {"kernel": 1, "padding": 0},
            {"kernel": 5, "padding": 2},
            {"stride": 2},
            {"padding": 0},
            {"operation": "linear"},
        ],
        ids=str,
    )
    def test_others_stay_as_they_are(self, other: dict) -> None:
        step = dataclasses.replace(CONVOLUTION, **other)
        assert choose_algorithms([step]) == [step]

    def test_all_but_the_first_convolution_of_d(self) -> None:
        plan = plan_of(D)
        winograd = [step for step in plan.steps if step.operation == "winograd"]
        assert len(winograd) == 12
        assert plan.steps[0].layers == ("conv1_1", "relu1_1")
        assert plan.steps[0].operation == "direct"
        assert all(step.relu for step in winograd)
        assert sum(step.pool for step in winograd) == 5
        assert [step.layers for step in plan.steps[13:]] == [
            ("fc6", "relu6", "drop6"),
            ("fc7", "relu7", "drop7"),
            ("fc8",),
        ]
        assert [step.layers for step in plan.steps if step.wanted] == [("fc8",)]

    def test_1x1_convolutions_of_c_are_direct(self) -> None:
        plan = plan_of(configuration("C"))
        direct = [step.layers[0] for step in plan.steps if step.operation == "direct"]
        assert direct == ["conv1_1", "conv3_3", "conv4_3", "conv5_3"]


class TestKeepInBf16:
    @pytest.mark.parametrize("operation", ["winograd", "direct"])
    def test_what_a_winograd_convolution_reads(self, operation: str) -> None:
        before = dataclasses.replace(CONVOLUTION, operation=operation)
        first, last = keep_in_bf16([before, WINOGRAD])
        assert first == dataclasses.replace(before, half=True)
        assert last == WINOGRAD

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ({"wanted": True}, {}),
            ({"operation": "max-pool"}, {}),
            ({}, {"operation": "direct"}),
            ({}, {"operation": "linear"}),
            ({}, {"operation": "max-pool"}),
        ],
        ids=str,
    )
    def test_nothing_else(self, before: dict, after: dict) -> None:
        steps = [
            dataclasses.replace(WINOGRAD, **before),
            dataclasses.replace(WINOGRAD, **after),
        ]
        assert keep_in_bf16(steps) == steps

    def test_only_in_that_precision(self) -> None:
        assert not any(step.half for step in plan_of(D).steps)
        halved = [step.layers[0] for step in plan_of(D, precision="bf16").steps if step.half]
        assert halved == [step.layers[0] for step in plan_of(D).steps[:12]]


class TestNumbers:
    @pytest.mark.parametrize(
        ("tile", "products"),
        # tiles a side, squared, times (tile + 2)^2 points, times 64 x 64 channels
        [(2, 112**2 * 16 * 4096), (4, 56**2 * 36 * 4096), (6, 38**2 * 64 * 4096)],
    )
    def test_products_of_conv1_2(self, tile: int, products: int) -> None:
        step = dataclasses.replace(named(plan_of(D), "conv1_2"), tile=tile)
        assert step.layers == ("conv1_2", "relu1_2", "pool1")
        assert step.products == winograd_products(step, tile) == products
        assert step.weights == 4096 * (tile + 2) ** 2
        assert step.algorithm == f"F({tile}x{tile}, 3x3)"

    def test_products_beyond_the_edge_are_done_too(self) -> None:
        assert winograd_products(CONVOLUTION, 4) == 4 * 36 * 8 * 5  # 2 x 2 tiles over 6 x 6

    @pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("bf16", 2)])
    def test_conv1_1(self, precision: str, size: int) -> None:
        step = plan_of(D, precision=precision).steps[0]
        assert step.algorithm == "direct"
        assert step.products == 224 * 224 * 64 * 27 == 86_704_128
        shown = step.to_json(precision)
        assert shown["weight_bytes"] == 64 * 27 * size
        assert shown["activation_bytes"] == 224 * 224 * 64 * size

    @pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("bf16", 2)])
    def test_fc6(self, precision: str, size: int) -> None:
        step = named(plan_of(D, precision=precision), "fc6")
        shown = step.to_json(precision)
        assert shown["products"] == 25_088 * 4096 == 102_760_448
        assert shown["weight_bytes"] == 102_760_448 * size
        assert shown["activation_bytes"] == 4 * 4096

    def test_winograd_weights_in_bf16(self) -> None:
        step = named(plan_of(D, precision="bf16"), "conv3_1")
        points = (step.tile + 2) ** 2
        assert step.to_json("bf16")["weight_bytes"] == 2 * 128 * 256 * points

    def test_other_steps_have_no_products(self) -> None:
        for step in plan_of(EVERYTHING, *EVERYTHING.layer_names[:-1]).steps:
            products = step.operation in ("direct", "winograd", "linear")
            assert (step.products > 0) is products
            assert (step.weights > 0) is products

    def test_less_is_done_than_by_the_definition(self) -> None:
        products = plan_of(D).to_json()["products"]
        assert 15_470_264_320 / 9 < products < 15_470_264_320 / 2


class TestPlan:
    def test_as_json(self) -> None:
        shown = json.loads(json.dumps(plan_of(HEADLESS, "conv2_1").to_json()))
        assert shown["name"] == "headless"
        assert shown["input"] == [3, 16, 16]
        assert shown["precision"] == "fp32"
        assert shown["products"] == sum(step["products"] for step in shown["steps"])
        first, pool, last = shown["steps"]
        assert first["layers"] == ["conv1_1", "relu1_1"]
        assert (first["algorithm"], first["relu"], first["pool"]) == ("direct", True, False)
        assert pool["layers"] == ["pool1"]
        assert last["layers"] == ["conv2_1"]
        assert last["algorithm"].startswith("F(")
        assert last["output"] == [8, 8, 8]

    def test_wanted_names_are_not_fused_away(self) -> None:
        plan = plan_of(D, "conv1_2", "relu2_2", "pool3", "conv5_1")
        found = [step.layers for step in plan.steps if step.wanted]
        assert found == [
            ("conv1_2",),
            ("conv2_2", "relu2_2"),
            ("conv3_3", "relu3_3", "pool3"),
            ("conv5_1",),
        ]
        assert named(plan, "pool1").layers == ("pool1",)
        assert named(plan, "relu1_2").layers == ("relu1_2",)
        assert plan.steps[-1].layers == ("conv5_1",)

    def test_of_another_size(self) -> None:
        plan = make_plan(AVERAGE, 20, 33, ["fc3"])
        assert (plan.height, plan.width) == (20, 33)
        assert plan.steps[0].input == (3, 20, 33)
        assert named(plan, "conv2_1").input == (6, 10, 16)

    def test_does_not_change(self) -> None:
        plan = plan_of(HEADLESS)
        with pytest.raises(dataclasses.FrozenInstanceError):
            plan.steps = ()  # type: ignore[misc]
        with pytest.raises(dataclasses.FrozenInstanceError):
            plan.steps[0].relu = False  # type: ignore[misc]
        assert plan == plan_of(HEADLESS)

    def test_refuses_names_and_sizes(self) -> None:
        with pytest.raises(ValueError, match="no layer 'conv9_9'"):
            plan_of(D, "conv9_9")
        with pytest.raises(ValueError, match="take 224 x 224 pictures, not 224 x 200"):
            make_plan(D, 224, 200, ["fc8"])
