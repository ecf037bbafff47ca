"""The Look tab in a browser: what units see and compute of a photograph, and why."""

from __future__ import annotations

import re

import numpy as np
import pytest
from in_browser import Explorer
from look_tab import part, settled, upload
from places import EXAMPLES
from playwright.sync_api import Route, expect

import vggnet
from vggnet.explain import in_pixels
from vggnet.units import unit_sum

CAT = EXAMPLES / "cat.jpg"


def test_a_clicked_unit_shows_its_sum_and_its_field(
    explorer: Explorer, model: vggnet.Model
) -> None:
    page = explorer.open(tab="look", look__layer="conv3_2", look__channel="5")
    board = page.get_by_role("application")
    expect(board).to_be_visible()
    settled(page)
    box = board.bounding_box()
    assert box is not None
    # Row 10 and column 20 of 56.
    board.click(position={"x": box["width"] * 20.5 / 56, "y": box["height"] * 10.5 / 56})
    unit = page.locator(".unit")
    expect(unit.get_by_role("heading")).to_contain_text("row 10, column 20 of channel 5")
    image_CHW = in_pixels(model.preprocessing, 224)(CAT)
    expected = unit_sum(model, image_CHW, "conv3_2", 5, 10, 20)
    written = f"{expected.value:.3f}".replace("-", "−")
    expect(unit.locator(".total b").first).to_have_text(written)
    most = int(np.abs(expected.products_CYX.sum(axis=(1, 2))).argmax())
    expect(unit.locator(".product").first).to_contain_text(f"channel {most}")
    expect(page.locator(".field")).to_contain_text("32×32 of 224×224")
    frame = page.locator(".map-beside .frames .frame-light")
    settled(page)
    left = float(frame.get_attribute("x") or 0)
    board.press("ArrowRight")
    expect(unit.get_by_role("heading")).to_contain_text("row 10, column 21")
    expect(page).to_have_url(re.compile(r"look\.unit=10\.21"))
    settled(page)
    assert float(frame.get_attribute("x") or 0) == pytest.approx(left + 4)  # the jump
    page.keyboard.press("ArrowDown")  # of the same step
    expect(page).to_have_url(re.compile(r"look\.unit=11\.21"))
    page.go_back()
    expect(page).to_have_url(re.compile(r"look\.unit=10\.20"))
    expect(unit.get_by_role("heading")).to_contain_text("row 10, column 20")
    page.go_back()
    expect(page).not_to_have_url(re.compile(r"look\.unit"))
    settled(page)


def test_a_field_is_cut_at_the_border(explorer: Explorer) -> None:
    page = explorer.open(tab="look", look__layer="pool5", look__unit="0.0")
    expect(page.locator(".field")).to_have_text(
        "This unit of pool5 can see 122×122 of 224×224 pixels. "
        "Its field would be 212×212; the part outside the photograph is cut off."
    )
    frame = page.locator(".map-beside .frames .frame-dark")
    assert float(frame.get_attribute("width") or 0) < 212 * 0.75
    expect(page.locator(".unit")).to_contain_text("largest of the values")
    expect(part(page, "What a layer makes of it")).to_contain_text("at 224×224")


def test_layers_maps_and_pages(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    settled(page)
    page.locator(".strip").get_by_role("button", name="conv4_1").press("Enter")
    expect(page.locator(".pager")).to_contain_text("channels 0 to 31 of 352")
    page.get_by_role("button", name="Next").press("Enter")
    expect(page.locator(".pager")).to_contain_text("channels 32 to 63 of 352")
    tile = page.get_by_role("button", name="channel 40", exact=True)
    tile.press("Enter")
    expect(tile).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".map-beside")).to_contain_text("Channel 40 of relu4_1: 28×28 units")
    expect(page.locator(".map-beside .colour-bar")).to_contain_text("0")
    page.get_by_label("after the ReLU").uncheck()
    expect(page.locator(".map-beside")).to_contain_text("Channel 40 of conv4_1")
    expect(page.locator(".map-beside .colour-bar")).to_contain_text("−")  # signed, 0 in its middle
    expect(part(page, "What excites this channel most")).to_contain_text("channel 40 of conv4_1")
    page.reload()  # all of it is in the address
    expect(page.locator(".map-beside")).to_contain_text("Channel 40 of conv4_1")
    expect(page.get_by_label("after the ReLU")).not_to_be_checked()


def test_back_undoes_what_was_chosen(explorer: Explorer) -> None:
    page = explorer.open(tab="look", look__layer="conv4_1", look__channel="40", look__unit="3.4")
    settled(page)
    strip = page.locator(".strip")
    pressed = strip.locator("[aria-pressed=true]")
    page.get_by_role("button", name="a cup of espresso").click()
    settled(page)
    strip.get_by_role("button", name="conv3_2").click()  # one step, though it resets three others
    expect(page).not_to_have_url(re.compile("look.(channel|unit)"))
    page.get_by_role("button", name="channel 5", exact=True).click()
    settled(page)
    page.get_by_label("Class to explain").select_option(index=2)
    settled(page)
    page.go_back()
    expect(page.get_by_label("Class to explain").locator("option:checked")).to_have_text("espresso")
    expect(page).to_have_url(re.compile("look.channel=5"))
    page.go_back()
    expect(page).not_to_have_url(re.compile("look.channel"))
    expect(pressed).to_contain_text("conv3_2")
    page.go_back()
    expect(pressed).to_contain_text("conv4_1")
    expect(page).to_have_url(re.compile(r"look.channel=40&look.unit=3\.4"))
    page.go_back()
    expect(page.get_by_role("button", name="a cat")).to_have_attribute("aria-pressed", "true")
    settled(page)


