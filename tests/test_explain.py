"""Explanations of photographs: which view, which class, what is said where there is nothing."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from places import EXAMPLES
from small_nets import AVERAGE, FULLY_CONNECTED, random_state

import vggnet
from vggnet.attribution import grad_cam
from vggnet.explain import METHODS, enlarged_view, explain, in_pixels
from vggnet.image import PictureError
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.weights.weights import Weights

CAT = EXAMPLES / "cat.jpg"


@pytest.fixture(scope="module")
def model() -> Model:
    return vggnet.load()


def test_answers_at_its_own_size_and_a_map_with_14_positions(model: Model) -> None:
    found = explain(model, CAT)
    assert found.size == (104, 104)
    assert found.answers == model.predict(CAT)
    assert found.target == found.answers[0]
    (cam,) = found.maps
    assert (cam.size, cam.values_HW.shape) == ((232, 232), (14, 14))
    view = replace(model.preprocessing, resize=232, crop=232)
    images = view(CAT)[None]
    assert np.array_equal(cam.values_HW, grad_cam(model, images, [found.target.index])[0])
    at_232 = model.classify(images, top=200)[0]
    assert cam.probability == next(
        each.probability for each in at_232 if each.index == found.target.index
    )
    assert cam.caption.startswith("relu5_3, 14x14 positions, at 232x232 pixels, where the class")


def test_of_two_classes_with_one_name_the_right_bar_is_marked(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = explain(model, CAT)
    cranes = [replace(each, label="crane") for each in found.answers[:2]]
    marked: list[int] = []
    monkeypatch.setattr("vggnet.explain.panels", lambda *given: marked.append(given[4]))
    for target in cranes:
        replace(found, answers=cranes, target=target).picture()
    assert marked == [0, 1]


def test_all_methods_for_a_class_of_ones_own(model: Model) -> None:
    found = explain(model, CAT, METHODS, target=3, patch=40, stride=20)
    assert [each.method for each in found.maps] == list(METHODS)
    assert found.target.index == 3
    assert found.target not in found.answers
    cam, hidden, slope = found.maps
    assert (hidden.size, hidden.values_HW.shape, slope.values_HW.shape) == (
        (104, 104), (104, 104), (104, 104)
    )  # fmt: skip
    assert hidden.details == {"patch": 40, "stride": 20}
    assert hidden.probability == found.target.probability
    assert (cam.scale, hidden.scale, slope.scale) == ("viridis", "signed", "viridis")
    low, high = hidden.range
    assert low == -high == -np.abs(hidden.values_HW).max()


def test_a_net_of_one_size_is_explained_at_that() -> None:
    weights = Weights(FULLY_CONNECTED, random_state(FULLY_CONNECTED), Preprocess.paper(20, 16))
    model = Model(weights)
    assert enlarged_view(model) == model.preprocessing
    assert explain(model, CAT).maps[0].size == (16, 16)


def test_the_view_is_the_same_in_more_pixels() -> None:
    assert in_pixels(Preprocess.paper(256, 224), 448).resize == 512
    assert in_pixels(Preprocess.paper(256, 224), 448).crop == 448
    assert in_pixels(Preprocess.paper(256, None), 448).resize == 448
    weights = Weights(AVERAGE, random_state(AVERAGE), Preprocess.paper(20, 16))
    assert enlarged_view(Model(weights)) == Preprocess.paper(35, 28)  # 14 positions, one a 2 pixels


def empty_map(target: int = 0) -> vggnet.explain.Explanation:
    """Of a net whose class 0 nothing speaks for."""
    state = random_state(AVERAGE)
    state["fc3.weight"] = -np.abs(state["fc3.weight"])
    weights = Weights(AVERAGE, state, Preprocess.torchvision(None, 16))
    weights = replace(weights, preprocessing=Preprocess.torchvision(20, 16))
    return explain(Model(weights), CAT, target=target)


def test_an_empty_map_is_said_to_be_empty() -> None:
    found = empty_map()
    (cam,) = found.maps
    assert cam.empty
    assert cam.range == (0, 0)
    assert cam.caption.endswith("; empty: nowhere does the layer speak for this class")
    assert cam.to_json()["empty"] is True
    assert found.picture().size > (0, 0)


@pytest.mark.parametrize("methods", [(), ("grad-cam",), METHODS])
def test_the_picture_has_a_panel_for_each_map(model: Model, methods: tuple[str, ...]) -> None:
    found = explain(model, CAT, methods)  # type: ignore[arg-type]
    picture = found.picture()
    assert picture.width == 2 * (16 + (1 + len(methods)) * (224 + 16))
    shown = np.asarray(picture)
    assert (shown[-8:] == 255).all()  # nothing is cut off
    assert (shown[:, -16:] == 255).all()
    assert Image.open(io.BytesIO(found._repr_png_())).size == picture.size


def test_the_overlay_is_the_photograph_at_strength_0(model: Model) -> None:
    found = explain(model, CAT)
    at_0, at_1 = (np.asarray(found.picture(strength), int) for strength in (0.0, 1.0))
    rows, columns = slice(160, 500), slice(530, 940)  # within the map's panel
    assert np.ptp(at_0[rows, columns], axis=-1).max() == 0  # grey
    assert np.ptp(at_1[rows, columns], axis=-1).mean() > 30


def test_json_is_plain(model: Model) -> None:
    found = json.loads(json.dumps(explain(model, CAT, ("grad-cam", "occlusion")).to_json()))
    assert [each["label"] for each in found["predictions"]][:1] == ["tabby"]
    cam, hidden = found["maps"]
    assert np.shape(cam["values"]) == (14, 14)
    assert cam["layer"] == "relu5_3"
    assert (hidden["patch"], hidden["stride"]) == (26, 8)
    assert (found["height"], cam["height"]) == (104, 232)


def test_a_map_shows_itself_in_a_notebook(model: Model) -> None:
    assert explain(model, CAT).maps[0]._repr_png_().startswith(b"\x89PNG")


def test_mistakes(model: Model) -> None:
    with pytest.raises(ValueError, match="method 'lime' must be one of grad-cam, occlusion"):
        explain(model, CAT, "lime")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="class 200 must be from 0 to 199"):
        explain(model, CAT, target=200)
    with pytest.raises(PictureError, match=r"nothing\.jpg"):
        explain(model, "nothing.jpg")
