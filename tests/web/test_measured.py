"""What the server says of the model that it serves."""

import base64
from typing import Any

import numpy as np
import pytest
from small_nets import FULLY_CONNECTED
from web_client import client_of, problem, small_service

import vggnet
from vggnet.drawing.maps import filter_pixels
from vggnet.model import Model


def test_the_model(client: Any, embedded_service: Any) -> None:
    found = client.get("/api/model").json()
    model = embedded_service.model
    assert (found["weights"], found["architecture"]) == ("tiny-imagenet", "D")
    assert found["tokens"] == list(model.spec.tokens)
    assert (found["input_size"], found["any_size"], found["classes"]) == (104, True, 200)
    assert [each["name"] for each in found["layers"]] == list(model.spec.layer_names)
    assert {"name": "conv3_3", "type": "conv", "channels": 176} in found["layers"]
    assert found["methods"] == ["grad-cam", "occlusion", "gradient"]
    assert (found["explain_layer"], found["version"]) == ("relu5_3", vggnet.__version__)
    assert found["engine"] == model.engine.name


def test_the_first_filters(client: Any, embedded_service: Any) -> None:
    found = client.get("/api/filters").json()
    weights = embedded_service.model.weights.state["conv1_1.weight"]
    pixels, _ = filter_pixels(np.asarray(weights))
    assert (found["layer"], found["height"], found["width"]) == ("conv1_1", 3, 3)
    assert [base64.b64decode(each) for each in found["filters"]] == [
        each.tobytes() for each in pixels
    ]


def test_a_field_is_measured_once(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = client.get("/api/effective-field?layer=conv2_1").json()
    assert (found["receptive_field"], found["picture_side"]) == (10, 32)
    assert 1 < found["effective_field"] < 10.1
    assert found["values"]["height"] == 32
    monkeypatch.delattr("vggnet.web.measured.effective_field")
    assert client.get("/api/effective-field?layer=conv2_1").json() == found


def test_a_field_is_measured_in_seconds(
    embedded_service: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred passes of large pictures and some, not six hundred."""
    pictures = []
    features = Model.features

    def counted(model: Model, images_NCHW: Any, names: Any) -> Any:
        pictures.append(len(images_NCHW))
        return features(model, images_NCHW, names)

    monkeypatch.setattr(Model, "features", counted)
    found = client.get("/api/effective-field?layer=conv3_2").json()
    assert found["receptive_field"] == 32
    assert sum(pictures) == 1 + 11 * 11  # blocks of 3 pixels


def test_a_field_by_gradient(client: Any) -> None:
    found = client.get("/api/effective-field?layer=conv2_1&method=gradient").json()
    field = found["field"]
    data = np.frombuffer(base64.b64decode(found["values"]["data"]), np.uint8).reshape(32, 32)
    rows = slice(field["top"], field["top"] + field["height"])
    columns = slice(field["left"], field["left"] + field["width"])
    assert data.max() == 255
    assert data[rows, columns].sum() == data.sum()  # nothing beyond what it can see


def test_a_field_of_a_layer_without_a_map(client: Any) -> None:
    assert "has no map" in problem(client.get("/api/effective-field?layer=fc6"), 422)
    assert "no layer 'x'" in problem(client.get("/api/effective-field?layer=x"), 422)


def test_times_of_layers(client: Any) -> None:
    found = client.get("/api/times").json()
    together = [name for each in found["layers"] for name in each["computed_together"]]
    assert together[:3] == ["conv1_1", "relu1_1", "conv1_2"]
    assert all(each["seconds"] >= 0 for each in found["layers"])
    described = client.get("/api/describe?config=loaded").json()
    assert sum(each["macs"] for each in found["layers"]) == described["macs"]


def test_of_a_net_with_one_size() -> None:
    service = small_service(FULLY_CONNECTED)
    with client_of(service) as client:
        assert client.get("/api/effective-field?layer=conv2_1").json()["picture_side"] == 16
        assert client.get("/api/times").json()["input_size"] == 16
        assert client.get("/api/model").json()["any_size"] is False
    service.close()
