"""Models that Keras saved, with what their own configuration says of each layer."""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras_nets
import numpy as np
import pytest
from comparison import relative_error
from keras_nets import SIDE, Build, base, convolutions
from numpy.typing import NDArray
from published_forms import contents

from vggnet import engines
from vggnet.engines.reference import softmax
from vggnet.preprocess import Preprocess
from vggnet.weights.containers import keras_files
from vggnet.weights.files import inspect, load
from vggnet.weights.recognition.graphs.graph import drawn_net
from vggnet.weights.recognition.naming import Unfit
from vggnet.weights.recognition.recognise import recognise

pytestmark = pytest.mark.filterwarnings("ignore")
BOUND = 1e-5
BODY = ("conv3-4", "maxpool", "conv3-6", "maxpool")


@pytest.fixture(scope="module")
def keras() -> Iterator[Any]:
    with keras_nets.keras_library() as library:
        yield library


def nested(keras: Any) -> Any:
    """As it is after training: an optimizer is saved with it."""
    layers = keras.layers
    net = keras.Sequential([
        base(keras), layers.Flatten(), layers.Dense(5, "relu"), layers.Dropout(0.5),
        layers.Dense(3, "softmax"),
    ])  # fmt: skip
    net.compile("adam", "categorical_crossentropy")
    net.optimizer.build(net.trainable_variables)
    return net


