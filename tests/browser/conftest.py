"""The explorer in a real browser: `vggnet serve` on a free port, Chromium without a window.

Skipped, with the reason, where there is no Chromium or no Playwright. No test waits for a time: each
waits until the page shows what it should, and gives up only when something hangs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

pytest.importorskip("playwright.sync_api", reason="needs playwright (requirements-dev.txt)")
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

HANGS = 120_000  # milliseconds after which something hangs, on however slow a machine
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Explorer:
    """The page as a reader has it; `close` fails for whatever it should not have done meanwhile."""

    def __init__(self, browser: Browser, address: str, **context: Any) -> None:
        self.address = address
        self.expected: list[str] = []  # parts of messages of the console that are no faults
        self._context = browser.new_context(
            **{"viewport": {"width": 1300, "height": 900}, "locale": "en-GB"} | context
        )
        self._context.set_default_timeout(HANGS)
        self._faults: list[str] = []
        self.page: Page = self._context.new_page()
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self._faults.append(f"uncaught: {error}"))
        self.page.on("request", self._asked)

    def open(self, **state: str) -> Page:
        """The page in that state; keys may have "_" for the dot after the tab's name, once."""
        query = urlencode({key.replace("__", "."): value for key, value in state.items()})
        self.page.goto(f"{self.address}/?{query}")
        expect(self.page.locator("[role=tabpanel]:visible[data-ready]")).to_be_attached()
        return self.page

    def close(self) -> None:
        self._context.close()
        assert self._faults == []

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if not any(part in message.text for part in self.expected):
            self._faults.append(f"{message.type}: {message.text} ({message.location})")

    def _asked(self, request: Request) -> None:
        wanted = urlsplit(request.url)
        if wanted.scheme in ("http", "https") and wanted.netloc != urlsplit(self.address).netloc:
            self._faults.append(f"asked another host: {request.url}")


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the explorer answers."""
    log = tmp_path_factory.mktemp("serve") / "stderr"
    with log.open("w+b") as stderr:
        server = subprocess.Popen(
            [sys.executable, "-m", "vggnet", "serve", "--port", "0"],
            stdout=subprocess.DEVNULL, stderr=stderr,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            yield _address_in(log, server)
        finally:
            server.terminate()
            server.wait()


def _address_in(log: Path, server: subprocess.Popen[bytes]) -> str:
    while server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text(encoding="utf-8")):
            return found[0]
    raise RuntimeError(f"vggnet serve ended: {log.read_text(encoding='utf-8')}")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Of a module, not of the session: while Playwright runs no other test may run an event loop."""
    if CHROMIUM is None:
        pytest.skip("needs Chromium (on Debian: apt-get install chromium)")
    expect.set_options(timeout=HANGS)
    # As root, as in containers, Chromium starts without its sandbox only.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=options, timeout=HANGS
        )
        yield browser
        browser.close()


@pytest.fixture
def explorer(browser: Browser, address: str) -> Iterator[Explorer]:
    opened = Explorer(browser, address)
    yield opened
    opened.close()