def test_what_excites_a_channel_is_sought_in_all_photographs(explorer: Explorer) -> None:
    page = explorer.open(tab="look", look__layer="conv4_2", look__channel="8")
    found = part(page, "What excites this channel most")
    expect(found).to_contain_text("Of the 3 photographs")
    expect(found.locator("canvas")).to_have_count(9)
    values = [float(text.split(" · ")[0]) for text in found.locator("figcaption").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    upload(page, "mine.jpg", (EXAMPLES / "uniform.jpg").read_bytes())
    expect(found).to_contain_text("Of the 4 photographs")
    expect(found).to_contain_text("mine.jpg")


def test_explanations_stand_side_by_side(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    why = part(page, "Why it says so")
    for method, words in {
        "grad-cam": "14×14 positions",
        "occlusion": "blue: it rises",
        "gradient": "depends on each pixel",
    }.items():
        panel = why.locator(f"[data-method={method}]")
        expect(panel.locator("figcaption")).to_contain_text(words)
        expect(panel.locator("canvas.over")).to_have_css("opacity", "0.6")
    expect(why.locator("[data-method=occlusion] .colour-bar")).to_contain_text("−")
    why.get_by_label("Strength of the overlay").fill("20")
    expect(why.locator("canvas.over").first).to_have_css("opacity", "0.2")
    before = why.locator("[data-method=grad-cam] figcaption").inner_text()
    why.get_by_label("Class to explain").select_option("Egyptian cat")
    expect(why.locator("[data-method=grad-cam] figcaption")).not_to_have_text(before)
    expect(page).to_have_url(re.compile("look.class="))


def test_the_first_answer_named_in_the_address_is_one_entry(explorer: Explorer) -> None:
    first = vggnet.load("tiny-imagenet").predict(CAT, top=1)[0]
    page = explorer.open(
        tab="look", look__class=str(first.index), look__strength="much", look__page="1e3"
    )
    settled(page)
    classes = page.get_by_label("Class to explain")
    expect(classes.locator("option")).to_have_count(5)
    expect(classes.locator("option:checked")).to_have_text(first.label)
    expect(page.locator("canvas.over").first).to_have_css("opacity", "0.6")
    classes.focus()
    classes.press("ArrowDown")  # the keyboard stays where it is
    settled(page)
    expect(classes).to_be_focused()
    classes.press("ArrowUp")
    expect(page).not_to_have_url(re.compile("look.class="))


def test_an_empty_map_is_said_to_be_empty(explorer: Explorer) -> None:
    def emptied(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "empty": "empty: nowhere"})

    explorer.page.route("**/api/explain?method=grad-cam**", emptied)
    page = explorer.open(tab="look")
    panel = page.locator("[data-method=grad-cam]")
    expect(panel).to_contain_text("The map is empty: nowhere does the layer speak for this class.")
    expect(panel.locator("canvas")).to_have_count(0)


def test_a_map_that_is_nearly_empty_is_said_to_be(explorer: Explorer) -> None:
    def weakened(route: Route) -> None:
        found = route.fetch().json()
        values = found["values"]
        weak = {"low": values["low"] / 1000, "high": values["high"] / 1000}
        route.fulfill(json={**found, "values": {**values, **weak}})

    page = explorer.open(tab="look")
    settled(page)
    expect(page.locator(".explanation .empty")).to_have_count(0)
    page.route("**/api/explain*", weakened)
    page.get_by_role("button", name="a cup of espresso").click()
    said = page.locator("[data-method=grad-cam] .empty")
    expect(said).to_have_text(re.compile(r"nearly empty: all its places together add 0\.00\d+ to"))
    expect(page.locator("[data-method=occlusion] .empty")).to_contain_text("by less than 0.1%")
    settled(page)
    page.get_by_role("tab", name="Learn").click()
    step = page.locator("article[aria-labelledby=learn-10]")
    step.get_by_role("button", name="Show me").click()
    expect(step.locator(".empty")).to_contain_text("The map is nearly empty")


def test_without_torch_the_gradient_is_said_to_need_it(explorer: Explorer) -> None:
    def without(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "methods": ["grad-cam", "occlusion"]})

    explorer.page.route("**/api/model", without)
    page = explorer.open(tab="look")
    expect(page.locator("[data-method=gradient]")).to_contain_text("Needs torch")


def test_the_first_kernels_are_pictures(explorer: Explorer, model: vggnet.Model) -> None:
    page = explorer.open(tab="look")
    filters = page.locator(".filter-grid canvas")
    expect(filters).to_have_count(len(model.weights.state["conv1_1.weight"]))
