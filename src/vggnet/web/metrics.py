"""What the server did, for Prometheus: requests by address and status, batches, what waits.

In: each request and each batch, as they end. Out: the text that `/metrics` answers with.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

MEDIA_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The metrics of one server; another one has its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # memory and CPU time, where the system has them
        self._requests = Counter(
            "vggnet_requests", "Requests answered", ("address", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "vggnet_request_seconds", "Time from a request to its answer", ("address",),
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._batches = Histogram(
            "vggnet_batch_pictures", "Pictures that the engine computed together",
            buckets=(1, 2, 4, 8, 16, 32), registry=self._registry,
        )  # fmt: skip

    def request(self, address: str, status: int, seconds: float) -> None:
        """One that is answered; `address` is the endpoint's, so that there are few of them."""
        self._requests.labels(address, str(status)).inc()
        self._seconds.labels(address).observe(seconds)

    def batch(self, pictures: int) -> None:
        self._batches.observe(pictures)

    def watch(self, meaning: str, name: str, value: Callable[[], float]) -> None:
        """Tell a value that is looked at whenever somebody asks."""
        Gauge(f"vggnet_{name}", meaning, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        return generate_latest(self._registry)
