"""Fixtures that several test files share."""

from collections.abc import Iterator
from pathlib import Path

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
