"""What the server says of pictures, against the functions beneath it."""

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_nets import FULLY_CONNECTED, HEADLESS
from web_client import CAT, EXAMPLES, JPEG, client_of, picture, problem, small_service

from vggnet.explain import explain, in_pixels
from vggnet.units import field_of, most_exciting, unit_sum

NAMES = ("cat.jpg", "espresso.jpg", "uniform.jpg")


@pytest.fixture
def small() -> Iterator[Any]:
    """A client of a net with FC layers, which takes 16 pixels only."""
    service = small_service(FULLY_CONNECTED)
    with client_of(service) as client:
        yield client
    service.close()


def values(matrix: dict[str, Any]) -> np.ndarray:
    """The numbers of a matrix, each within half a step of 255."""
    data = np.frombuffer(base64.b64decode(matrix["data"]), np.uint8).astype(float)
    shape = (matrix["height"], matrix["width"])
    return (matrix["low"] + data / 255 * (matrix["high"] - matrix["low"])).reshape(shape)


def near(matrix: dict[str, Any], expected: np.ndarray) -> bool:
    step = (matrix["high"] - matrix["low"]) / 255
    return bool(np.abs(values(matrix) - expected).max() <= 0.51 * step + 1e-6)


def test_a_picture_gets_its_classes(client: Any, embedded_service: Any) -> None:
    response = client.post("/api/predict?top=3", content=CAT, headers=JPEG)
    (found,) = response.json()
    expected = embedded_service.model.predict(CAT, 3)
    assert [each["label"] for each in found["predictions"]] == [each.label for each in expected]
    for each, right in zip(found["predictions"], expected, strict=True):
        assert each["probability"] == pytest.approx(right.probability, abs=1e-5)
        assert (each["index"], each["wnid"]) == (right.index, right.wnid)
    assert found["predictions"][0]["label_zh"] == "虎斑猫"
    assert found["weights"] == "tiny-imagenet"
    assert (found["engine"], found["precision"]) == (
        embedded_service.model.engine.name, "fp32",
    )  # fmt: skip
    assert response.headers["server-timing"].startswith("infer;dur=")


def test_what_the_network_saw_of_it(client: Any) -> None:
    (found,) = client.post("/api/predict", content=CAT, headers=JPEG).json()
    width, height = Image.open(io.BytesIO(CAT)).size
    assert found["photograph"] == {"width": width, "height": height}
    crop = found["crop"]
    assert crop["height"] == pytest.approx(height, abs=1)
    assert crop["width"] == pytest.approx(height, abs=1)
    assert crop["left"] + crop["width"] / 2 == pytest.approx(width / 2, abs=2)


def test_several_pictures_of_which_one_is_bad(client: Any) -> None:
    files = [("images", (name, (EXAMPLES / name).read_bytes())) for name in NAMES]
    files.insert(1, ("images", ("notes.txt", b"no picture")))
    found = client.post("/api/predict?top=1", files=files).json()
    assert [each["image"] for each in found] == ["cat.jpg", "notes.txt", *NAMES[1:]]
    assert found[1]["error"].startswith("notes.txt: not a JPEG")
    assert (found[1]["status"], found[1]["code"]) == (415, "picture-format")
    assert [each["predictions"][0]["label"] for each in found if "predictions" in each] == [
        "tabby", "espresso", "bow tie",
    ]  # fmt: skip


def test_a_single_bad_picture_is_a_problem(client: Any) -> None:
    response = client.post("/api/predict", content=b"no picture", headers=JPEG)
    assert "not a JPEG" in problem(response, 415)
    cut = client.post("/api/predict", content=CAT[:5000], headers=JPEG)
    assert "cannot be read" in problem(cut, 422)


def test_an_upright_view(client: Any, embedded_service: Any) -> None:
    response = client.post("/api/view?size=224", content=CAT, headers=JPEG)
    shown = Image.open(io.BytesIO(response.content))
    expected = in_pixels(embedded_service.model.preprocessing, 224).rescale_and_crop(CAT)
    assert np.array_equal(np.asarray(shown), np.asarray(expected))
    own = client.post("/api/view", content=CAT, headers=JPEG)
    assert Image.open(io.BytesIO(own.content)).size == (104, 104)


def test_a_view_is_taken_as_it_is() -> None:
    """Though a photograph of its size would be rescaled, and cropped, to less."""
    service = small_service(FULLY_CONNECTED)
    model = service.model
    own = replace(model.preprocessing, resize=24)
    model.weights = replace(model.weights, preprocessing=own)
    with client_of(service) as client:

        def answer(path: str, content: bytes) -> Any:
            return client.post(f"/api/{path}", content=content, headers=JPEG).json()

        view = client.post("/api/view", content=picture(), headers=JPEG).content
        for path in ("features?layer=conv1_1", "excite?layer=conv1_1&channel=1",
                     "unit?layer=conv1_1&channel=1&row=3&column=4"):  # fmt: skip
            expected = answer(path, picture())
            assert answer(f"{path}&viewed=true", view) == expected
            assert answer(path, view) != expected
    service.close()


