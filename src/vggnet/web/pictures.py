"""Answers about pictures: what is on them, and what the network computed on the way.

In: pictures and what was asked. Out: plain values, or a picture.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vggnet.explain import in_pixels
from vggnet.image import PictureError, open_picture
from vggnet.model import Model, Prediction
from vggnet.preprocess import Preprocess
from vggnet.web import problems
from vggnet.web.endpoint import PNG, Asked, Endpoint, File, Service
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem
from vggnet.web.uploads import Upload

TOP = Parameter("top", "Classes for each picture", "integer", 5, low=1, high=1000)
SIZE = Parameter("size", "Side in pixels of what the network is given", "integer", low=1, high=448)


@dataclass(frozen=True, eq=False)
class Prepared:
    """What the network is given of a picture, and where that lies in the picture."""

    image_CHW: NDArray[np.float32]
    photograph: tuple[int, int]  # width and height in pixels
    crop: tuple[float, float, float, float]  # left, top, width, height


def prepared(service: Service, preprocessing: Preprocess, upload: Upload) -> Prepared:
    """Raises PictureError for a picture that cannot be used, before it is decoded if possible."""
    rgb = open_picture(upload.data, upload.name, service.limits.pixels)
    image_CHW = preprocessing(rgb, upload.name)
    try:
        service.model.spec.layers_at(*image_CHW.shape[1:])
    except ValueError as error:
        raise PictureError(f"{upload.name}: {error}") from None
    return Prepared(image_CHW, rgb.size, preprocessing.seen(*rgb.size))


def view(model: Model, size: int | None) -> Preprocess:
    """The model's view in `size` pixels, by default its own.

    Raises Problem for another size of a net that has only one, and for one that is too small.
    """
    own = model.preprocessing
    if size is None or size == own.crop:
        return own
    spec = model.spec
    if not spec.any_size:
        raise Problem(422, f"parameter size, {size}: this network takes {own.crop} pixels only")
    if size < spec.minimum_size:
        raise Problem(422, f"parameter size, {size}: give {spec.minimum_size} pixels or more")
    return in_pixels(own, size)


async def predictions(service: Service, uploads: tuple[Upload, ...], top: int) -> Any:
    """The classes of each picture, those of many requests computed together.

    A picture that cannot be used has its fault instead; where it is the only one, that is raised.
    """
    if service.model.spec.num_classes is None:
        raise Problem(422, "this network has no class scores, only features")
    start = time.perf_counter()
    found = await asyncio.gather(
        *(_predicted(service, each, top) for each in uploads), return_exceptions=True
    )
    answers = []
    for upload, each in zip(uploads, found, strict=True):
        if isinstance(each, PictureError) and len(uploads) > 1:
            answers.append(
                {"image": upload.name, "error": str(each), "status": problems.of(each).status}
            )
        elif isinstance(each, BaseException):
            raise each
        else:
            answers.append(each)
    milliseconds = 1000 * (time.perf_counter() - start)
    return [each if "error" in each else {**each, "milliseconds": milliseconds} for each in answers]


async def _predicted(service: Service, upload: Upload, top: int) -> dict[str, Any]:
    model = service.model
    ready = await service.quick.run(lambda _: prepared(service, model.preprocessing, upload))
    classes: list[Prediction] = await service.batcher.answer(ready.image_CHW)
    width, height = ready.photograph
    return {
        "image": upload.name,
        "engine": model.engine.name,
        "precision": model.engine.precision,
        "weights": service.name,
        "predictions": [service.answer_json(each) for each in classes[:top]],
        "size": list(ready.image_CHW.shape[1:]),
        "photograph": {"width": width, "height": height},
        "crop": dict(zip(("left", "top", "width", "height"), ready.crop, strict=True)),
    }


def _view(asked: Asked) -> File:
    from vggnet.drawing.maps import png

    upload = asked.picture
    rgb = open_picture(upload.data, upload.name, asked.service.limits.pixels)
    preprocessing = view(asked.model, asked.values["size"])
    return File(png(preprocessing.rescale_and_crop(rgb, upload.name)), PNG)


def _unused(asked: Asked) -> Any:
    raise NotImplementedError


PREDICT = Endpoint(
    "/api/predict", "POST", "What is on pictures", _unused, (TOP,), "pictures",
    members=("image",),
)  # fmt: skip
ENDPOINTS = (
    PREDICT,
    Endpoint("/api/view", "POST", "What the network is given of a picture", _view, (SIZE,),
             "picture", (PNG,)),
)  # fmt: skip