def averaged(keras: Any) -> Any:
    body = base(keras, trainable=True)
    x = keras.layers.GlobalAveragePooling2D()(body.output)
    x = keras.layers.Dense(5)(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Dense(3)(x)
    return keras.Model(body.input, keras.layers.Activation("softmax")(x))


def yes_or_no(keras: Any) -> Any:
    picture = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.RandomFlip()(picture)
    x = keras.layers.RandomRotation(0.1)(x)
    x = base(keras)(x, training=False)
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(picture, keras.layers.Dense(1, "sigmoid")(x))


def normalised(keras: Any) -> Any:
    net = keras.Sequential([keras.Input((SIDE, SIDE, 3))])
    for width in (4, 6):
        net.add(keras.layers.Conv2D(width, 3, padding="same"))
        net.add(keras.layers.BatchNormalization())
        net.add(keras.layers.Activation("relu"))
        net.add(keras.layers.MaxPooling2D())
    net.add(keras.layers.GlobalAveragePooling2D())
    net.add(keras.layers.Dense(3, "softmax"))
    return net


def log_probabilities(keras: Any) -> Any:
    body = base(keras)
    x = keras.layers.GlobalAveragePooling2D()(body.output)
    return keras.Model(body.input, keras.layers.Dense(3, "log_softmax")(x))


def padded(keras: Any) -> Any:
    """As deepface builds VGG-Face: no layer has a name, and FC layers are convolutions."""
    layers = keras.layers
    net = keras.Sequential([keras.Input((SIDE, SIDE, 3))])
    for width in (4, 6):
        net.add(layers.ZeroPadding2D((1, 1)))
        net.add(layers.Convolution2D(width, (3, 3), activation="relu"))
        net.add(layers.MaxPooling2D((2, 2), strides=(2, 2)))
    net.add(layers.Convolution2D(9, (4, 4), activation="relu"))
    net.add(layers.Dropout(0.5))
    net.add(layers.Convolution2D(8, (1, 1), activation="relu"))
    net.add(layers.Convolution2D(3, (1, 1)))
    net.add(layers.Flatten())
    net.add(layers.Activation("softmax"))
    return net


def same_names(keras: Any) -> Any:
    """The head's layers bear names that the base's have."""
    inner = keras.Sequential([
        keras.Input((SIDE, SIDE, 3)), keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(), keras.layers.Flatten(),
        keras.layers.Dense(5, "relu", name="scores"),
    ])  # fmt: skip
    return keras.Sequential([inner, keras.layers.Dense(3, "softmax", name="scores")])


HEADS = {
    nested: (*BODY, "FC-5", "FC-3", "soft-max"),
    averaged: (*BODY, "avgpool", "FC-5", "FC-3", "soft-max"),
    yes_or_no: (*BODY, "avgpool", "FC-2", "soft-max"),
    normalised: (*BODY, "avgpool", "FC-3", "soft-max"),
    log_probabilities: (*BODY, "avgpool", "FC-3", "soft-max"),
    padded: (*BODY, "FC-9", "FC-8", "FC-3", "soft-max"),
    same_names: ("conv3-4", "maxpool", "FC-5", "FC-3", "soft-max"),
}


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("build", HEADS, ids=lambda build: build.__name__)
def test_the_net_answers_as_keras_does(
    keras: Any, tmp_path: Path, build: Build, suffix: str
) -> None:
    net, path = keras_nets.with_random_numbers(build(keras)), tmp_path / f"net.{suffix}"
    net.save(path)
    found = inspect(path)
    assert found.spec.tokens == HEADS[build]
    assert (found.convention, found.spec.input_size, found.notes) == ("keras", SIDE, ())
    assert "by the layers that it lists" in found.evidence
    weights = load(path)
    images_NCHW = np.random.default_rng(3).standard_normal((3, 3, SIDE, SIDE), np.float32)
    expected = keras_nets.answers(net, images_NCHW.transpose(0, 2, 3, 1))
    if build is yes_or_no:  # the logits are 0 and its own
        expected = np.hstack([1 - expected, expected])
        assert "a sigmoid, is read as the second of two classes" in " ".join(found.evidence)
    if build is log_probabilities:
        expected = np.exp(expected)
    logits = engines.create("numpy", weights.spec, weights.state)(images_NCHW)
    assert relative_error(softmax(logits), expected) < BOUND


def rescaled(keras: Any) -> Any:
    return keras.layers.Rescaling(1 / 255)


def centred(keras: Any) -> Any:
    return keras.layers.Rescaling(1 / 127.5, offset=-1)


def each_channel(keras: Any) -> Any:
    return keras.layers.Rescaling([1 / 50, 1 / 60, 1 / 70], offset=[-1, -2, -3])


def original(keras: Any) -> Any:
    return keras.applications.vgg16.preprocess_input


def by_operations(keras: Any) -> Any:
    return lambda x: (x / 255.0 - 0.5) * 2.0 + 0.25


@pytest.mark.parametrize("first", [rescaled, centred, each_channel, original, by_operations])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_what_its_own_layers_do_to_pixels_is_done_before_it(
    keras: Any, tmp_path: Path, first: Build, suffix: str
) -> None:
    picture = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Flatten()(base(keras)(first(keras)(picture)))
    net = keras_nets.with_random_numbers(keras.Model(picture, keras.layers.Dense(3, "softmax")(x)))
    path = tmp_path / f"net.{suffix}"
    net.save(path)
    weights, pixels_NHWC = load(path), keras_nets.pictures()
    images_NCHW = weights.preprocessing.pixels_to_input(pixels_NHWC)
    logits = engines.create("numpy", weights.spec, weights.state)(images_NCHW)
    expected = keras_nets.answers(net, pixels_NHWC.astype(np.float32))
    assert relative_error(softmax(logits), expected) < BOUND
    assert weights.preprocessing.crop == SIDE
    found = inspect(path)
    assert (found.known_colours, found.confidence) == (True, "certain")
    assert weights.preprocessing.colour_order == ("BGR" if first is original else "RGB")


def test_a_resizing_layer_states_the_picture_s_size(keras: Any, tmp_path: Path) -> None:
    picture = keras.Input((None, None, 3))
    x = keras.layers.Resizing(SIDE, SIDE)(picture)
    x = keras.layers.GlobalAveragePooling2D()(base(keras)(x))
    keras.Model(picture, keras.layers.Dense(3)(x)).save(tmp_path / "net.keras")
    assert inspect(tmp_path / "net.keras").spec.input_size == SIDE


def sequence(keras: Any, *layers: Any) -> Any:
    return keras.Sequential([keras.Input((SIDE, SIDE, 3)), *layers])


def convolution(keras: Any, **options: Any) -> Any:
    return keras.layers.Conv2D(4, 3, **{"padding": "same", "activation": "relu", **options})


def joined(keras: Any) -> Any:
    picture = keras.Input((SIDE, SIDE, 3))
    a = convolution(keras, name="a")(picture)
    b = convolution(keras, name="b")(a)
    return keras.Model(picture, keras.layers.Add(name="sum")([a, b]))


def forked(keras: Any) -> Any:
    body = base(keras)
    x = keras.layers.Flatten()(body.output)
    heads = [keras.layers.Dense(2, name=name)(x) for name in ("age", "gender")]
    return keras.Model(body.input, heads)


NO_VGG = {
    "tanh": (lambda k: base(k, activation="tanh"), "block1_conv1 ends in tanh, where a VGG has"),
    "elu": (lambda k: base(k, activation="elu"), "block1_conv1 ends in elu, where a VGG has ReLU"),
    "sigmoid": (lambda k: base(k, activation="sigmoid"), "ends in sigmoid, where a VGG has ReLU"),
    "leaky": (lambda k: sequence(k, convolution(k, activation=None),
                                 k.layers.LeakyReLU(name="leaky")), "leaky is a layer of type Lea"),
    "capped": (lambda k: sequence(k, convolution(k, activation=None), k.layers.ReLU(6.0),
                                  convolution(k)), "ends in ReLU with max_value 6.0"),
    "average": (lambda k: sequence(k, convolution(k), k.layers.AveragePooling2D(2, name="pool"),
                                   convolution(k)), "pool is a layer of type AveragePooling2D"),
    "overlapping": (lambda k: sequence(k, convolution(k), k.layers.MaxPooling2D(3, 2, name="pool"),
                                       convolution(k)), "the pool_size of pool is [3, 3], not 2"),
    "dilated": (lambda k: sequence(k, convolution(k, dilation_rate=2, name="a")),
                "the dilation_rate of a is [2, 2], not 1"),
    "strided": (lambda k: sequence(k, convolution(k, strides=2, name="a")),
                "the strides of a is [2, 2], not 1"),
    "grouped": (lambda k: sequence(k, convolution(k), convolution(k, groups=2, name="a")),
                "the groups of a is 2, not 1"),
    "unpadded": (lambda k: sequence(k, convolution(k, padding="valid", name="a")),
                 "the padding of a is [0, 0, 0, 0], not 1"),
    "unbiased": (lambda k: sequence(k, convolution(k, use_bias=False, name="a")),
                 "lacks the bias of a"),
    "part of a map": (lambda k: sequence(k, convolution(k), k.layers.MaxPooling2D(),
                                         convolution(k, padding="valid", name="b")),
                      "b takes 3 x 3 of a map of 8 x 8"),
    "late norm": (lambda k: sequence(k, convolution(k), k.layers.BatchNormalization(),
                                     convolution(k)), "follows no convolution"),
    "stray zeros": (lambda k: sequence(k, k.layers.ZeroPadding2D(), k.layers.MaxPooling2D(name="p"),
                                       convolution(k)), "zeros are put around what p takes"),
    "grey": (lambda k: k.Sequential([k.Input((SIDE, SIDE, 1)), convolution(k)]),
             "its pictures have 1 channels, not 3"),
    "oblong": (lambda k: k.Sequential([k.Input((SIDE, 9, 3)), convolution(k)]),
               "pictures of 16 x 9, which are no square"),
    "late range": (lambda k: sequence(k, convolution(k), k.layers.Rescaling(2.0, name="r"),
                                      convolution(k)), "r is a layer of type Rescaling"),
    "joined": (joined, "sum joins a, b: it is no chain"),
    "forked": (forked, "it has 2 outputs (age, gender), not one"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", NO_VGG)
def test_what_its_configuration_shows_to_be_no_vgg_is_refused(
    keras: Any, tmp_path: Path, name: str, suffix: str
) -> None:
    build, fault = NO_VGG[name]
    path = tmp_path / f"net.{suffix}"
    build(keras).save(path)
    with pytest.raises(ValueError, match=r"no known VGG's; by its graph: ") as caught:
        load(path)
    assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


def headed(*layers: str) -> Build:
    """The small base with layers that are given as source, such as "Dense(3)"."""

    def build(keras: Any) -> Any:
        made = [eval(f"layers.{each}", {"layers": keras.layers}) for each in layers]
        return keras.Sequential([base(keras), *made])

    return build


@pytest.mark.parametrize(("layers", "fault"), [
    (("Flatten()", "Dense(5, 'tanh', name='a')", "Dense(3)"), "a ends in tanh, where a VGG has"),
    (("Flatten()", "Dense(5, 'relu')", "BatchNormalization(name='n')", "Dense(3)"),
     "n, a batch norm, follows no convolution"),
    (("GlobalMaxPooling2D(name='most')", "Dense(3)"), "most is a layer of type GlobalMaxPooling2D"),
    (("Flatten()", "Dense(3, 'sigmoid', name='a')"), "a ends in a sigmoid of several units"),
    (("Dense(3, name='a')",), "nothing flattens the map before a"),
    (("Flatten()", "Dense(5)", "Dense(3, name='b')"), "no ReLU lies between"),
    (("Flatten()", "Dense(5, 'relu', name='a')"), "a is not the last layer"),
    (("Flatten()", "Dense(3, 'relu', use_bias=False, name='a')", "Dense(3)"), "a has no bias"),
    (("Flatten()", "Dense(3, 'softmax', name='a')", "Softmax(name='b')"),
     "go through the softmax of a and then through the softmax of b"),
    (("Flatten()", "Dense(1, 'sigmoid', name='a')", "Activation('sigmoid', name='b')"),
     "go through the sigmoid of a and then through the sigmoid of b"),
    (("Flatten()", "Dense(3, 'softmax', name='a')", "ReLU()", "Dense(3)"),
     "a ReLU follows the softmax of a"),
])  # fmt: skip
def test_a_head_that_the_spec_cannot_say_is_left_out_and_named(
    keras: Any, tmp_path: Path, layers: tuple[str, ...], fault: str
) -> None:
    path = tmp_path / "net.keras"
    headed(*layers)(keras).save(path)
    found = inspect(path)
    assert found.spec.tokens == BODY
    (note,) = found.notes
    assert note.startswith("its head is left out: ")
    assert fault in note
    assert load(path).notes == found.notes


def test_a_dense_layer_that_does_not_fit_its_map_is_refused_or_left_out() -> None:
    found = drawn_net(in_keras_2(size=20, flat=True))
    assert found is not None
    assert found.sketch.matrices == ()
    assert "fc takes 96 numbers and is given 10 x 10 x 4" in found.remark


def in_keras_2(
    size: int = SIDE, flat: bool = False, before: list[dict[str, Any]] | None = None, **options: Any
) -> Any:
    """A file of Keras 2 in memory, whose nodes are lists of layer, node and tensor."""
    last, nodes = "input_1", [node("InputLayer", batch_input_shape=[None, size, size, 3])]
    nodes[0]["name"] = last
    for layer in (
        *(before or []),
        node("Conv2D", name="conv", padding="same", activation="relu", strides=[1, 1], **options),
        node("MaxPooling2D", name="pool", pool_size=[2, 2], strides=[2, 2], padding="valid"),
        *([node("Flatten", name="flatten"), node("Dense", name="fc")] if flat else []),
    ):
        layer["name"] = layer["config"]["name"]
        layer["inbound_nodes"] = [[[last, 0, 0, layer.pop("arguments", {})]]]
        last = layer["name"]
        nodes.append(layer)
    config = {"layers": nodes, "input_layers": [["input_1", 0, 0]], "output_layers": [[last, 0, 0]]}
    arrays = {"conv": ((3, 3, 3, 4), (4,)), **({"fc": ((96, 5), (5,))} if flat else {})}
    held: dict[str, NDArray[Any]] = {}
    for layer_name, shapes in arrays.items():
        for part, shape in zip(("kernel", "bias"), shapes, strict=True):
            held[f"model_weights/{layer_name}/{layer_name}/{part}:0"] = np.ones(shape, np.float32)
    return contents(held, "HDF5", model_config={"class_name": "Model", "config": config})


def node(class_name: str, arguments: dict[str, Any] | None = None, **settings: Any) -> Any:
    found = {"class_name": class_name, "config": settings}
    return found | ({"arguments": arguments} if arguments else {})


def test_keras_2_and_what_preprocess_input_left_in_its_models() -> None:
    turn = node("SlicingOpLambda", name="turn", function="__operators__.getitem",
                arguments={"slice_spec": [{"class_name": "__ellipsis__"},
                                          {"start": None, "stop": None, "step": -1}]})  # fmt: skip
    mean = node("TFOpLambda", name="tf.nn.bias_add", function="nn.bias_add",
                arguments={"bias": [-103.939, -116.779, -123.68], "data_format": "N"})  # fmt: skip
    drawing = drawn_net(in_keras_2(before=[turn, mean]))
    assert drawing is not None
    assert drawing.sketch.stages == (("conv",),)
    assert drawing.sketch.input_size == SIDE
    assert drawing.preprocessing == Preprocess.caffe(None, None)
    with pytest.raises(Unfit, match="abs is a layer of type TFOpLambda"):
        drawn_net(in_keras_2(before=[node("TFOpLambda", name="abs", function="math.abs")]))


def test_layers_that_early_tensorflow_called_otherwise() -> None:
    found = in_keras_2(flat=True)
    renamed = {name.replace("conv/conv/", "conv/conv_1/"): a for name, a in found.arrays.items()}
    drawing = drawn_net(replace(found, arrays=renamed))
    assert drawing is not None
    assert drawing.sources["conv", "weight"].name == "model_weights/conv/conv_1/kernel:0"


def test_ranges_beyond_all_numbers_are_refused() -> None:
    for scale in (10**400, 0, float("inf"), "1"):
        with pytest.raises(Unfit, match="r "):
            drawn_net(in_keras_2(before=[node("Rescaling", name="r", scale=scale)]))


@pytest.mark.parametrize("seed", range(4))
def test_damaged_configurations_are_read_or_end_in_one_line(
    keras: Any, tmp_path: Path, seed: int
) -> None:
    picture = keras.Input((SIDE, SIDE, 3))
    x = base(keras)(original(keras)(centred(keras)(picture)))
    x = keras.layers.Dense(1, "sigmoid")(keras.layers.GlobalAveragePooling2D()(x))
    keras.Model(picture, x).save(tmp_path / "net.keras")
    found = keras_files.read(tmp_path / "net.keras")
    config, chance = found.metadata["model_config"], random.Random(seed)
    places = [place for place in places_in(config) if place]
    refusals = []
    for _ in range(250):
        damaged = copy.deepcopy(config)
        *way, last = chance.choice(places)
        inner = damaged
        for step in way:
            inner = inner[step]
        inner[last] = copy.deepcopy(chance.choice(ODD))
        try:
            recognise(replace(found, metadata={"model_config": damaged}), "net")
        except ValueError as error:
            refusals.append(str(error))
    assert 0 < len(refusals) < 250
    assert all(each.startswith("net: ") and "\n" not in each for each in refusals)
    assert max(map(len, refusals)) < 1500


ODD = [None, 0, -1, 1.5, float("nan"), 10**400, "", [], {}, [[]], "relu", [1, 2, 3], 1e-320,
       {"class_name": 3}, {"config": 3}, "x" * 400]  # fmt: skip


def places_in(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    steps = value if isinstance(value, dict) else range(len(value)) if type(value) is list else ()
    for step in steps:
        yield from places_in(value[step], (*place, step))


def test_channels_first_are_refused() -> None:
    with pytest.raises(Unfit, match="conv is given channels first"):
        drawn_net(in_keras_2(data_format="channels_first"))


@pytest.mark.parametrize("config", [
    {}, {"config": 3}, {"config": {"layers": 3}}, {"config": {"layers": [3]}},
    {"config": {"layers": [{"class_name": "Conv2D"}]}},
    {"config": {"layers": [], "output_layers": [["a", 0, 0]]}},
    {"config": {"layers": [], "output_layers": 7}},
    {"config": {"layers": [{"class_name": "Conv2D", "config": {"name": "a"}, "name": "a",
                            "inbound_nodes": [[["a", 0, 0, {}]]]}], "output_layers": ["a", 0, 0]}},
    {"config": {"layers": [{"class_name": "Conv2D", "config": {"name": "a"}}]}},
])  # fmt: skip
def test_broken_configurations_end_in_unfit(config: dict[str, Any]) -> None:
    json.dumps(config)
    with pytest.raises(Unfit):
        drawn_net(contents({}, "Keras", model_config=config))


def test_models_in_models_without_end() -> None:
    model: Any = {"class_name": "Conv2D", "config": {"name": "a"}}
    for _ in range(20):
        model = {"class_name": "Sequential", "config": {"name": "s", "layers": [model]}}
    with pytest.raises(Unfit, match="models lie in models"):
        drawn_net(contents({}, "Keras", model_config=model))


def test_the_convolutions_helper_is_what_it_says(keras: Any) -> None:
    """A model that is compared with itself would prove nothing."""
    picture = keras.Input((SIDE, SIDE, 3))
    assert convolutions(keras, picture).shape == (None, SIDE // 4, SIDE // 4, 6)
