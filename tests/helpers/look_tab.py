"""The parts of the Look tab."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect


def part(page: Page, heading: str) -> Locator:
    return page.locator(".look-part", has=page.get_by_role("heading", name=heading))


def settled(page: Page) -> None:
    expect(page.locator("#panel-look [aria-busy=true]")).to_have_count(0)


def upload(page: Page, name: str, data: bytes) -> None:
    file: Any = {"name": name, "mimeType": "image/jpeg", "buffer": data}
    page.locator("input[type=file]").first.set_input_files(file)
