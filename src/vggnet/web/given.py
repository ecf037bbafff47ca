"""What the network is given of a picture: decoded, rescaled and cropped, in bounds.

In: the bytes of a picture. Out: an array for the engine, and where it lies in the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vggnet import engines
from vggnet.explain import in_pixels
from vggnet.image import PictureError, open_picture, pixels_of
from vggnet.model import Model
from vggnet.preprocess import Preprocess
from vggnet.spec import Spec
from vggnet.web.endpoint import Service
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem, checking
from vggnet.web.uploads import Upload

SIZE = Parameter("size", "Side in pixels of what the network is given", "integer", low=1, high=448)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the network is given of a picture, and where that lies in the picture."""

    image_CHW: NDArray[np.float32]
    photograph: tuple[int, int]  # width and height in pixels
    crop: tuple[float, float, float, float]  # left, top, width, height


@contextmanager
def decoded(service: Service, upload: Upload) -> Iterator[Image.Image]:
    """The picture in RGB, as long as there is room for its pixels.

    Raises PictureError for one that cannot be used, before it is decoded if possible.
    """
    most = service.limits.pixels
    with service.pixels.room_for(pixels_of(upload.data, upload.name, most)):
        yield open_picture(upload.data, upload.name, most)


def prepared(service: Service, preprocessing: Preprocess, upload: Upload) -> Prepared:
    """Raises PictureError for a picture that cannot be used, before it is decoded if possible."""
    with decoded(service, upload) as rgb:
        photograph = rgb.size
        image_CHW = preprocessing(rgb, upload.name)
    try:
        service.model.spec.layers_at(*image_CHW.shape[1:])
    except ValueError as error:
        raise PictureError(f"{upload.name}: {error}") from None
    return Prepared(image_CHW, photograph, preprocessing.seen(*photograph))


def check_layer(spec: Spec, name: str) -> None:
    """Raises Problem for a layer that there is not."""
    with checking("unknown-layer", layer=name):
        spec.check_names([name])


def check_torch(method: str) -> None:
    """Raises Problem for the method that needs torch where there is none."""
    if method == "gradient" and engines.available()["torch"] is not None:
        raise Problem(422, "gradient needs torch: pip install 'vggnet[train]'", "needs-torch")


def view(model: Model, size: int | None) -> Preprocess:
    """The model's view in `size` pixels, by default its own.

    Raises Problem for another size of a net that has only one, and for one that is too small.
    """
    own = model.preprocessing
    if size is None or size == own.crop:
        return own
    spec = model.spec
    if not spec.any_size:
        raise Problem(
            422, f"parameter size, {size}: this network takes {own.crop} pixels only", "one-size",
            values={"side": own.crop},
        )  # fmt: skip
    if size < spec.minimum_size:
        raise Problem(
            422, f"parameter size, {size}: give {spec.minimum_size} pixels or more", "small-size",
            values={"least": spec.minimum_size},
        )  # fmt: skip
    return in_pixels(own, size)
