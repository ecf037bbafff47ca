import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from comparison import relative_error
from numpy.typing import NDArray
from PIL import Image
from small_nets import AVERAGE, EVERYTHING, FULLY_CONNECTED, HEADLESS, random_images, random_state

from vggnet import engines
from vggnet.class_lists import Label
from vggnet.engines.reference import ReferenceEngine
from vggnet.image import PictureError
from vggnet.model import Model, Prediction, load
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.weights import own_file
from vggnet.weights.weights import Weights

LABELS = tuple(Label(index, f"n0000000{index}", f"thing {index}, a thing") for index in range(7))


def weights(spec: Spec, **changes: object) -> Weights:
    preprocessing = Preprocess.torchvision(resize=spec.input_size + 2, crop=spec.input_size)
    labels = LABELS if spec.num_classes else ()
    return replace(Weights(spec, random_state(spec), preprocessing, labels), **changes)


def pixels(height: int = 40, width: int = 33, seed: int = 0) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(params=["numpy", "torch"])
def model(request: pytest.FixtureRequest) -> Model:
    return Model(weights(EVERYTHING), engine=request.param)


class Counting:
    """An engine that counts its calls and gives the logits that it was made with."""

    name = "counting"

    def __init__(self, spec: Spec, logits_NK: NDArray[np.float32]) -> None:
        self.spec, self.logits_NK, self.calls = spec, logits_NK, 0

    def __call__(self, images_NCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        self.calls += 1
        assert len(images_NCHW) == len(self.logits_NK)
        return self.logits_NK


def answering(*logits: list[float]) -> Model:
    """A model whose network says `logits`, whatever it is shown."""
    model = Model(weights(AVERAGE), engine="numpy")
    model.engine = Counting(AVERAGE, np.array(logits, np.float32))
    return model


def test_predictions_are_the_soft_max_best_first(model: Model) -> None:
    oracle = ReferenceEngine(EVERYTHING, random_state(EVERYTHING, dtype=np.float64))
    logits_K = oracle(model.preprocess(pixels()))[0]
    expected_K = np.exp(logits_K) / np.exp(logits_K).sum()
    found = model.predict(pixels(), top=3)
    assert [each.index for each in found] == list(np.argsort(-expected_K)[:3])
    for each in found:
        assert each.probability == pytest.approx(expected_K[each.index], rel=1e-4)
        assert (each.wnid, each.label) == (f"n0000000{each.index}", f"thing {each.index}")
        assert type(each.index) is int
        assert type(each.probability) is float


def test_every_kind_of_picture(tmp_path: Path) -> None:
    model = Model(weights(AVERAGE), engine="numpy")
    path = tmp_path / "picture.png"
    Image.fromarray(pixels()).save(path)
    expected = model.predict(pixels())
    assert len(expected) == 5
    for picture in (path, str(path), path.read_bytes(), Image.fromarray(pixels())):
        assert model.predict(picture) == expected


def test_a_list_of_pictures_is_one_call_of_the_engine() -> None:
    model = answering([0, 9, 0, 0, 0, 0, 0], [0, 0, 0, 0, 9, 0, 0])
    found = model.predict([pixels(), pixels(20, 50)], top=1)
    assert [[each.index for each in picture] for picture in found] == [[1], [4]]
    assert model.engine.calls == 1
    assert model.predict([]) == []
    assert model.engine.calls == 1


def test_a_list_gives_what_each_picture_gives(model: Model) -> None:
    pictures = [pixels(seed=1), pixels(30, 60, seed=2), pixels(seed=3)]
    for found, picture in zip(model.predict(pictures), pictures, strict=True):
        expected = model.predict(picture)
        assert [each.index for each in found] == [each.index for each in expected]
        assert [each.probability for each in found] == pytest.approx(
            [each.probability for each in expected], rel=1e-4
        )


def test_prepared_pictures_get_what_pictures_get(model: Model) -> None:
    images = np.concatenate([model.preprocess(pixels(seed=seed)) for seed in (1, 2)])
    assert model.classify(images, top=2) == model.predict([pixels(seed=1), pixels(seed=2)], top=2)
    with pytest.raises(ValueError, match="top 0 must be at least 1"):
        model.classify(images, top=0)


def test_large_logits_do_not_overflow_and_ties_go_to_the_lower_index() -> None:
    found = answering([-5000, 5000, 5000, 0, 0, 0, -5000]).predict(pixels(), top=3)
    assert [(each.index, each.probability) for each in found] == [(1, 0.5), (2, 0.5), (3, 0.0)]


def test_top_larger_than_the_classes_gives_all_and_below_one_is_refused() -> None:
    model = answering([0, 1, 2, 3, 4, 5, 6])
    found = model.predict(pixels(), top=100)
    assert [each.index for each in found] == [6, 5, 4, 3, 2, 1, 0]
    assert sum(each.probability for each in found) == pytest.approx(1)
    with pytest.raises(ValueError, match="top 0 must be at least 1"):
        model.predict(pixels(), top=0)
    with pytest.raises(ValueError, match="top -1 must be at least 1"):
        model.predict([pixels()], top=-1)


def test_classes_without_labels_go_by_their_number() -> None:
    model = Model(weights(AVERAGE, labels=()), engine="numpy")
    for each in model.predict(pixels()):
        assert (each.wnid, each.label) == ("", f"class {each.index}")


def test_a_picture_that_cannot_be_read() -> None:
    model = Model(weights(AVERAGE), engine="numpy")
    with pytest.raises(PictureError, match=r"nowhere\.jpg"):
        model.predict("nowhere.jpg")
    with pytest.raises(TypeError, match="not int"):
        model.predict(7)


def test_preprocess_gives_a_batch_of_one() -> None:
    model = Model(weights(AVERAGE), engine="numpy")
    image_1CHW = model.preprocess(pixels())
    assert image_1CHW.shape == (1, 3, 16, 16)
    assert image_1CHW.dtype == np.float32
    assert np.array_equal(image_1CHW[0], model.preprocessing(pixels()))


def test_batch_norm_is_folded_and_the_function_kept(model: Model) -> None:
    assert not model.spec.batch_norm
    assert "bn1_1" not in model.spec.layer_names
    assert model.engine.spec == model.spec == model.weights.spec
    images = random_images(2, 24, 24)
    oracle = ReferenceEngine(EVERYTHING, random_state(EVERYTHING, dtype=np.float64))
    assert relative_error(model.logits(images), oracle(images)) < 1e-5
    found = model.features(images, ["conv1_1", "relu1_2"])
    expected = oracle.features(images, ["bn1_1", "relu1_2"])
    assert relative_error(found["conv1_1"], expected["bn1_1"]) < 1e-5
    assert relative_error(found["relu1_2"], expected["relu1_2"]) < 1e-5


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_dense_logits_at_the_spec_s_size_are_the_logits(engine: str) -> None:
    model = Model(weights(FULLY_CONNECTED), engine=engine)
    images = random_images(2, 16, 16)
    dense = model.dense_logits(images)
    assert dense.shape == (2, 7, 1, 1)
    assert relative_error(dense[:, :, 0, 0], model.logits(images)) < 1e-5
    assert model.dense_logits(random_images(2, 24, 20)).shape == (2, 7, 3, 2)
    with pytest.raises(ValueError, match=r"at least 16 x 16, not 15 x 20"):
        model.dense_logits(random_images(1, 15, 20))
    with pytest.raises(ValueError, match=r"16 x 16 pictures, not 24 x 24; give that size"):
        model.logits(random_images(1, 24, 24))


@pytest.mark.parametrize("engine", ["numpy", "torch"])
def test_the_mean_of_dense_logits_over_a_global_average(engine: str) -> None:
    model = Model(weights(AVERAGE), engine=engine)
    images = random_images(2, 20, 28)
    dense = model.dense_logits(images)
    assert dense.shape == (2, 7, 5, 7)
    assert relative_error(dense.mean(axis=(2, 3)), model.logits(images)) < 1e-5


def test_the_dense_engine_is_made_once_and_like_the_other() -> None:
    model = Model(weights(FULLY_CONNECTED), "torch", "bf16", threads=1)
    assert "_dense_engine" not in vars(model)
    model.dense_logits(random_images(1, 16, 16))
    first = model._dense_engine
    model.dense_logits(random_images(1, 24, 24))
    assert model._dense_engine is first
    assert (first.name, first.precision, first.threads) == ("torch", "bf16", 1)


def test_a_net_without_a_head_gives_features_only() -> None:
    model = Model(weights(HEADLESS), engine="numpy")
    images = model.preprocess(pixels())
    assert model.features(images, ["conv2_1"])["conv2_1"].shape == (1, 8, 8, 8)
    for call in (
        lambda: model.logits(images),
        lambda: model.dense_logits(images),
        lambda: model.predict(pixels()),
    ):
        with pytest.raises(ValueError, match="has no classifier; use features"):
            call()


@pytest.mark.parametrize("engine", ["numpy", "torch", "auto"])
def test_a_weight_file_is_all_that_loading_needs(tmp_path: Path, engine: str) -> None:
    saved = weights(EVERYTHING)
    own_file.save(tmp_path / "net.safetensors", saved)
    expected = Model(saved, engine="numpy").predict(pixels())
    model = load(tmp_path / "net.safetensors", engine=engine)
    first = next(name for name, absence in engines.available().items() if absence is None)
    assert model.engine.name == (first if engine == "auto" else engine)
    assert (model.labels, model.preprocessing) == (saved.labels, saved.preprocessing)
    assert [each.index for each in model.predict(pixels())] == [each.index for each in expected]
    assert load(str(tmp_path / "net.safetensors")).labels == saved.labels


def test_the_model_inside_the_package() -> None:
    model = load("tiny-imagenet", engine="numpy")
    assert model.spec.num_classes == len(model.labels) == 200
    assert not model.spec.batch_norm
    assert len(model.predict(pixels(64, 64))) == 5


def test_a_model_speaks_chinese() -> None:
    english, chinese = load(engine="numpy"), load(engine="numpy", language="zh")
    picture = pixels(64, 64)
    found = chinese.predict(picture, top=200)
    assert [each.index for each in found] == [
        each.index for each in english.predict(picture, top=200)
    ]
    names = {each.wnid: each.label for each in found}
    assert (names["n02123045"], names["n03126707"]) == ("虎斑猫", "起重机")
    own = replace(weights(AVERAGE), labels=[replace(label, wnid="") for label in LABELS])
    assert load(own, engine="numpy", language="zh").labels[3].name == "thing 3, a thing"


def test_a_model_prints_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    own_file.save(path, weights(AVERAGE))
    parameters = 6 * 27 + 6 + 8 * 54 + 8 + 7 * 8 + 7
    assert repr(load(path, engine="torch", precision="bf16")) == (
        f"Model({path}: spec average, {parameters} parameters, engine torch, bf16)"
    )
    assert repr(Model(weights(AVERAGE), engine="numpy")) == (
        f"Model(weights in memory: spec average, {parameters} parameters, engine numpy, fp32)"
    )


def test_a_model_prints_what_it_computes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VGGNET_ISA", "portable")  # which has no bf16
    with pytest.warns(UserWarning, match="no products in bf16"):
        model = load(weights(AVERAGE), engine="native", precision="bf16")
    assert repr(model).endswith("engine native, fp32)")


def test_options_reach_the_engine() -> None:
    model = load(weights(AVERAGE), engine="torch", precision="bf16", threads=2, device="cpu")
    assert (model.engine.precision, model.engine.threads) == ("bf16", 2)
    with pytest.raises(ValueError, match="engine 'steam' must be one of"):
        load(weights(AVERAGE), engine="steam")


@pytest.mark.parametrize("engine", ["native", "torch", "numpy"])
@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_model_can_be_copied_and_sent_to_another_process(
    engine: str, again: Callable[[Model], Model]
) -> None:
    model = Model(weights(EVERYTHING), engine)
    images = random_images(2, EVERYTHING.input_size, EVERYTHING.input_size)
    expected = model.logits(images)
    copied = again(model)
    assert repr(copied) == repr(model)
    assert copied.engine is not model.engine
    np.testing.assert_array_equal(copied.logits(images), expected)


def test_a_prediction_is_a_value() -> None:
    each = Prediction(1, "n01443537", "goldfish", 0.5)
    assert each == Prediction(1, "n01443537", "goldfish", 0.5)
    with pytest.raises(FrozenInstanceError):
        each.index = 2
