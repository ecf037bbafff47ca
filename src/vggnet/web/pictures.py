"""What is on pictures, and what the network is given of one.

In: pictures. Out: their classes, those of many requests computed together; or a picture.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from vggnet.drawing.maps import png
from vggnet.explain import in_pixels
from vggnet.image import PictureError
from vggnet.model import Prediction
from vggnet.web import problems
from vggnet.web.endpoint import PNG, Asked, Endpoint, File, Service
from vggnet.web.given import SIZE, decoded, prepared
from vggnet.web.parameters import Parameter
from vggnet.web.problems import Problem
from vggnet.web.uploads import Upload


async def _predict(asked: Asked) -> Any:
    """The classes of each picture, those of many requests computed together.

    A picture that cannot be used has its fault instead; where it is the only one, that is raised.
    """
    service, uploads, top = asked.service, asked.pictures, asked.values["top"]
    if service.model.spec.num_classes is None:
        raise Problem(422, "this network has no class scores, only features", "no-classes")
    start = time.perf_counter()
    found = await asyncio.gather(
        *(_predicted(service, each, top) for each in uploads), return_exceptions=True
    )
    answers = []
    for upload, each in zip(uploads, found, strict=True):
        if isinstance(each, PictureError) and len(uploads) > 1:
            problem = problems.of(each)
            answers.append({"image": upload.name, "error": problem.detail, "status": problem.status,
                            **problem.more})  # fmt: skip
        elif isinstance(each, BaseException):
            raise each
        else:
            answers.append(each)
    milliseconds = 1000 * (time.perf_counter() - start)
    return [each if "error" in each else {**each, "milliseconds": milliseconds} for each in answers]


async def _predicted(service: Service, upload: Upload, top: int) -> dict[str, Any]:
    model = service.model
    ready = await service.workers["pictures"].run(
        lambda _: prepared(service, model.preprocessing, upload)
    )
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
    upload = asked.picture
    own, size = asked.model.preprocessing, asked.values["size"]
    preprocessing = own if size is None else in_pixels(own, size)  # of any size: no net looks at it
    with decoded(asked.service, upload) as rgb:
        shown = preprocessing.rescale_and_crop(rgb, upload.name)
    return File(png(shown), PNG)


ENDPOINTS = (
    Endpoint(
        "/api/predict", "POST", "What is on pictures", _predict,
        (Parameter("top", "Classes for each picture", "integer", 5, low=1, high=1000),), "pictures",
        members=("image",), threads="pictures",
    ),
    Endpoint("/api/view", "POST", "What the network is given of a picture", _view, (SIZE,),
             "picture", (PNG,), threads="pictures"),
)  # fmt: skip
