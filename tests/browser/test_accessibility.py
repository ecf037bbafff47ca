"""Each tab in both themes and both languages has no serious fault by axe-core."""

from __future__ import annotations

import re

import pytest
from accessibility import faults
from in_browser import Explorer, layers_editor
from playwright.sync_api import expect

CHINESE = {"light": "浅色主题", "dark": "深色主题"}
TABS = ("learn", "network", "principle", "look")


@pytest.mark.parametrize("tab", TABS)
def test_no_serious_fault(explorer: Explorer, tab: str) -> None:
    """In both themes and both languages, and as wide as a phone: one page for all."""
    page = explorer.open(tab=tab, theme="light", language="en")
    found = {}
    for theme, language, width in (
        ("light", "en", 1300), ("light", "zh", 390), ("dark", "zh", 1300), ("dark", "en", 390),
    ):  # fmt: skip
        other = page.get_by_role(
            "button", name=re.compile(f"^{theme} theme$|^{CHINESE[theme]}$", re.I)
        )
        if other.count():  # the switch to it is there
            other.click()
        other = page.get_by_role("button", name={"en": "English", "zh": "中文"}[language])
        if other.count():
            other.click()
        page.set_viewport_size({"width": width, "height": 900})
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
        expect(page.locator("html")).to_have_attribute("lang", re.compile(f"^{language}"))
        page.wait_for_load_state("networkidle")
        expect(page.locator(f"#panel-{tab} [aria-busy=true]")).to_have_count(0)
        found[theme, language, width] = faults(explorer)
    assert not any(found.values()), found


def test_no_serious_fault_where_something_is_wrong(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")
    page = explorer.open(tab="network", network__config="own")
    expect(page.locator(".total-parameters")).to_be_visible()
    layers_editor(page).fill("conv3-8 / nothing")
    expect(page.locator(".editor mark")).to_be_attached()
    expect(page.locator(".stale")).to_have_count(2)
    assert faults(explorer) == []


def test_a_fault_would_be_seen(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    page.evaluate("document.querySelector('main').append(document.createElement('select'))")
    assert any(each.startswith("select-name") for each in faults(explorer))
