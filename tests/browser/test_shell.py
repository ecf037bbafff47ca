"""The explorer's shell: tabs by keyboard, language, theme, and an address that holds it all."""

from __future__ import annotations

import re

import pytest
from in_browser import Explorer
from playwright.sync_api import Browser, Route, expect


def test_the_arrow_keys_go_through_the_tabs(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    tabs = page.get_by_role("tab")
    assert tabs.all_text_contents() == ["Learn", "Network", "Principle", "Look"]
    page.keyboard.press("Tab")
    expect(tabs.nth(1)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tabs.nth(2)).to_be_focused()
    expect(tabs.nth(2)).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel", name="Principle")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tabpanel", name="Network")).to_be_visible()
    expect(page).to_have_url(re.compile("tab=network"))
    page.go_back()
    expect(page.get_by_role("tabpanel", name="Principle")).to_be_visible()


def test_a_tab_looks_the_same_after_the_others_were_open(explorer: Explorer) -> None:
    """The names that a tab's style sheet styles are none of the others' business."""
    fonts = """[...document.querySelectorAll('#panel-principle *')].map((each) =>
        getComputedStyle(each).font + getComputedStyle(each).margin)"""
    page = explorer.open(tab="principle")
    page.wait_for_load_state("networkidle")
    before = page.evaluate(fonts)
    for name in ("Learn", "Look", "Network", "Principle"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("tabpanel", name=name)).to_have_attribute("data-ready", "")
    assert page.evaluate(fonts) == before
    assert (
        page.evaluate("[...document.styleSheets].map((each) => each.media.mediaText)").count(
            "not all"
        )
        == 4  # of the other tabs, and what two of them share
    )


def test_focus_is_seen(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    for _ in range(8):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", page.evaluate("document.activeElement.outerHTML")


def test_the_language_changes_every_text_and_stays_in_the_address(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.get_by_role("tab", name="网络")).to_be_visible()
    expect(page.locator(".network")).to_contain_text("输入")
    expect(page.locator(".legend")).to_contain_text("卷积")
    expect(page.locator("thead")).to_contain_text("感受野")
    expect(page).to_have_url(re.compile("language=zh"))
    page.reload()
    expect(page.get_by_role("tab", name="网络")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("tab", name="Network")).to_be_visible()


def test_the_theme_is_the_systems_until_another_is_chosen(browser: Browser, address: str) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    explorer = Explorer(browser, address, color_scheme="dark")
    page = explorer.open(tab="principle")
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Light theme").click()
    expect(page).to_have_url(re.compile("theme=light"))
    assert page.evaluate(ground) == "rgb(255, 255, 255)" != dark
    page.get_by_role("button", name="Dark theme").click()
    assert page.evaluate(ground) == dark
    explorer.close()


@pytest.mark.parametrize("tab", ["learn", "network", "principle", "look"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_tab_is_wider_than_a_phone(
    browser: Browser, address: str, tab: str, language: str
) -> None:
    explorer = Explorer(browser, address, viewport={"width": 390, "height": 844})
    page = explorer.open(tab=tab, language=language)
    page.wait_for_load_state("networkidle")
    wide = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert wide <= 0
    explorer.close()


def test_nothing_moves_by_itself_where_less_motion_is_wanted(
    browser: Browser, address: str
) -> None:
    explorer = Explorer(browser, address, reduced_motion="reduce")
    for tab in ("learn", "network", "principle", "look"):
        page = explorer.open(tab=tab)
        moving = page.evaluate(
            """[...document.querySelectorAll("*")].filter((each) => {
                const style = getComputedStyle(each);
                return parseFloat(style.transitionDuration) > 0 || style.animationName !== "none";
            }).map((each) => each.outerHTML)"""
        )
        assert moving == []
        page.evaluate(
            """() => { const note = document.createElement("p"); note.id = "probe";
                note.style.transition = "opacity 2s"; note.style.animation = "spin 2s";
                document.body.append(note); }"""
        )
        style = "getComputedStyle(document.querySelector('#probe'))"
        assert page.evaluate(f"{style}.transitionDuration") == "0s"
        assert page.evaluate(f"{style}.animationName") == "none"
    caption = explorer.open(tab="principle").locator(".field figcaption")
    expect(caption).to_contain_text("sees all 7×7 pixels")  # no figure plays until it is asked to
    explorer.close()


def test_on_paper_the_controls_are_left_out(explorer: Explorer) -> None:
    page = explorer.open(tab="network", theme="dark")
    expect(page.locator(".total-parameters")).to_be_visible()
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    for name in (".tabs", ".switches", ".controls"):
        expect(page.locator(name).first).to_be_hidden()
    expect(page.locator("table").first).to_be_visible()


def test_bars_are_printed(explorer: Explorer) -> None:
    """Without "background graphics", as browsers print at first: a bar's colour is in the file."""
    page = explorer.open(tab="principle", theme="dark")
    expect(page.locator(".headline")).to_contain_text("81% more weights")
    page.emulate_media(media="print")
    adjusts = "(bar) => getComputedStyle(bar).printColorAdjust"
    assert page.locator(".counts .bar").first.evaluate(adjusts) == "exact"
    for name in (".player", ".slider input", ".trained"):  # what nobody can move, or has measured
        expect(page.locator(name).first).to_be_hidden()
    colour = "(bar) => getComputedStyle(bar).backgroundColor"
    assert page.locator(".counts .bar").first.evaluate(colour) == "rgb(0, 114, 178)"


def test_a_busy_server_is_asked_again(explorer: Explorer) -> None:
    explorer.expected.append("status of 503")
    page = explorer.open(tab="learn")
    turned_away: list[Route] = []

    def answer(route: Route) -> None:
        if turned_away:
            return route.continue_()
        turned_away.append(route)
        return route.fulfill(status=503, headers={"Retry-After": "1"}, json={"detail": "busy"})

    page.route("**/api/stack*size*", answer)
    page.get_by_role("tab", name="Principle").click()
    expect(page.locator(".headline")).to_contain_text("81% more weights")
    assert turned_away


def test_without_the_server_the_page_says_so(explorer: Explorer) -> None:
    explorer.expected.append("Failed to load resource")
    page = explorer.open(tab="principle")
    page.route("**/api/stack*", lambda route: route.abort())
    page.get_by_role("button", name="two 3×3 for one 5×5").click()
    expect(page.get_by_text("The server does not answer")).to_be_visible()
