"""The explorer in a real browser: `vggnet serve` on a free port, and Chromium without a window.

No test waits for a time: each waits until the page shows what it should, and gives up only when
something hangs. scripts/screenshots.py takes its pictures with the same.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    expect,
    sync_playwright,
)

HANGS = 120_000  # milliseconds after which something hangs, on however slow a machine
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


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
        """The page in that state; "__" in a key is the dot after the tab's name."""
        query = urlencode({key.replace("__", "."): value for key, value in state.items()})
        self.page.goto(f"{self.address}/?{query}")
        expect(self.page.locator("[role=tabpanel]:visible[data-ready]")).to_be_attached()
        return self.page

    def close(self) -> None:
        self._context.close()
        assert self._faults == [], self._faults

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if not any(part in message.text for part in self.expected):
            self._faults.append(f"{message.type}: {message.text} ({message.location})")

    def _asked(self, request: Request) -> None:
        wanted = urlsplit(request.url)
        if wanted.scheme in ("http", "https") and wanted.netloc != urlsplit(self.address).netloc:
            self._faults.append(f"asked another host: {request.url}")


@contextmanager
def served() -> Iterator[str]:
    """`vggnet serve` with the embedded model; gives the address at which it answers."""
    with tempfile.NamedTemporaryFile() as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "vggnet", "serve", "--port", "0"],
            stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
        try:
            yield _address_in(Path(log.name), server)
        finally:
            server.terminate()
            server.wait()


def _address_in(log: Path, server: subprocess.Popen[bytes]) -> str:
    said = ""
    while server.poll() is None:
        said = log.read_text(encoding="utf-8")
        if found := re.search(r"http://127\.0\.0\.1:\d+", said):
            return found[0]
        time.sleep(0.05)
    raise RuntimeError(f"vggnet serve ended: {said}")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's, or whichever stands on the path."""
    expect.set_options(timeout=HANGS)
    # As root, as in containers, Chromium starts without its sandbox only.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options, timeout=HANGS)
        yield browser
        browser.close()


def layers_editor(page: Page) -> Locator:
    """Where the layers of one's own network are written."""
    return page.get_by_label(re.compile("Layers, as Table 1|各层，写法同"))