def test_maps_of_a_layer(client: Any, embedded_service: Any) -> None:
    model = embedded_service.model
    found = client.post(
        "/api/features?layer=conv3_3&size=224&channels=2:5", content=CAT, headers=JPEG
    ).json()
    image = in_pixels(model.preprocessing, 224)(CAT)
    expected = model.features(image[None], ["conv3_3"])["conv3_3"][0]
    assert (found["channels"], found["height"], found["width"]) == expected.shape
    assert (found["first"], found["size"], found["signed"]) == (2, [224, 224], True)
    assert len(found["maps"]) == 3
    for matrix, map_HW in zip(found["maps"], expected[2:5], strict=True):
        assert matrix["low"] == -matrix["high"]
        assert near(matrix, map_HW)
    after = client.post("/api/features?layer=relu3_3", content=CAT, headers=JPEG).json()
    assert not after["signed"]
    assert {matrix["low"] for matrix in after["maps"]} == {0}
    flat = client.post("/api/features?layer=fc6&channels=0:1", content=CAT, headers=JPEG).json()
    assert (flat["height"], flat["width"], len(flat["maps"])) == (1, 1, 1)


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("layer=conv9_9", "no layer 'conv9_9'"),
        ("", "parameter layer is missing"),
        ("layer=conv1_1&size=448", "ask for 20 maps of 448x448 or fewer"),
        ("layer=conv1_1&size=449", "give a number from 1 to 448"),
        ("layer=conv1_1&size=8", "give 32 pixels or more"),
        ("layer=conv1_1&channels=44:50", "the layer has 0:44"),
        ("layer=conv1_1&channels=x", "first and last channel"),
    ],
)
def test_maps_that_there_are_not(client: Any, query: str, part: str) -> None:
    response = client.post(f"/api/features?{query}", content=CAT, headers=JPEG)
    assert part in problem(response, 422)


def test_one_unit_of_a_convolution(client: Any, embedded_service: Any) -> None:
    model = embedded_service.model
    found = client.post(
        "/api/unit?layer=conv3_2&channel=5&row=0&column=20&size=224", content=CAT, headers=JPEG
    ).json()
    image = in_pixels(model.preprocessing, 224)(CAT)
    unit = unit_sum(model, image, "conv3_2", 5, 0, 20)
    assert found["value"] == pytest.approx(unit.value)
    assert found["sum_of_products"] + found["bias"] == pytest.approx(found["value"])
    sums = [each["sum"] for each in found["products_by_channel"]]
    assert sum(sums) == pytest.approx(found["sum_of_products"], abs=1e-4)
    assert [abs(each) for each in sums] == sorted(map(abs, sums), reverse=True)
    shown = found["shown"]
    assert shown == [each["channel"] for each in found["products_by_channel"][: len(shown)]]
    assert np.allclose(found["patch"], unit.patch_CYX[shown])
    assert np.allclose(found["kernel"], unit.kernel_CYX[shown])
    field = field_of(model.spec, "conv3_2", 0, 20, (224, 224)).cut(224, 224)
    assert found["field"] == {
        "left": field.left, "top": 0, "width": field.right - field.left, "height": field.bottom,
        "cut": True, "receptive_field": 32,
    }  # fmt: skip


def test_one_unit_of_a_pool(client: Any, embedded_service: Any) -> None:
    found = client.post(
        "/api/unit?layer=pool5&channel=4&row=3&column=3&size=224", content=CAT, headers=JPEG
    ).json()
    assert found["field"] == {
        "left": 6, "top": 6, "width": 212, "height": 212, "cut": False, "receptive_field": 212,
    }  # fmt: skip
    model = embedded_service.model
    image = in_pixels(model.preprocessing, 224)(CAT)
    assert found["value"] == pytest.approx(
        model.features(image[None], ["pool5"])["pool5"][0, 4, 3, 3]
    )
    assert found["patch"] == found["kernel"] == []


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("layer=conv3_2&channel=176", "conv3_2 has 176"),
        ("layer=conv3_2&channel=0&row=26", "has no position (26, 0)"),
        ("layer=conv3_2&channel=-1", "give a number from 0 to"),
    ],
)
def test_units_that_there_are_not(client: Any, query: str, part: str) -> None:
    response = client.post(f"/api/unit?{query}", content=CAT, headers=JPEG)
    assert part in problem(response, 422)


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "values"),
    [
        ("features?layer=x", CAT, 422, "unknown-layer", {"layer": "x"}),
        ("excite?layer=x&channel=0", CAT, 422, "unknown-layer", {"layer": "x"}),
        ("explain?class=dodo", CAT, 422, "unknown-class", {"class": "dodo"}),
        ("explain?class=200", CAT, 422, "unknown-class", {"class": "200"}),
        ("view", b"no picture", 415, "picture-format", None),
        ("view", CAT[:5000], 422, "picture", None),
    ],
)
def test_mistakes_have_names(
    client: Any, path: str, body: bytes, status: int, code: str, values: Any
) -> None:
    response = client.post(f"/api/{path}", content=body, headers=JPEG)
    problem(response, status)
    assert response.json().get("code") == code
    assert values is None or response.json()["values"] == values


