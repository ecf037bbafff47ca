"""The explorer's server as a client meets it, within the process of the tests."""

import io
from typing import Any

import numpy as np
from PIL import Image
from places import EXAMPLES
from small_nets import random_state
from starlette.testclient import TestClient

from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.web.app import application
from vggnet.web.endpoint import Service
from vggnet.web.guard import Access
from vggnet.web.limits import Limits
from vggnet.weights.weights import Weights

CAT = (EXAMPLES / "cat.jpg").read_bytes()
JPEG = {"Content-Type": "image/jpeg"}


def client_of(service: Service, access: Access | None = None) -> TestClient:
    return TestClient(
        application(service, access), base_url="http://127.0.0.1", raise_server_exceptions=False
    )


def small_service(spec: Spec, limits: Limits | None = None) -> Service:
    """A net with random weights, by the NumPy engine."""
    preprocessing = Preprocess.torchvision(None, spec.input_size)
    model = Model(Weights(spec, random_state(spec), preprocessing), "numpy")
    return Service(model, "small", limits)


def picture(width: int = 40, height: int = 30, seed: int = 0, format: str = "PNG") -> bytes:
    """A picture of noise, as the bytes of a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def problem(response: Any, status: int) -> str:
    """The one sentence of a problem, whose form is checked."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert (found["type"], found["status"]) == ("about:blank", status)
    assert found["title"]
    assert found["detail"]
    assert "\n" not in found["detail"]
    return str(found["detail"])
