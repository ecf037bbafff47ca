"""Back and Forward in a browser: each choice is a step, and what is typed at one go is one."""

from __future__ import annotations

import re

from in_browser import Explorer, layers_editor
from playwright.sync_api import expect


def test_back_undoes_what_was_chosen_and_what_was_typed(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")  # while 6 of 64 pixels are typed
    page = explorer.open(tab="network")
    config = page.get_by_role("combobox", name="Network", exact=True)
    size = page.get_by_label("Input, pixels")
    batch_norm = page.get_by_role("checkbox", name="batch norm")
    heading = page.locator(".network text").first
    expect(heading).to_have_text("D")
    config.select_option("A")
    config.select_option("E")
    size.press_sequentially("64")  # one step, for it is one entry
    page.get_by_label("Head").select_option("average")
    expect(heading).to_have_text("E (global average)")
    batch_norm.check()
    page.go_back()
    expect(batch_norm).not_to_be_checked()
    expect(heading).to_have_text("E (global average)")
    page.go_back()
    expect(heading).to_have_text("E")
    expect(size).to_have_value("64")
    page.go_back()
    expect(size).to_have_value("")
    expect(config).to_have_value("E")
    page.go_back()
    expect(config).to_have_value("A")
    expect(heading).to_have_text("A")
    page.go_back()
    expect(heading).to_have_text("D")
    for _ in range(5):
        page.go_forward()
    expect(batch_norm).to_be_checked()
    expect(heading).to_have_text("E (batch norm, global average)")
    page.get_by_role("tab", name="Principle").click()
    page.get_by_role("button", name="two 3×3 for one 5×5").click()
    slider = page.get_by_label(re.compile("^channels"))
    slider.press("Home")
    slider.press("ArrowRight")  # sliding is no step
    expect(page.locator(".field figcaption")).to_contain_text("5×5 pixels")
    page.go_back()
    expect(page.locator(".field figcaption")).to_contain_text("7×7 pixels")
    page.go_back()
    expect(page.get_by_role("tabpanel", name="Network")).to_be_visible()


def test_what_is_typed_after_leaving_a_field_is_another_step(explorer: Explorer) -> None:
    page = explorer.open(tab="network", network__config="own")
    editor = layers_editor(page)
    editor.fill("conv3-8 / FC-5")
    editor.blur()
    editor.fill("conv3-8 / FC-6")
    page.go_back()
    expect(editor).to_have_value("conv3-8 / FC-5")
    editor.fill("conv3-8 / FC-7")
    page.go_back()
    expect(editor).to_have_value("conv3-8 / FC-5")


def test_an_emptied_field_is_filled_when_it_is_left(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")  # while it is half typed
    page = explorer.open(tab="network", network__width="2")
    width = page.get_by_label("Width ×")
    width.focus()
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.press("Delete")
    expect(page).not_to_have_url(re.compile("network.width"))
    expect(width).to_have_value("")
    page.keyboard.type("0.5")
    expect(width).to_have_value("0.5")
    width.fill("")
    width.blur()
    expect(width).to_have_value("1")


def test_an_emptied_editor_stays_empty(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")  # while it is half typed
    page = explorer.open(tab="network", network__config="own")
    total = page.locator(".total-parameters")
    expect(total).to_be_visible()
    editor = layers_editor(page)
    editor.fill("")
    told = page.get_by_text("There is no layer yet: write one at least")
    expect(told).to_be_visible()
    expect(page.locator(".totals")).to_have_class(re.compile(r"\bstale\b"))
    editor.blur()
    expect(editor).to_have_value("")
    page.reload()
    expect(told).to_be_visible()
    expect(editor).to_have_value("")
    editor.press_sequentially("conv3-8 FC-5")
    expect(editor).to_have_value("conv3-8 FC-5")
    expect(told).to_be_hidden()
    expect(page.locator(".figure .network")).to_be_visible()


def test_typing_is_a_step_of_its_own_though_it_began_with_no_change(explorer: Explorer) -> None:
    explorer.expected.append("status of 422")  # while it is half typed
    page = explorer.open(tab="network")
    config = page.get_by_role("combobox", name="Network", exact=True)
    width = page.get_by_label("Width ×")
    config.select_option("A")
    width.fill("")  # which says the same as 1
    width.press_sequentially("0.5")
    page.go_back()
    expect(width).to_have_value("1")
    expect(config).to_have_value("A")


def test_back_leaves_the_language_and_the_theme(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    config = page.get_by_role("combobox").first
    config.select_option("A")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="深色主题").click()
    page.go_back()
    expect(config).to_have_value("D")
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page).to_have_url(re.compile("language=zh&theme=dark"))
    page.get_by_role("button", name="English").click()
    page.go_forward()
    expect(config).to_have_value("A")
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_a_place_in_a_tab_is_left_with_it_and_computes_nothing(explorer: Explorer) -> None:
    page = explorer.open(tab="network")
    expect(page.locator(".total-parameters")).to_be_visible()
    page.get_by_role("tab", name="Learn").click()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("link", name="convolution, kernel").first.click()
    expect(page).to_have_url(re.compile("#word-convolution$"))
    page.go_back()
    expect(page).not_to_have_url(re.compile("#"))
    page.go_forward()
    expect(page).to_have_url(re.compile("#word-convolution$"))
    page.get_by_role("tab", name="Principle").click()
    expect(page).to_have_url(re.compile("tab=principle"))
    assert "#" not in page.url
    expect(page.locator(".headline")).to_contain_text("81% more weights")
    assert [url for url in asked if "/api/draw" in url] == []  # which the Network tab asks for
