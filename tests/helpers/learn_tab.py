"""The steps of the Learn tab."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

STEPS = 12


def step(page: Page, number: int) -> Locator:
    return page.locator(f"article[aria-labelledby=learn-{number}]")


def answered(page: Page, number: int) -> Locator:
    """The step, once its answer and its figure are there."""
    found = step(page, number)
    expect(found.locator(".step-onward")).to_be_visible()
    expect(found.locator("[aria-busy=true]")).to_have_count(0)
    expect(found.locator(".problem")).to_have_count(0)
    return found