def test_what_excites_a_channel(client: Any, embedded_service: Any) -> None:
    model = embedded_service.model
    files = [("images", (name, (EXAMPLES / name).read_bytes())) for name in NAMES]
    found = client.post("/api/excite?layer=relu4_3&channel=7&size=160&top=4", files=files).json()
    view = in_pixels(model.preprocessing, 160)
    images = [view(EXAMPLES / name) for name in NAMES]
    expected = most_exciting(model, images, "relu4_3", 7, 4)
    assert len(found["patches"]) == 4
    for each, right in zip(found["patches"], expected, strict=True):
        assert (each["image"], each["row"], each["column"]) == (
            right.image, right.row, right.column,
        )  # fmt: skip
        assert each["value"] == pytest.approx(right.value)
        assert each["name"] == NAMES[right.image]
        assert each["field"]["receptive_field"] == 92


def test_why_it_says_so(client: Any, embedded_service: Any) -> None:
    found = client.post("/api/explain", content=CAT, headers=JPEG).json()
    (expected,) = explain(embedded_service.model, CAT).maps
    assert found["method"] == "grad-cam"
    assert (found["layer"], found["positions"], found["size"]) == ("relu5_3", [14, 14], [232, 232])
    assert found["caption"] == expected.caption
    assert found["target"]["label"] == "tabby"
    assert found["probability_there"] == pytest.approx(expected.probability)
    assert (found["empty"], found["signed"]) == (None, False)
    assert near(found["values"], expected.values_HW)


def test_why_another_class_and_how_else(client: Any) -> None:
    for name in ("Egyptian cat", "埃及猫", "n02124075", "32"):
        found = client.post(
            "/api/explain", params={"class": name}, content=CAT, headers=JPEG
        ).json()
        assert found["target"]["index"] == 32
    hidden = client.post("/api/explain?method=occlusion&size=48", content=CAT, headers=JPEG).json()
    assert (hidden["positions"], hidden["size"], hidden["patch"]) == ([48, 48], [48, 48], 12)
    assert hidden["signed"]
    assert hidden["values"]["low"] == -hidden["values"]["high"]
    assert "no class 'dodo'" in problem(
        client.post("/api/explain?class=dodo", content=CAT, headers=JPEG), 422
    )
    assert "must be from 0 to 199" in problem(
        client.post("/api/explain?class=200", content=CAT, headers=JPEG), 422
    )


def test_why_as_a_picture(client: Any, embedded_service: Any) -> None:
    response = client.post("/api/explain?format=png", content=CAT, headers=JPEG)
    shown = Image.open(io.BytesIO(response.content))
    expected = explain(embedded_service.model, CAT, name="picture").picture()
    assert np.array_equal(np.asarray(shown), np.asarray(expected))


def test_a_net_of_one_size(small: Any) -> None:
    (found,) = small.post("/api/predict", content=picture(), headers=JPEG).json()
    assert found["size"] == [16, 16]
    assert "label_zh" not in found["predictions"][0]
    response = small.post("/api/features?layer=conv1_1&size=32", content=picture(), headers=JPEG)
    assert "takes 16 pixels only" in problem(response, 422)
    assert (response.json()["code"], response.json()["values"]) == ("one-size", {"side": 16})
    # No net looks at a view: it may have any size.
    assert small.post("/api/view?size=32", content=picture(), headers=JPEG).status_code == 200
    tiny = small.post("/api/predict", content=picture(10, 10), headers=JPEG)
    assert "a crop of 16 x 16 does not fit" in problem(tiny, 422)


def test_a_net_without_classes() -> None:
    service = small_service(HEADLESS)
    with client_of(service) as client:
        response = client.post("/api/predict", content=picture(), headers=JPEG)
        assert "no class scores" in problem(response, 422)
        assert response.json()["code"] == "no-classes"
        assert "no classifier" in problem(
            client.post("/api/explain", content=picture(), headers=JPEG), 422
        )
        assert client.get("/api/model").json()["methods"] == []
    service.close()
