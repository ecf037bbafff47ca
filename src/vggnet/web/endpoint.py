"""What an endpoint is: an address, its parameters, what its body may be, and what answers.

In: the model that is served. Out: `Service`, which all answers are computed with, and `Endpoint`,
from which both the routes and the OpenAPI document are made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vggnet.class_lists import Label, in_language
from vggnet.model import Model, Prediction
from vggnet.web.batching import Batcher
from vggnet.web.limits import Limits
from vggnet.web.metrics import Metrics
from vggnet.web.parameters import Parameter
from vggnet.web.pixels import Pixels
from vggnet.web.uploads import Bodies, Upload
from vggnet.web.workers import Workers

Values = Mapping[str, Any]  # of the parameters, by name
Takes = Literal["nothing", "object", "picture", "pictures"]
Threads = Literal["quick", "pictures", "slow"]

JSON, SVG, PNG, HTML = "application/json", "image/svg+xml", "image/png", "text/html"


@dataclass(frozen=True)
class File:
    """An answer that is no JSON; with `name` it is to be saved, and not shown."""

    data: bytes = field(repr=False)
    media_type: str
    name: str | None = None


@dataclass(frozen=True)
class Asked:
    """A request: the values of its parameters, its pictures, and the model to answer with.

    `model` stops where nobody waits for the answer any more.
    """

    service: Service
    model: Model
    values: Values
    pictures: tuple[Upload, ...] = ()

    @property
    def picture(self) -> Upload:
        return self.pictures[0]


@dataclass(frozen=True)
class Endpoint:
    """`answer` gives a File or plain values for JSON. It runs in a thread; a coroutine, which waits
    for what others compute, in the event loop.

    `threads` are those that it shares with its like, so that none waits for what takes longer: next
    to no time; a picture and a pass of the network; many passes. `members` are those that an object
    of JSON has always; of a list, each of its objects.
    """

    path: str
    method: Literal["GET", "POST"]
    summary: str
    answer: Callable[[Asked], Any]
    parameters: tuple[Parameter, ...] = ()
    takes: Takes = "nothing"
    gives: tuple[str, ...] = (JSON,)
    members: tuple[str, ...] = ()
    threads: Threads = "quick"


class Service:
    """A model that is served, and the threads that compute.

    To be made and closed in the event loop that uses it, or before it turns.
    """

    def __init__(self, model: Model, name: str, limits: Limits | None = None) -> None:
        """`name` is what the weights are called to clients."""
        self.model, self.name = model, name
        self.limits = limits or Limits()
        self.metrics = Metrics()
        self.bodies = Bodies(self.limits)
        self.pixels = Pixels(self.limits.pixels_in_flight)
        self.workers: dict[Threads, Workers] = {
            "quick": Workers("quick", 2, self.limits.waiting),
            "pictures": Workers("pictures", 2, self.limits.waiting),
            "slow": Workers("slow", self.limits.slow, self.limits.slow_waiting),
        }
        self.batcher: Batcher[list[Prediction]] = Batcher(
            lambda images_NCHW: model.classify(images_NCHW, model.spec.num_classes or 1),
            self.limits.waiting,
            self.metrics.batch,
        )
        self._chinese = {label.index: label.name for label in in_language(model.labels, "zh")}
        self._english = {label.index: label.name for label in model.labels}
        self.kept: dict[Any, Any] = {}  # what is measured once
        self.gives_up = False  # on what is being answered, since the server stops
        self.metrics.watch("bytes of uploads held", "upload_bytes", lambda: self.bodies.held)
        self.metrics.watch("pictures waiting", "pictures_waiting", lambda: self.batcher.waiting)
        self.metrics.watch(
            "slow jobs, with those that run", "slow_jobs", lambda: self.workers["slow"].jobs
        )

    @property
    def labels(self) -> tuple[Label, ...]:
        return self.model.labels

    def answer_json(self, each: Prediction) -> dict[str, Any]:
        """A class as clients get it, with its Chinese name where it has one."""
        found = {
            "index": each.index,
            "wnid": each.wnid,
            "label": each.label,
            "probability": each.probability,
        }
        chinese = self._chinese.get(each.index)
        if chinese is not None and chinese != self._english.get(each.index):
            found["label_zh"] = chinese
        return found

    def is_at_work(self, seconds: float) -> bool:
        """Whether a thread computes still after so many seconds."""
        end = time.monotonic() + seconds
        while jobs := self.batcher.jobs + sum(each.jobs for each in self.workers.values()):
            if time.monotonic() > end:
                break
            time.sleep(0.01)
        return jobs > 0

    def close(self) -> None:
        self.batcher.close()
        for each in self.workers.values():
            each.close()
