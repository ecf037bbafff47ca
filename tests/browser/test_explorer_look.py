"""The Look tab in a browser: a photograph, its answers, and what units see and compute of it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from in_browser import Explorer
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

import vggnet
from vggnet.explain import in_pixels
from vggnet.units import unit_sum

EXAMPLES = Path(vggnet.__file__).parent / "web" / "examples"
CAT = EXAMPLES / "cat.jpg"


@pytest.fixture(scope="module")
def model() -> vggnet.Model:
    return vggnet.load("tiny-imagenet")


def part(page: Page, heading: str) -> Locator:
    return page.locator(".look-part", has=page.get_by_role("heading", name=heading))


def settled(page: Page) -> None:
    expect(page.locator("#panel-look [aria-busy=true]")).to_have_count(0)


def upload(page: Page, name: str, data: bytes) -> None:
    file: Any = {"name": name, "mimeType": "image/jpeg", "buffer": data}
    page.locator("input[type=file]").first.set_input_files(file)


def classes(page: Page) -> list[str]:
    return page.locator(".answer-name").all_inner_texts()


def test_an_uploaded_photograph_is_named(explorer: Explorer, model: vggnet.Model) -> None:
    page = explorer.open(tab="look", look__photo="espresso")
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    upload(page, "whiskers.jpg", CAT.read_bytes())
    expected = model.predict(CAT, top=5)
    expect(page.locator(".answer-name")).to_have_text([each.label for each in expected])
    expect(page.locator(".answer-share").first).to_have_text(f"{expected[0].probability:.1%}")
    said = page.locator(".answer-said .note")
    expect(said).to_contain_text(f"engine {model.engine.name}, fp32")
    expect(said).to_contain_text(re.compile(r"\d ms$"))
    expect(page.locator(".photograph .crop")).to_be_attached()
    expect(page.locator(".answer-picture")).to_contain_text(
        re.compile(r"\d+×\d+ of \d+×\d+ pixels")
    )
    settled(page)
    assert "whiskers" not in page.url  # it stays in memory
    page.get_by_role("button", name="中文").click()
    expect(page.locator(".answer-name").first).to_have_text("虎斑猫")
    page.get_by_role("button", name=re.compile("移除")).click()
    expect(page.locator(".answer-name").first).not_to_have_text("虎斑猫")


def test_photographs_are_chosen_and_removed_by_keyboard(explorer: Explorer) -> None:
    page = explorer.open(tab="look")
    settled(page)
    page.get_by_role("tab", selected=True).focus()
    for _ in range(3 + 2):  # the two switches, then the photographs one by one
        page.keyboard.press("Tab")
    second = page.get_by_role("button", name="a cup of espresso")
    expect(second).not_to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(second).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    expect(second).to_be_focused()
    page.keyboard.press("Tab")
    with page.expect_file_chooser() as chosen:  # after the portrait come the ways to add one
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    file: Any = {"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": CAT.read_bytes()}
    chosen.value.set_files(file)
    expect(page.locator(".answer-name").first).to_have_text("tabby")
    page.keyboard.press("Shift+Tab")
    away = page.get_by_role("button", name="Remove mine.jpg")
    expect(away).to_be_focused()
    page.keyboard.press("Enter")
    expect(away).to_have_count(0)
    expect(page.locator(".thumbnail[aria-pressed=true]")).to_be_focused()
    settled(page)


# Chromium does not tell the bytes of such bodies: what the page sends is weighed within it.
WEIGHING = """
    window.sent = [];
    const own = fetch;
    window.fetch = (url, options) => {
        const body = options?.body;
        const bytes = body instanceof FormData ? [...body.values()] : body ? [body] : [];
        sent.push([new URL(url).pathname.split("/").at(-1), new URL(url).search,
            bytes.reduce((sum, each) => sum + each.size, 0)]);
        return own(url, options);
    };
