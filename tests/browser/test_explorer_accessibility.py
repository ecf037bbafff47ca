"""Each tab in both themes and both languages has no serious fault by axe-core."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from in_browser import Explorer
from playwright.sync_api import expect

TABS = ("learn", "network", "principle", "look")


def faults(explorer: Explorer) -> list[str]:
    """Serious and critical ones: which rule, and where."""
    found = Axe().run(explorer.page).response["violations"]
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.parametrize(("theme", "language"), [("light", "en"), ("dark", "zh")])
@pytest.mark.parametrize("tab", TABS)
def test_no_serious_fault(explorer: Explorer, tab: str, theme: str, language: str) -> None:
    page = explorer.open(tab=tab, theme=theme, language=language)
    page.wait_for_load_state("networkidle")
    assert faults(explorer) == []


def test_no_serious_fault_where_something_is_wrong(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")
    page = explorer.open(tab="network", network__config="own", network__tokens="conv3-8 / nothing")
    expect(page.locator(".editor mark")).to_be_attached()
    assert faults(explorer) == []


def test_a_fault_would_be_seen(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    page.evaluate("document.querySelector('main').append(document.createElement('select'))")
    assert any(each.startswith("select-name") for each in faults(explorer))
