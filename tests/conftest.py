"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_data import write_pictures


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of three class folders with twenty pictures each."""
    return write_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small tensors are quicker on one thread, and the tests share the machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def embedded_service() -> Iterator[Any]:
    """The embedded model, served; its Service."""
    import vggnet
    from vggnet.web.endpoint import Service

    service = Service(vggnet.load(threads=1), "tiny-imagenet")
    yield service
    service.close()


@pytest.fixture
def client(embedded_service: Any) -> Iterator[Any]:
    """Asks the application of the embedded model, as a browser on this machine would."""
    from web_client import client_of

    with client_of(embedded_service) as client:
        yield client