"""


def test_large_photographs_are_looked_into_by_their_views(explorer: Explorer) -> None:
    """However large they are and however many: the server takes 32 MiB, and 32, at a time."""
    explorer.page.add_init_script(WEIGHING)
    page = explorer.open(tab="look", look__layer="conv2_1")
    settled(page)
    pixels_HWC = np.random.default_rng(0).integers(0, 256, (660, 660, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels_HWC).save(file, "PNG")
    large = {"mimeType": "image/png", "buffer": file.getvalue()}
    files: Any = [{"name": f"{number}.png", **large} for number in range(31)]
    assert 31 * len(file.getvalue()) > 32 << 20
    page.locator("input[type=file]").first.set_input_files(files)
    settled(page)
    found = part(page, "What excites this channel most")
    expect(found).to_contain_text("Of the 32 photographs")  # the newest of 34
    page.get_by_role("application").press("ArrowRight")
    settled(page)
    sent = page.evaluate("sent")
    whole = {path for path, _, size in sent if size == len(file.getvalue())}
    assert whole == {"explain", "predict", "view"}
    assert max(size for path, _, size in sent if path in ("features", "unit")) < 300_000
    assert max(size for path, _, size in sent if path == "excite") < 32 * 300_000


def test_what_nobody_waits_for_is_stopped(explorer: Explorer) -> None:
    explorer.page.add_init_script(WEIGHING)
    explorer.page.route("**/api/features*layer=relu2_2*", lambda _: None)  # it is never answered
    page = explorer.open(tab="look", look__layer="conv2_1")
    settled(page)
    with page.expect_request("**/api/features*layer=relu2_2*"):
        page.locator(".strip").get_by_role("button", name="conv2_2").click()
    with page.expect_event("requestfailed") as failed:
        page.locator(".strip").get_by_role("button", name="conv2_1").click()
    assert "relu2_2" in failed.value.url
    settled(page)
    expect(page.locator(".map-beside")).to_contain_text("relu2_1")
    # Three parts of the page wanted it, and it was asked for once.
    asked = [path for path, query, _ in page.evaluate("sent") if "relu2_2" in query]
    assert asked.count("features") == 1


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_photograph_can_be_dropped_and_pasted(explorer: Explorer, way: str) -> None:
    page = explorer.open(tab="look")
    expect(page.locator(".answer-name").first).to_have_text("tabby")
    page.evaluate(
        """async (way) => {
          const found = await (await fetch("page/examples/espresso.jpg")).blob();
          const given = new DataTransfer();
          given.items.add(new File([found], "mine.jpg", {type: "image/jpeg"}));
          const told = {bubbles: true, cancelable: true};
          const event = way === "drop" ? new DragEvent("drop", {...told, dataTransfer: given})
            : new ClipboardEvent("paste", {...told, clipboardData: given});
          document.querySelector("#panel-look .content").dispatchEvent(event);
        }""",
        way,
    )
    expect(page.get_by_role("button", name="mine.jpg", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(page.locator(".answer-name").first).to_have_text("espresso")


def test_a_broken_picture_is_a_sentence_that_says_what_to_do(explorer: Explorer) -> None:
    explorer.expected += ["status of 415", "status of 422"]
    page = explorer.open(tab="look")
    settled(page)
    upload(page, "broken.jpg", CAT.read_bytes()[:700])
    alert = page.locator(".answer-said").get_by_role("alert")
    expect(alert).to_contain_text("Choose another photograph above.")
    expect(page.get_by_role("alert")).to_have_count(1)  # once, and not in every part
    expect(part(page, "Why it says so")).to_be_hidden()
    upload(page, "notes.txt", b"no picture at all")
    expect(alert).to_contain_text("Choose another photograph above.")
    page.get_by_role("button", name="a cup of espresso").click()
    expect(page.locator(".answer-name").first).to_have_text("espresso")
    expect(part(page, "Why it says so")).to_be_visible()


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


def test_a_field_is_cut_at_the_border(explorer: Explorer) -> None:
    page = explorer.open(tab="look", look__layer="pool5", look__unit="0.0")
    expect(page.locator(".field")).to_contain_text("212×212 of 224×224 pixels, cut at the border")
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
