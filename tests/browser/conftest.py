"""Fixtures of the tests in a browser; skipped, with the reason, where there is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from in_browser import CHROMIUM, Explorer, chromium, served
from playwright.sync_api import Browser

import vggnet


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where the explorer answers."""
    with served() as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not the session: while Playwright runs no other test may run an event loop."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium)")
    with chromium() as found:
        yield found


@pytest.fixture
def explorer(browser: Browser, address: str) -> Iterator[Explorer]:
    opened = Explorer(browser, address)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def model() -> vggnet.Model:
    return vggnet.load("tiny-imagenet")
